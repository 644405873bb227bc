# Rows: runs of DataRow messages, and rows of COPY data. Each function stops in front of the first row that is not its own
# and says where: the caller does that row by the long way.


cdef int convert(cell, Bytes data, Py_ssize_t size, Buffer* out) except -1:
    """One value by its cell, or by any callable of bytes, appended to `out`. Raises what the reference raises."""
    if isinstance(cell, Opener):
        if (<Opener>cell).open(data, size, out):
            return 0
        cell = (<Opener>cell).reference
    elif isinstance(cell, Sealing):
        if (<Sealing>cell).seal(data, size, out):
            return 0
        cell = (<Sealing>cell).reference
    cdef bytes made = cell(PyBytes_FromStringAndSize(<const char*>data, size))
    return put(out, <Bytes>PyBytes_AS_STRING(made), PyBytes_GET_SIZE(made))


cdef Py_ssize_t convert_fields(Bytes data, Py_ssize_t at, Py_ssize_t end, list cells, Buffer* out) except -2:
    """Fields with Int32 sizes, as in DataRow and binary COPY; where they end, or -1: not within `end`."""
    cdef Py_ssize_t size, start
    cdef object cell
    for cell in cells:
        if end - at < 4:
            return -1
        size = <int32_t>load32(data + at)
        if size < -1 or size > end - at - 4:
            return -1
        if cell is None or size < 0:
            size = 4 if size < 0 else 4 + size
            put(out, data + at, size)
            at += size
            continue
        start = out.size
        reserve(out, 4)
        out.size += 4
        convert(cell, data + at + 4, size, out)
        store32(out.data + start, <uint32_t>(out.size - start - 4))
        at += 4 + size
    return at


def open_rows(bytes data not None, Py_ssize_t at, list cells not None):
    """Whole DataRow messages from `at` on -> (those for the client, where the first begins that is not among them)."""
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Buffer out = Buffer(NULL, 0, 0)
    if at < 0:
        raise ValueError("negative offset")
    try:
        if at < end:
            reserve(&out, end - at)
        at = convert_rows(<Bytes>PyBytes_AS_STRING(data), at, end, cells, &out)
        return PyBytes_FromStringAndSize(<char*>out.data, out.size), at
    finally:
        release(&out)


cdef Py_ssize_t convert_rows(Bytes rows, Py_ssize_t at, Py_ssize_t end, list cells, Buffer* out) except -1:
    """`open_rows` of `rows` up to `end`, appended to `out`."""
    cdef Py_ssize_t stop, start, next_
    cdef uint8_t* to
    while end - at >= 7 and rows[at] == 68:
        next_ = at + 1 + load32(rows + at + 1)
        if next_ < at + 7 or next_ > end or (rows[at + 5] << 8 | rows[at + 6]) != len(cells):
            break
        start = out.size
        to = reserve(out, 7)
        memcpy(to, rows + at, 7)
        out.size += 7
        try:
            stop = convert_fields(rows, at + 7, next_, cells, out)
        except Refused:
            stop = -1
        if stop != next_:
            out.size = start
            break
        store32(out.data + start + 1, <uint32_t>(out.size - start - 1))
        at = next_
    return at


cdef class CopyRows:
    """The rows of one COPY whose sealed fields are sealed (`seals`) or opened. `quote` -1: text format, -2: binary.

    Of COPY's options it knows the delimiter, the null string, quote and escape; where there are others, no object of
    this class is made.
    """

    cdef list cells
    cdef bint seals
    cdef int delimiter
    cdef int quote
    cdef int escape
    cdef bytes null
    cdef uint8_t special[256]

    def __init__(self, list cells not None, bint seals, int delimiter, bytes null not None, int quote, int escape):
        self.cells = cells
        self.seals = seals
        self.delimiter = delimiter
        self.null = null
        self.quote = quote
        self.escape = escape
        memset(self.special, 0, 256)
        if quote == -1:
            for letter, control in zip(b"bfnrtv", b"\b\f\n\r\t\v"):
                self.special[<uint8_t>control] = letter
            self.special[92] = 92
            if not self.special[<uint8_t>delimiter]:
                self.special[<uint8_t>delimiter] = <uint8_t>delimiter
        elif quote >= 0:
            for control in (delimiter, quote, 10, 13):
                self.special[<uint8_t>control] = 1

    def convert(self, const uint8_t[::1] data not None):
        """Rows from the beginning of `data`, where one begins -> (those for the other side, bytes that were taken)."""
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef Py_ssize_t at = 0, stop, end = data.shape[0], start
        begin_run()
        try:
            while at < end:
                start = out.size
                try:
                    stop = self.row(&data[0], at, end, &out)
                except Refused:
                    stop = -1
                if stop < 0:
                    out.size = start
                    break
                at = stop
            return PyBytes_FromStringAndSize(<char*>out.data, out.size), at
        finally:
            release(&out)
            end_run(self.cells)

    def messages(self, bytes data not None, Py_ssize_t at):
        """Whole CopyData messages from `at` on, each of one row -> as `open_rows`."""
        cdef Bytes rows = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), stop, start, next_
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef uint8_t* to
        if at < 0:
            raise ValueError("negative offset")
        try:
            while end - at >= 5 and rows[at] == 100:
                next_ = at + 1 + load32(rows + at + 1)
                if next_ < at + 5 or next_ > end:
                    break
                start = out.size
                to = reserve(&out, 5)
                to[0] = 100
                out.size += 5
                try:
                    stop = self.row(rows, at + 5, next_, &out)
                except Refused:
                    stop = -1
                if stop != next_:
                    out.size = start
                    break
                store32(out.data + start + 1, <uint32_t>(out.size - start - 1))
                at = next_
            return PyBytes_FromStringAndSize(<char*>out.data, out.size), at
        finally:
            release(&out)

    cdef Py_ssize_t row(self, Bytes data, Py_ssize_t at, Py_ssize_t end, Buffer* out) except -2:
        """Where the row ends that begins at `at`; -1: not mine."""
        cdef const void* found
        cdef Py_ssize_t line, stop
        cdef Py_ssize_t count = len(self.cells), column
        cdef bint escaped
        if self.quote == -2:
            if end - at < 2 or (data[at] << 8 | data[at + 1]) != count:
                return -1
            put(out, data + at, 2)
            return convert_fields(data, at + 2, end, self.cells, out)
        found = memchr(data + at, 10, end - at)
        if found == NULL:
            return -1
        line = <Bytes>found - data
        if line > at and memchr(data + at, 13, line - at) != NULL:
            return -1
        if self.quote >= 0 and line > at:
            if memchr(data + at, self.quote, line - at) != NULL or memchr(data + at, self.escape, line - at) != NULL:
                return -1
            if line - at == 2 and data[at] == 92 and data[at + 1] == 46:
                return -1
        for column in range(count):
            stop = at
            escaped = False
            while stop < line and data[stop] != self.delimiter:
                if data[stop] == 92 and self.quote == -1:
                    escaped = True
                    stop += 1
                    if stop >= line or data[stop] == 46:
                        return -1  # an escaped line end, or the end-of-data marker
                stop += 1
            if (stop == line) != (column == count - 1):
                return -1
            if self.cells[column] is None or self.is_null(data + at, stop - at):
                put(out, data + at, stop - at)
            elif not self.field(self.cells[column], data + at, stop - at, escaped, out):
                return -1
            reserve(out, 1)[0] = <uint8_t>(10 if stop == line else self.delimiter)
            out.size += 1
            at = stop + 1
        return line + 1

    cdef bint is_null(self, Bytes raw, Py_ssize_t size) noexcept:
        return size == PyBytes_GET_SIZE(self.null) and not memcmp(raw, PyBytes_AS_STRING(self.null), size)

    cdef int field(self, cell, Bytes raw, Py_ssize_t size, bint escaped, Buffer* out) except -1:
        """One field that is not null, in text or csv; 0: not mine."""
        cdef Buffer value = Buffer(NULL, 0, 0)
        cdef Py_ssize_t i, room
        cdef uint8_t* to
        cdef uint8_t letter
        try:
            if self.seals:
                if escaped:
                    return 0
                convert(cell, raw, size, &value)
                room = 3 if self.quote == -1 else 2
                to = reserve(out, room + 2 * value.size)
                to[0] = to[1] = 92
                to[room - 1] = 120
                hexed(value.data, value.size, to + room)
                out.size += room + 2 * value.size
                return 1
            if self.quote == -1:  # the backslash of bytea's hex text is doubled, and is the only one
                if size < 3 or raw[0] != 92 or raw[1] != 92:
                    return 0
                raw += 1
                size -= 1
                if memchr(raw + 1, 92, size - 1) != NULL:
                    return 0
            convert(cell, raw, size, &value)
            if self.quote >= 0:
                if self.is_null(value.data, value.size):
                    return 0
                for i in range(value.size):
                    if self.special[value.data[i]] or value.data[i] == 92:
                        return 0
                return put(out, value.data, value.size) == 0
            to = reserve(out, 2 * value.size)
            room = 0
            for i in range(value.size):
                letter = self.special[value.data[i]]
                if letter:
                    to[room] = 92
                    to[room + 1] = letter
                    room += 2
                else:
                    to[room] = value.data[i]
                    room += 1
            out.size += room
            return 1
        finally:
            release(&value)


def copy_rows(cells, *, seals, delimiter, null, quote, escape):
    """See CopyRows. `quote` and `escape` of the text format are -1, of the binary one -2."""
    return CopyRows(cells, seals, delimiter, null, quote, escape)
