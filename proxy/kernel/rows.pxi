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
    cdef Py_ssize_t size, start, done = at
    cdef object cell
    for cell in cells:
        if end - at < 4:
            return -1
        size = <int32_t>load32(data + at)
        if size < -1 or size > end - at - 4:
            return -1
        at += 4
        if size < 0:
            continue
        if cell is not None:
            put(out, data + done, at - done)
            start = out.size
            convert(cell, data + at, size, out)
            store32(out.data + start - 4, <uint32_t>(out.size - start))
            done = at + size
        at += size
    put(out, data + done, at - done)
    return at


def message_run(bytes data not None, Py_ssize_t at, int kind, Py_ssize_t least, Py_ssize_t most):
    """See the reference."""
    cdef Bytes raw = <Bytes>PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data), length
    if at < 0 or least < 4:
        raise ValueError("negative offset")
    while end - at >= 5 and raw[at] == kind:
        length = <int32_t>load32(raw + at + 1)
        if length < least or length > most or length >= end - at:
            break
        at += 1 + length
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


cdef enum Mark:
    NOTHING, FIELD_END, LINE_END, BACKSLASH, UNUSUAL


cdef class CopyRows:
    """The rows of one COPY whose sealed fields are sealed (`seals`) or opened. `quote` -1: text format, -2: binary.

    Of COPY's options it knows the delimiter, the null string, quote and escape; where there are others, no object of
    this class is made.
    """

    cdef list cells
    cdef Py_ssize_t count
    cdef bint seals
    cdef int delimiter
    cdef int quote
    cdef bytes null
    cdef uint8_t special[256]  # of a value: the letter that escapes it; in csv 1, where it would need quotes
    cdef uint8_t marks[256]  # of a line: what a byte is, see Mark

    def __init__(self, list cells not None, bint seals, int delimiter, bytes null not None, int quote, int escape):
        self.cells = cells
        self.count = len(cells)
        self.seals = seals
        self.delimiter = delimiter
        self.null = null
        self.quote = quote
        memset(self.special, 0, 256)
        memset(self.marks, NOTHING, 256)
        self.marks[<uint8_t>delimiter] = FIELD_END
        if quote == -1:
            for letter, control in zip(b"bfnrtv", b"\b\f\n\r\t\v"):
                self.special[<uint8_t>control] = letter
            self.special[92] = 92
            if not self.special[<uint8_t>delimiter]:
                self.special[<uint8_t>delimiter] = <uint8_t>delimiter
            self.marks[92] = BACKSLASH
        elif quote >= 0:
            for control in (delimiter, quote, 10, 13):
                self.special[<uint8_t>control] = 1
            self.marks[<uint8_t>quote] = self.marks[<uint8_t>escape] = UNUSUAL
        self.marks[13] = UNUSUAL
        self.marks[10] = LINE_END

    def convert(self, const uint8_t[::1] data not None):
        """Rows from the beginning of `data`, where one begins -> (those for the other side, bytes that were taken)."""
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef Buffer value = Buffer(NULL, 0, 0)
        cdef Py_ssize_t at = 0, stop, end = data.shape[0], start
        begin_run()
        try:
            if end:
                reserve(&out, 3 * end if self.seals else end)
            while at < end:
                start = out.size
                try:
                    stop = self.row(&data[0], at, end, &out, &value)
                except Refused:
                    stop = -1
                if stop < 0:
                    out.size = start
                    break
                at = stop
            return PyBytes_FromStringAndSize(<char*>out.data, out.size), at
        finally:
            self.end(&out, &value)
            end_run(self.cells)

    def messages(self, bytes data not None, Py_ssize_t at):
        """Whole CopyData messages from `at` on, each of one row -> as `open_rows`."""
        cdef Bytes rows = <Bytes>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), stop, start, next_
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef Buffer value = Buffer(NULL, 0, 0)
        cdef uint8_t* to
        if at < 0:
            raise ValueError("negative offset")
        try:
            if at < end:
                reserve(&out, end - at)
            while end - at >= 5 and rows[at] == 100:
                next_ = at + 1 + load32(rows + at + 1)
                if next_ < at + 5 or next_ > end:
                    break
                start = out.size
                to = reserve(&out, 5)
                to[0] = 100
                out.size += 5
                try:
                    stop = self.row(rows, at + 5, next_, &out, &value)
                except Refused:
                    stop = -1
                if stop != next_:
                    out.size = start
                    break
                store32(out.data + start + 1, <uint32_t>(out.size - start - 1))
                at = next_
            return PyBytes_FromStringAndSize(<char*>out.data, out.size), at
        finally:
            self.end(&out, &value)

    cdef void end(self, Buffer* out, Buffer* value) noexcept:
        """What was sealed needs not be cleared; the client's own bytes beside it are not cleared elsewhere either."""
        if self.seals:
            OPENSSL_free(out.data)
            OPENSSL_free(value.data)
        else:
            release(out)
            release(value)

    cdef Py_ssize_t row(self, Bytes data, Py_ssize_t at, Py_ssize_t end, Buffer* out, Buffer* value) except -2:
        """Where the row ends that begins at `at`; -1: not mine. `value` is scratch."""
        cdef Py_ssize_t stop, column, done = at
        cdef bint escaped
        cdef uint8_t mark
        cdef object cell
        if self.quote == -2:
            if end - at < 2 or (data[at] << 8 | data[at + 1]) != self.count:
                return -1
            put(out, data + at, 2)
            return convert_fields(data, at + 2, end, self.cells, out)
        if not self.count:
            return -1
        if self.quote >= 0 and end - at > 2 and data[at] == 92 and data[at + 1] == 46 and data[at + 2] == 10:
            return -1
        for column in range(self.count):
            stop = at
            escaped = False
            while True:
                while stop < end and self.marks[data[stop]] == NOTHING:
                    stop += 1
                if stop == end:
                    return -1
                mark = self.marks[data[stop]]
                if mark != BACKSLASH:
                    break
                escaped = True
                stop += 1
                if stop == end or data[stop] == 10 or data[stop] == 13 or data[stop] == 46:
                    return -1  # an escaped line end, or the end-of-data marker
                stop += 1
            if mark != (LINE_END if column == self.count - 1 else FIELD_END):
                return -1
            cell = self.cells[column]
            if cell is not None and not self.is_null(data + at, stop - at):
                put(out, data + done, at - done)
                if not self.field(cell, data + at, stop - at, escaped, out, value):
                    return -1
                done = stop
            at = stop + 1
        put(out, data + done, at - done)
        return at

    cdef bint is_null(self, Bytes raw, Py_ssize_t size) noexcept:
        return size == PyBytes_GET_SIZE(self.null) and not memcmp(raw, PyBytes_AS_STRING(self.null), size)

    cdef int field(self, cell, Bytes raw, Py_ssize_t size, bint escaped, Buffer* out, Buffer* value) except -1:
        """One field that is not null, in text or csv; 0: not mine."""
        cdef Py_ssize_t i, room
        cdef uint8_t* to
        cdef uint8_t letter
        value.size = 0
        if self.seals:
            if escaped:
                return 0
            convert(cell, raw, size, value)
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
        convert(cell, raw, size, value)
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


def copy_rows(cells, *, seals, delimiter, null, quote, escape):
    """See CopyRows. `quote` and `escape` of the text format are -1, of the binary one -2."""
    return CopyRows(cells, seals, delimiter, null, quote, escape)
