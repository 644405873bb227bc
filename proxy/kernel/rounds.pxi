# Rounds: see rounds.py. None is the answer to whatever is not of the form.


cdef enum:
    FIELDS = 64  # messages of a piece, values of a Bind: as many fit the stack


cdef class Headers:
    """Looks at the headers of the messages in a piece."""

    cdef int64_t least[256]
    cdef int64_t greatest[256]
    cdef Py_ssize_t most

    def __init__(self, lengths, Py_ssize_t most):
        for kind in range(256):  # no length suits the others
            self.least[kind] = 1
            self.greatest[kind] = 0
        for kind, (least, greatest) in lengths.items():
            if not (0 <= kind < 256 and least >= 4):
                raise ValueError("a length counts itself")
            self.least[<uint8_t>kind] = least
            self.greatest[<uint8_t>kind] = greatest
        self.most = most

    def kinds(self, bytes data not None):
        """The types of the messages in `data`, in order; None: it is longer, or not whole messages of those types."""
        cdef Bytes raw = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), at = 0, count = 0, i
        cdef int64_t length
        cdef uint8_t small[FIELDS]
        cdef uint8_t* to
        if end > self.most:
            return None
        while end - at >= 5:
            length = load32(raw + at + 1)
            if length < self.least[raw[at]] or length > self.greatest[raw[at]] or length > end - at - 1:
                return None
            if count < FIELDS:
                small[count] = raw[at]
            count += 1
            at += 1 + length
        if at != end:
            return None
        if count <= FIELDS:
            return PyBytes_FromStringAndSize(<char*>small, count)
        found = PyBytes_FromStringAndSize(NULL, count)
        to = <uint8_t*>PyBytes_AS_STRING(found)
        at = 0
        for i in range(count):
            to[i] = raw[at]
            at += 1 + load32(raw + at + 1)
        return found


cdef class BindForm:
    """A Bind and the messages behind it, which differ from time to time in the values alone."""

    cdef bytes head
    cdef bytes tail
    cdef bytes rest
    cdef bytes server_head
    cdef Py_ssize_t count
    cdef bint passes
    cdef list clients
    cdef list cells

    def __init__(self, bytes head not None, Py_ssize_t count, bytes tail not None, bytes rest not None,
                 bytes server_head not None, params):
        if count < 0 or count > 0xFFFF:
            raise ValueError("a Bind has at most 65535 values")
        self.head = head
        self.count = count
        self.tail = tail
        self.rest = rest
        self.server_head = server_head
        self.passes = params is None
        self.clients = []
        self.cells = []
        for client, cell in params or ():
            if not 0 <= client < count:
                raise ValueError("a parameter of the server is none of the client's")
            self.clients.append(client)
            self.cells.append(cell)

    def sealed(self, bytes data not None):
        """What the server gets; None: `data` is not of this form, or a cell raised Refused."""
        cdef Bytes raw = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at, end, i, width
        cdef Py_ssize_t small[FIELDS]
        cdef Py_ssize_t* places = small
        cdef Py_ssize_t head = PyBytes_GET_SIZE(self.head)
        cdef Py_ssize_t tail = PyBytes_GET_SIZE(self.tail), rest = PyBytes_GET_SIZE(self.rest)
        cdef Buffer out = Buffer(NULL, 0, 0)
        if size > MAX_VALUE or size < 5 + head + tail + rest or raw[0] != 66:
            return None
        if <Py_ssize_t>load32(raw + 1) != size - rest - 1:
            return None
        at, end = 5 + head, size - rest - tail
        if (
            memcmp(raw + 5, PyBytes_AS_STRING(self.head), head)
            or memcmp(raw + end, PyBytes_AS_STRING(self.tail), tail)
            or memcmp(raw + end + tail, PyBytes_AS_STRING(self.rest), rest)
        ):
            return None
        if self.count > FIELDS:
            places = <Py_ssize_t*>OPENSSL_malloc(self.count * sizeof(Py_ssize_t))
            if places == NULL:
                raise MemoryError
        try:
            for i in range(self.count):
                if end - at < 4:
                    return None
                width = <int32_t>load32(raw + at)
                if width < -1 or width > end - at - 4:
                    return None
                places[i] = at
                at += 4 if width < 0 else 4 + width
            if at != end:
                return None
            if self.passes:
                return data
            reserve(&out, size + 64)[0] = 66
            out.size = 5
            put(&out, <Bytes>PyBytes_AS_STRING(self.server_head), PyBytes_GET_SIZE(self.server_head))
            try:
                for i in range(len(self.cells)):
                    at = places[<Py_ssize_t>self.clients[i]]
                    convert_field(raw + at, self.cells[i], &out)
            except Refused:
                return None
            put(&out, raw + size - rest - tail, tail)
            store32(out.data + 1, <uint32_t>(out.size - 1))
            put(&out, raw + size - rest, rest)
            return PyBytes_FromStringAndSize(<char*>out.data, out.size)
        finally:
            release(&out)
            if places != small:
                OPENSSL_clear_free(places, self.count * sizeof(Py_ssize_t))


cdef int convert_field(Bytes field, cell, Buffer* out) except -1:
    """One field that has been checked, its Int32 size in front, to `out` in the same form."""
    cdef Py_ssize_t size = <int32_t>load32(field), start
    if cell is None or size < 0:
        return put(out, field, 4 if size < 0 else 4 + size)
    start = out.size
    reserve(out, 4)
    out.size += 4
    convert(cell, field + 4, size, out)
    store32(out.data + start, <uint32_t>(out.size - start - 4))
    return 0


cdef class QueryForm:
    """A Query in UTF-8 whose statement differs from time to time in some literals alone."""

    cdef list pieces
    cdef bytes kinds
    cdef list parts

    def __init__(self, pieces, str kinds not None, parts):
        if len(pieces) != len(kinds) + 1:
            raise ValueError("pieces stand around the literals")
        self.pieces = []
        for piece in pieces:
            self.pieces.append(<bytes?>piece)
        self.kinds = kinds.encode()
        if self.kinds.translate(None, b"sild"):
            raise ValueError("no kind of literal")
        self.parts = None if parts is None else list(parts)
        for part in parts or ():
            index = part[0] if isinstance(part, tuple) else part
            if not isinstance(index, (int, bytes)):
                raise TypeError("a part is a text or the index of a literal")
            if isinstance(index, int) and not 0 <= index < len(kinds):
                raise ValueError("there is no such literal")

    def sealed(self, bytes data not None):
        """What the server gets; None: `data` is not of this form, or a cell raised Refused."""
        cdef Bytes raw = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data) - 1, count = PyBytes_GET_SIZE(self.kinds)
        cdef Py_ssize_t small[2 * FIELDS]
        cdef Py_ssize_t* places = small
        cdef Buffer out = Buffer(NULL, 0, 0)
        if end < 5 or end > MAX_VALUE or raw[0] != 81 or <Py_ssize_t>load32(raw + 1) != end:
            return None
        if count > FIELDS:
            places = <Py_ssize_t*>OPENSSL_malloc(2 * count * sizeof(Py_ssize_t))
            if places == NULL:
                raise MemoryError
        try:
            if not self.cut(raw, end, places):
                return None
            if memchr(raw + 5, 0, end - 4) != raw + end or not is_utf8(raw + 5, end - 5):
                return None
            if self.parts is None:
                return data
            reserve(&out, 2 * end + 256)[0] = 81
            out.size = 5
            try:
                self.join(raw, places, &out)
            except Refused:
                return None
            put(&out, b"\0", 1)
            store32(out.data + 1, <uint32_t>(out.size - 1))
            return PyBytes_FromStringAndSize(<char*>out.data, out.size)
        finally:
            release(&out)
            if places != small:
                OPENSSL_clear_free(places, 2 * count * sizeof(Py_ssize_t))

    cdef bint cut(self, Bytes raw, Py_ssize_t end, Py_ssize_t* places) except -1:
        """Where each literal begins and ends; False: the text from 5 to `end` is another."""
        cdef Py_ssize_t at = 5, i, size
        cdef bytes piece
        cdef Bytes kinds = <Bytes>PyBytes_AS_STRING(self.kinds)
        for i in range(len(self.pieces)):
            piece = <bytes>self.pieces[i]
            size = PyBytes_GET_SIZE(piece)
            if size > end - at or memcmp(raw + at, PyBytes_AS_STRING(piece), size):
                return False
            at += size
            if i < PyBytes_GET_SIZE(self.kinds):
                places[2 * i] = at
                at = behind_literal(raw, at, end, kinds[i])
                if at < 0:
                    return False
                places[2 * i + 1] = at
        return at == end

    cdef int join(self, Bytes raw, const Py_ssize_t* places, Buffer* out) except -1:
        """The parts. Raises what a cell raises."""
        cdef Buffer sealed = Buffer(NULL, 0, 0)
        cdef Py_ssize_t index
        cdef uint8_t* to
        try:
            for part in self.parts:
                if isinstance(part, bytes):
                    put(out, <Bytes>PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
                    continue
                if not isinstance(part, tuple):
                    index = part
                    put(out, raw + places[2 * index], places[2 * index + 1] - places[2 * index])
                    continue
                value, cell = part
                sealed.size = 0
                if isinstance(value, bytes):
                    convert(cell, <Bytes>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), &sealed)
                else:
                    index = value
                    convert_literal(cell, raw + places[2 * index], places[2 * index + 1] - places[2 * index], &sealed)
                to = reserve(out, 2 * sealed.size + 6)
                memcpy(to, b"E'\\\\x", 5)
                hexed(sealed.data, sealed.size, to + 5)
                to[2 * sealed.size + 5] = 39
                out.size += 2 * sealed.size + 6
            return 0
        finally:
            release(&sealed)


cdef Py_ssize_t behind_literal(Bytes raw, Py_ssize_t at, Py_ssize_t end, uint8_t kind) noexcept:
    """Where the literal of this kind ends that begins at `at`; -1: there is none."""
    cdef Py_ssize_t start = at, digits
    if kind == 115:
        if at == end or raw[at] != 39:
            return -1
        at += 1
        while at < end:
            if raw[at] != 39:
                at += 1
            elif end - at > 1 and raw[at + 1] == 39:
                at += 2
            else:
                return at + 1
        return -1
    while at < end and 48 <= raw[at] <= 57:
        at += 1
    digits = at - start
    if kind == 100:
        if not digits or at == end or raw[at] != 46:
            return -1
        start = at + 1
        at = start
        while at < end and 48 <= raw[at] <= 57:
            at += 1
        return at if at > start else -1
    if kind == 105:
        return at if 1 <= digits <= 9 and (digits == 1 or raw[start] != 48) else -1
    return at if 11 <= digits <= 18 and raw[start] != 48 else -1


cdef int convert_literal(cell, Bytes literal, Py_ssize_t size, Buffer* out) except -1:
    """The value of a literal by its cell."""
    cdef Buffer value = Buffer(NULL, 0, 0)
    cdef Py_ssize_t i = 1
    cdef uint8_t* to
    if literal[0] != 39:
        return convert(cell, literal, size, out)
    if memchr(literal + 1, 39, size - 2) == NULL:
        return convert(cell, literal + 1, size - 2, out)
    try:
        to = reserve(&value, size)
        while i < size - 1:
            to[value.size] = literal[i]
            value.size += 1
            i += 2 if literal[i] == 39 else 1
        return convert(cell, value.data, value.size, out)
    finally:
        release(&value)


cdef class Answer:
    """The whole answer to a round: `head`, DataRows where there `may_be_rows`, CommandComplete, ReadyForQuery."""

    cdef bytes head
    cdef bytes shown
    cdef list cells
    cdef bint may_be_rows
    cdef bint same

    def __init__(self, bytes head not None, bytes shown not None, cells, *, bint may_be_rows):
        self.head = head
        self.shown = shown
        self.cells = None if cells is None else list(cells)
        self.may_be_rows = may_be_rows
        self.same = head == shown and cells is None

    def opened(self, bytes data not None):
        """What the client gets; None: `data` is not of this form, or a row is not one that `open_rows` opens."""
        cdef Bytes raw = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = PyBytes_GET_SIZE(self.head), length
        cdef Buffer out = Buffer(NULL, 0, 0)
        if size - at < 11 or memcmp(raw, PyBytes_AS_STRING(self.head), at):
            return None
        try:
            if not self.same:
                reserve(&out, size + PyBytes_GET_SIZE(self.shown))
                put(&out, <Bytes>PyBytes_AS_STRING(self.shown), PyBytes_GET_SIZE(self.shown))
            if self.may_be_rows and raw[at] == 68:
                if self.cells is None:
                    length = at
                    at = behind_rows(raw, at, size)
                    if not self.same:
                        put(&out, raw + length, at - length)
                else:
                    at = convert_rows(raw, at, size, self.cells, &out)
            if size - at < 11 or raw[at] != 67:
                return None
            length = load32(raw + at + 1)
            if length < 5 or length != size - at - 7 or memcmp(raw + size - 6, b"Z\0\0\0\x05", 5):
                return None
            if raw[size - 1] != 73 and raw[size - 1] != 84 and raw[size - 1] != 69:
                return None
            if self.same:
                return data
            put(&out, raw + at, size - at)
            return PyBytes_FromStringAndSize(<char*>out.data, out.size)
        finally:
            release(&out)


cdef Py_ssize_t behind_rows(Bytes data, Py_ssize_t at, Py_ssize_t end) noexcept:
    """Where the first message begins that is not a whole DataRow."""
    cdef Py_ssize_t length
    while end - at >= 5 and data[at] == 68:
        length = load32(data + at + 1)
        if length < 6 or length > end - at - 1:
            break
        at += 1 + length
    return at
