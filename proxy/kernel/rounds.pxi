# Rounds: see rounds.py. None is the answer to whatever is not of the form.


cdef enum:
    FIELDS = 64  # values whose places are kept on the stack


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
