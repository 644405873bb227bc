# One value. A cell does what its Python reference does, and asks it for all that is not the common case.


cdef struct Nonces:
    uint8_t data[3072]
    int left
    int runs  # calls under way that seal many values

cdef Nonces nonces
nonces.left = nonces.runs = 0


cdef void forget_nonces() noexcept nogil:
    nonces.left = 0


if pthread_atfork(NULL, NULL, forget_nonces):  # or else parent and child would use the same ones
    raise MemoryError


cdef Bytes next_nonce() except NULL:
    """Twelve random bytes, good until the next call. They are fetched 256 at a time, which takes as long as one."""
    if nonces.left < NONCE_SIZE:
        if RAND_bytes(nonces.data, sizeof(nonces.data)) != 1:
            raise RuntimeError("libcrypto has no random bytes")
        nonces.left = sizeof(nonces.data)
    nonces.left -= NONCE_SIZE
    return nonces.data + nonces.left


cdef void begin_run() noexcept:
    nonces.runs += 1


cdef int end_run(list cells) except -1:
    """The random keys are told what was sealed under them."""
    nonces.runs -= 1
    for cell in cells:
        if isinstance(cell, Sealing):
            (<Sealing>cell).tell()
    return 0


cdef class Opener:
    """A sealed value from the server -> the client's form.

    `keys`: header -> Key, which the column's sealer adds to as it meets keys. `is_hex`: the value comes as bytea's hex
    text. `form`: what the client gets, a name in FORMS. `reference`: the same in Python, for everything else.
    """

    cdef dict keys
    cdef bint is_hex
    cdef int form
    cdef readonly object reference
    cdef Key last

    def __init__(self, dict keys not None, bint is_hex, str form not None, reference):
        self.keys = keys
        self.is_hex = is_hex
        self.form = FORMS[form]
        self.reference = reference
        self.last = None

    def __call__(self, bytes data not None):
        cdef Buffer out = Buffer(NULL, 0, 0)
        try:
            if self.open(<Bytes>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &out):
                return PyBytes_FromStringAndSize(<char*>out.data, out.size)
        finally:
            release(&out)
        return self.reference(data)

    cdef int open(self, Bytes data, Py_ssize_t size, Buffer* out) except -1:
        """Appends to `out`; 0: not mine, nothing is appended."""
        cdef uint8_t small[512]
        cdef Buffer large = Buffer(NULL, 0, 0)
        cdef uint8_t* sealed
        if not self.is_hex:
            return self.open_sealed(data, size, out)
        if size < 2 or data[0] != 92 or data[1] != 120 or size > MAX_VALUE:
            return 0
        sealed = small
        try:
            if size > 1024:
                sealed = reserve(&large, size // 2)
            size = unhex(data + 2, size - 2, sealed)
            return 0 if size < 0 else self.open_sealed(sealed, size, out)
        finally:
            release(&large)

    cdef int open_sealed(self, Bytes sealed, Py_ssize_t size, Buffer* out) except -1:
        cdef uint8_t small[512]
        cdef Buffer large = Buffer(NULL, 0, 0)
        cdef Key key = self.last
        cdef uint8_t* plain
        cdef Py_ssize_t plain_size
        if size < HEADER_SIZE or size > MAX_VALUE:
            return 0
        if key is None or memcmp(sealed, PyBytes_AS_STRING(key.header), HEADER_SIZE):
            key = self.keys.get(PyBytes_FromStringAndSize(<const char*>sealed, HEADER_SIZE))
            if key is None:
                return 0
            self.last = key
        plain_size = size - key.overhead
        if plain_size < 0:
            return 0
        if self.form == SAME or self.form == TEXT:
            plain = reserve(out, plain_size + 1)
            if not key.decrypt(sealed, size, plain):
                return 0
            out.size += plain_size
            return 1
        plain = small
        try:
            if plain_size > 512:
                plain = reserve(&large, plain_size)
            return key.decrypt(sealed, size, plain) and write_form(self.form, plain, plain_size, out)
        finally:
            OPENSSL_cleanse(small, 512)
            release(&large)


cdef class Sealing:
    """A value from the client -> sealed, as binary bytea.

    `form`: the type, a name in FORMS; `is_text`: in which of its two forms it comes; `limit`: bytes that certainly fit
    the column, -1: any. `prefix`: the order column's, else None. `count`: told how many messages a random key has
    sealed. `reference`: the same in Python, for everything else.
    """

    cdef Key key
    cdef OrderPrefix prefix
    cdef int form
    cdef bint is_text
    cdef Py_ssize_t limit
    cdef object count
    cdef Py_ssize_t sealed
    cdef readonly object reference

    def __init__(
        self, Key key not None, OrderPrefix prefix, str form not None, bint is_text, Py_ssize_t limit, count, reference
    ):
        if prefix is not None and (<SearchKey?>key).prefix_size != 2 * prefix.bits:
            raise ValueError("the prefix is not the key's")
        self.key = key
        self.prefix = prefix
        self.form = FORMS[form]
        self.is_text = is_text
        self.limit = limit
        self.count = count
        self.sealed = 0
        self.reference = reference

    def __call__(self, bytes data not None):
        cdef Buffer out = Buffer(NULL, 0, 0)
        try:
            if self.seal(<Bytes>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &out):
                return PyBytes_FromStringAndSize(<char*>out.data, out.size)
        finally:
            release(&out)
        return self.reference(data)

    cdef int seal(self, Bytes data, Py_ssize_t size, Buffer* out) except -1:
        """Appends to `out`; 0: not mine, nothing is appended."""
        cdef uint8_t plain[16]
        if self.form == TEXT:
            if size > MAX_VALUE // 2 or (self.limit >= 0 and size > self.limit) or not is_utf8(data, size):
                return 0
        elif self.is_text:
            size = read_text_form(self.form, data, size, plain)
            if size < 0:
                return 0
            data = plain
        elif size != fixed_size(self.form):
            return 0
        return self.seal_plain(data, size, out)

    cdef int seal_plain(self, Bytes plain, Py_ssize_t size, Buffer* out) except -1:
        cdef uint8_t digits[2048]
        cdef uint8_t* to = reserve(out, size + self.key.overhead)
        cdef Bytes prefix = NULL
        if isinstance(self.key, RandomKey):
            (<RandomKey>self.key).encrypt(plain, size, next_nonce(), to)
            self.sealed += 1
            if not nonces.runs:
                self.tell()
        else:
            if self.prefix is not None:
                if not self.write_prefix(plain, size, digits):
                    return 0
                prefix = digits
            (<SearchKey>self.key).encrypt(plain, size, prefix, to)
        out.size += size + self.key.overhead
        return 1

    cdef int tell(self) except -1:
        if self.sealed:
            sealed, self.sealed = self.sealed, 0
            self.count(sealed)
        return 0

    cdef int write_prefix(self, Bytes plain, Py_ssize_t size, uint8_t* digits) except -1:
        """Number and prefix of a canonical value; 0: not mine."""
        cdef uint8_t number[128]
        cdef Py_ssize_t room = self.prefix.size
        if room > 128 or size > room or 8 * room != self.prefix.bits:
            return 0
        if self.form != TEXT and size != room:
            return 0
        memset(number, 0, room)
        memcpy(number, plain, size)
        if self.form != TEXT and self.form != UUID:
            number[0] ^= 0x80  # two's complement in order
        return self.prefix.write(number, digits) == 0


def opener(keys, *, is_hex, form, reference):
    """See Opener."""
    return Opener(keys, is_hex, form, reference)


def sealing(key, prefix, *, form, is_text, limit, count, reference):
    """See Sealing."""
    return Sealing(key, prefix, form, is_text, limit, count, reference)
