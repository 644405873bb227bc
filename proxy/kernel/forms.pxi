# Type codecs: what `proxy.wire.codecs` does, for the common spellings. 0 means "not mine": the reference decides.

cdef enum Form:
    SAME, TEXT, INT2, INT4, INT8, BOOLEAN, UUID, DATE, TIMESTAMP, TIMESTAMPTZ, NUMERIC, BYTEA, JSONB

cdef enum:
    DATE_LIMIT = 2921940  # days from 2000-01-01 to 10000-01-01
    DATE_START = -730119  # days from 2000-01-01 back to 0001-01-01
    LONGEST = 256  # bytes of any output here but text, jsonb and bytea

cdef int64_t USECS_PER_DAY = 86400000000

FORMS = {
    "same": SAME, "text": TEXT, "smallint": INT2, "integer": INT4, "bigint": INT8, "boolean": BOOLEAN, "uuid": UUID,
    "date": DATE, "timestamp": TIMESTAMP, "timestamptz": TIMESTAMPTZ, "numeric": NUMERIC, "bytea": BYTEA, "jsonb": JSONB,
}
"""Names of the forms, as `proxy.session.forms` gives them."""


cdef uint8_t nibbles[256]  # value of a hexadecimal digit; 255: it is none
memset(nibbles, 255, 256)
for _digit in range(22):
    nibbles[b"0123456789abcdefABCDEF"[_digit]] = _digit if _digit < 16 else _digit - 6


cdef Py_ssize_t unhex(Bytes text, Py_ssize_t size, uint8_t* out) noexcept:
    """`size` // 2 bytes to `out`; -1: not pairs of hexadecimal digits."""
    cdef Py_ssize_t i
    cdef uint8_t high, low, seen = 0
    if size % 2:
        return -1
    for i in range(size // 2):
        high, low = nibbles[text[2 * i]], nibbles[text[2 * i + 1]]
        seen |= high | low
        out[i] = <uint8_t>(high << 4 | low)
    return -1 if seen > 15 else size // 2


cdef inline uint8_t hex_digit(uint8_t value) noexcept:
    """Of 0 to 15, without a branch: the compiler does many at once."""
    return value + 48 + (39 & <uint8_t>-<int>(value > 9))


cdef void hexed(Bytes data, Py_ssize_t size, uint8_t* out) noexcept:
    """2 * `size` bytes to `out`."""
    cdef Py_ssize_t i
    for i in range(size):
        out[2 * i] = hex_digit(data[i] >> 4)
        out[2 * i + 1] = hex_digit(data[i] & 15)


cdef int64_t days_of(int64_t year, int64_t month, int64_t day) noexcept:
    """Days since 2000-01-01 for years from 1 on; as in codecs.calendar."""
    cdef int64_t shifted = year - (1 if month <= 2 else 0)
    cdef int64_t era = shifted // 400, rest = shifted % 400
    return (
        era * 146097 + rest * 365 + rest // 4 - rest // 100
        + (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1 - 730425
    )


cdef void write_digits(uint8_t* out, int64_t value, int width) noexcept:
    while width:
        width -= 1
        out[width] = <uint8_t>(48 + value % 10)
        value //= 10


cdef void write_date(uint8_t* out, int64_t days) noexcept:
    """YYYY-MM-DD, ten bytes, for DATE_START <= days < DATE_LIMIT."""
    cdef int64_t shifted = days + 730425
    cdef int64_t era = shifted // 146097, of_era = shifted % 146097
    cdef int64_t year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef int64_t of_year = of_era - (365 * year + year // 4 - year // 100)
    cdef int64_t index = (5 * of_year + 2) // 153
    cdef int64_t month = index + (3 if index < 10 else -9)
    write_digits(out, year + era * 400 + (1 if month <= 2 else 0), 4)
    out[4] = 45
    write_digits(out + 5, month, 2)
    out[7] = 45
    write_digits(out + 8, of_year - (153 * index + 2) // 5 + 1, 2)


cdef Py_ssize_t write_int(uint8_t* out, int64_t value) noexcept:
    cdef uint8_t reversed_[20]
    cdef uint64_t rest = <uint64_t>value
    cdef Py_ssize_t size = 0, at = 0
    if value < 0:
        out[0] = 45
        at = 1
        rest = <uint64_t>0 - rest
    while True:
        reversed_[size] = <uint8_t>(48 + rest % 10)
        rest //= 10
        size += 1
        if not rest:
            break
    while size:
        size -= 1
        out[at] = reversed_[size]
        at += 1
    return at


cdef Py_ssize_t write_numeric(uint8_t* out, Bytes data, Py_ssize_t size) noexcept:
    """At most LONGEST bytes; -1: special, longer, or not canonical."""
    cdef int count, weight, scale, sign, group, at = 0, i, digit
    if size < 8:
        return -1
    count, weight = data[0] << 8 | data[1], <int>(data[2] << 8 | data[3])
    sign, scale = data[4] << 8 | data[5], data[6] << 8 | data[7]
    if weight >= 0x8000:
        weight -= 0x10000
    if size != 8 + 2 * count or sign & 0xBFFF or weight > 20 or weight < -20 or count > 40 or scale > 80:
        return -1
    if not count:
        if sign:
            return -1
        weight = -1  # zero, and as many zeros behind the point as the scale says
    if sign:
        out[0] = 45
        at = 1
    for group in range(weight + 1):
        digit = (data[8 + 2 * group] << 8 | data[9 + 2 * group]) if group < count else 0
        if digit > 9999 or (group == 0 and digit == 0):
            return -1
        if group:
            write_digits(out + at, digit, 4)
            at += 4
        else:
            at += <int>write_int(out + at, digit)
    if weight < 0:
        out[at] = 48
        at += 1
    if scale:
        out[at] = 46
        at += 1
        for i in range(scale):
            group = weight + 1 + i // 4
            digit = (data[8 + 2 * group] << 8 | data[9 + 2 * group]) if 0 <= group < count else 0
            if digit > 9999:
                return -1
            if i % 4 == 0:
                digit //= 1000
            elif i % 4 == 1:
                digit = digit // 100 % 10
            elif i % 4 == 2:
                digit = digit // 10 % 10
            else:
                digit %= 10
            out[at] = <uint8_t>(48 + digit)
            at += 1
    return at


cdef Py_ssize_t write_moment(uint8_t* out, int64_t usecs, bint in_utc) noexcept:
    """ISO, at most 29 bytes; -1: infinite, or a year that is not from 1 to 9999."""
    cdef int64_t days = usecs // USECS_PER_DAY, rest = usecs % USECS_PER_DAY, fraction
    cdef Py_ssize_t at = 19
    if rest < 0:
        rest += USECS_PER_DAY
        days -= 1
    if days < DATE_START or days >= DATE_LIMIT:
        return -1
    write_date(out, days)
    fraction = rest % 1000000
    rest //= 1000000
    out[10] = 32
    write_digits(out + 11, rest // 3600, 2)
    out[13] = 58
    write_digits(out + 14, rest // 60 % 60, 2)
    out[16] = 58
    write_digits(out + 17, rest % 60, 2)
    if fraction:
        out[19] = 46
        write_digits(out + 20, fraction, 6)
        at = 26
        while out[at - 1] == 48:
            at -= 1
    if in_utc:
        out[at] = 43
        out[at + 1] = 48
        out[at + 2] = 48
        at += 3
    return at


cdef int write_form(int form, Bytes data, Py_ssize_t size, Buffer* out) except -1:
    """Canonical form -> the client's, appended to `out`. 0: not mine, nothing is appended."""
    cdef uint8_t* to
    cdef Py_ssize_t written = -1
    cdef int64_t days
    if form == SAME or form == TEXT:
        put(out, data, size)
        return 1
    if form == BYTEA:
        to = reserve(out, 2 + 2 * size)
        to[0] = 92
        to[1] = 120
        hexed(data, size, to + 2)
        out.size += 2 + 2 * size
        return 1
    if form == JSONB:
        put(out, data + 1, size - 1 if size else 0)
        return 1
    to = reserve(out, LONGEST)
    if form == INT4 and size == 4:
        written = write_int(to, <int32_t>load32(data))
    elif form == INT8 and size == 8:
        written = write_int(to, <int64_t>load64(data))
    elif form == INT2 and size == 2:
        written = write_int(to, <int16_t>(data[0] << 8 | data[1]))
    elif form == BOOLEAN and size == 1:
        to[0] = 116 if data[0] else 102
        written = 1
    elif form == UUID and size == 16:
        hexed(data, 4, to)
        to[8] = to[13] = to[18] = to[23] = 45
        hexed(data + 4, 2, to + 9)
        hexed(data + 6, 2, to + 14)
        hexed(data + 8, 2, to + 19)
        hexed(data + 10, 6, to + 24)
        written = 36
    elif form == DATE and size == 4:
        days = <int32_t>load32(data)
        if DATE_START <= days < DATE_LIMIT:
            write_date(to, days)
            written = 10
    elif (form == TIMESTAMP or form == TIMESTAMPTZ) and size == 8:
        written = write_moment(to, <int64_t>load64(data), form == TIMESTAMPTZ)
    elif form == NUMERIC:
        written = write_numeric(to, data, size)
    if written < 0:
        return 0
    out.size += written
    return 1


cdef bint is_utf8(Bytes data, Py_ssize_t size) noexcept:
    """UTF-8 as Python and PostgreSQL take it: shortest form, no surrogates, up to U+10FFFF; and without NUL."""
    cdef Py_ssize_t i = 0, follow, j
    cdef uint8_t lead, second
    while i < size:
        lead = data[i]
        if lead == 0:
            return False
        if lead < 0x80:
            i += 1
            continue
        if 0xC2 <= lead <= 0xDF:
            follow = 1
        elif 0xE0 <= lead <= 0xEF:
            follow = 2
        elif 0xF0 <= lead <= 0xF4:
            follow = 3
        else:
            return False
        if size - i <= follow:
            return False
        second = data[i + 1]
        if (
            (lead == 0xE0 and second < 0xA0)
            or (lead == 0xED and second > 0x9F)
            or (lead == 0xF0 and second < 0x90)
            or (lead == 0xF4 and second > 0x8F)
        ):
            return False
        for j in range(1, follow + 1):
            if data[i + j] & 0xC0 != 0x80:
                return False
        i += follow + 1
    return True


cdef bint read_digits(Bytes data, int count, int64_t* value) noexcept:
    cdef int i
    value[0] = 0
    for i in range(count):
        if not 48 <= data[i] <= 57:
            return False
        value[0] = 10 * value[0] + data[i] - 48
    return True


cdef bint read_date(Bytes text, int64_t* days) noexcept:
    """YYYY-MM-DD, ten bytes, of a day that exists."""
    cdef int64_t year, month, day, last
    if not (
        text[4] == 45 and text[7] == 45
        and read_digits(text, 4, &year) and read_digits(text + 5, 2, &month) and read_digits(text + 8, 2, &day)
    ):
        return False
    if year < 1 or month < 1 or month > 12 or day < 1:
        return False
    if month == 2:
        last = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    else:
        last = 30 if month in (4, 6, 9, 11) else 31
    if day > last:
        return False
    days[0] = days_of(year, month, day)
    return True


cdef bint read_moment(Bytes text, Py_ssize_t size, int64_t* usecs) noexcept:
    """YYYY-MM-DD HH:MM:SS with up to six digits of a fraction."""
    cdef int64_t days, hour, minute, second, fraction = 0
    cdef Py_ssize_t i
    if size < 19 or size == 20 or size > 26 or not read_date(text, &days):
        return False
    if not (
        (text[10] == 32 or text[10] == 84) and text[13] == 58 and text[16] == 58
        and read_digits(text + 11, 2, &hour) and read_digits(text + 14, 2, &minute)
        and read_digits(text + 17, 2, &second)
    ):
        return False
    if hour > 23 or minute > 59 or second > 59:
        return False
    if size > 19:
        if text[19] != 46 or not read_digits(text + 20, <int>(size - 20), &fraction):
            return False
        for i in range(26 - size):
            fraction *= 10
    usecs[0] = days * USECS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000000 + fraction
    return True


cdef Py_ssize_t read_int(Bytes text, Py_ssize_t size, int width, uint8_t* out) noexcept:
    """Decimal digits that certainly fit `width` bytes, a minus before them or not -> `width` bytes."""
    cdef int64_t value
    cdef Py_ssize_t digits = size
    cdef bint negative = size > 1 and text[0] == 45
    cdef int i
    if negative:
        text += 1
        digits -= 1
    if digits < 1 or digits > (4 if width == 2 else 9 if width == 4 else 18):
        return -1
    if not read_digits(text, <int>digits, &value):
        return -1
    if negative:
        value = -value
    for i in range(width):
        out[i] = <uint8_t>((<uint64_t>value >> (8 * (width - 1 - i))) & 0xFF)
    return width


cdef Py_ssize_t read_text_form(int form, Bytes text, Py_ssize_t size, uint8_t* out) noexcept:
    """Text of a type of fixed size -> its canonical form, at most 16 bytes to `out`; -1: not mine."""
    cdef int64_t value
    if form == INT4:
        return read_int(text, size, 4, out)
    if form == INT8:
        return read_int(text, size, 8, out)
    if form == INT2:
        return read_int(text, size, 2, out)
    if form == BOOLEAN and size == 1 and (text[0] == 116 or text[0] == 102):
        out[0] = text[0] == 116
        return 1
    if form == DATE and size == 10 and read_date(text, &value):
        store32(out, <uint32_t>(value & 0xFFFFFFFF))
        return 4
    if form == TIMESTAMP and read_moment(text, size, &value):
        store64(out, <uint64_t>value)
        return 8
    if form == UUID and size == 36:
        if (
            text[8] != 45 or text[13] != 45 or text[18] != 45 or text[23] != 45
            or unhex(text, 8, out) < 0 or unhex(text + 9, 4, out + 4) < 0 or unhex(text + 14, 4, out + 6) < 0
            or unhex(text + 19, 4, out + 8) < 0 or unhex(text + 24, 12, out + 10) < 0
        ):
            return -1
        return 16
    return -1


cdef Py_ssize_t fixed_size(int form) noexcept:
    """Bytes of the binary form where any bytes of that size are valid and canonical; -1: others."""
    if form == INT4:
        return 4
    if form == INT8:
        return 8
    if form == INT2:
        return 2
    if form == UUID:
        return 16
    return -1
