# The ciphers, composed of AES-256 blocks by EVP: AES-256-GCM by libcrypto's gcm128, AES-256-SIV (RFC 5297) and the order
# prefix by hand. What OpenSSL offers for whole ciphers costs more than the ciphers on values as short as a column's: its
# GCM passes nonce and tag as named parameters, which takes longer than encrypting; its SIV sets its keys up anew for
# every value, and takes the associated data, which never changes, through CMAC each time. Here what belongs to a key is
# done once per key.


cdef EVP_CIPHER_CTX* aes256(bytes key) except NULL:
    """AES-256 on single blocks. EVP clears the key when the context is freed."""
    cdef EVP_CIPHER_CTX* ctx
    if PyBytes_GET_SIZE(key) != 32:
        raise ValueError("AES-256 takes 32 bytes")
    ctx = EVP_CIPHER_CTX_new()
    if ctx == NULL:
        raise MemoryError
    if (
        EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, <Bytes>PyBytes_AS_STRING(key), NULL) != 1
        or EVP_CIPHER_CTX_set_padding(ctx, 0) != 1
    ):
        EVP_CIPHER_CTX_free(ctx)
        raise RuntimeError("libcrypto cannot set up AES-256")
    return ctx


cdef class Block:
    """AES-256 on single blocks."""

    cdef EVP_CIPHER_CTX* ctx

    def __cinit__(self, bytes key not None):
        self.ctx = NULL
        self.ctx = aes256(key)

    def __dealloc__(self):
        EVP_CIPHER_CTX_free(self.ctx)

    cdef int encrypt(self, uint8_t* out, Bytes data, int size) except -1:
        cdef int written = 0
        if EVP_EncryptUpdate(self.ctx, out, &written, data, size) != 1 or written != size:
            raise RuntimeError("libcrypto cannot encrypt a block")
        return 0


cdef struct Blocks:
    EVP_CIPHER_CTX* ctx
    bint failed  # a callback cannot raise: who called looks here before the result is used


cdef void one_block(Bytes data, uint8_t* out, const void* key) noexcept nogil:
    """The block function of gcm128; `key` is a Blocks."""
    cdef Blocks* blocks = <Blocks*>key
    cdef int written = 0
    if EVP_EncryptUpdate(blocks.ctx, out, &written, data, 16) != 1 or written != 16:
        blocks.failed = True


cdef void many_blocks(Bytes data, uint8_t* out, size_t count, const void* key, Bytes counter) noexcept nogil:
    """The stream function of gcm128: CTR whose last 32 bits count, big-endian."""
    cdef Blocks* blocks = <Blocks*>key
    cdef uint8_t counters[512]
    cdef uint8_t stream[512]
    cdef uint32_t number = load32(counter + 12)
    cdef size_t taken, i
    cdef int written
    while count:
        taken = count if count < 32 else 32
        for i in range(taken):
            memcpy(counters + 16 * i, counter, 12)
            store32(counters + 16 * i + 12, number)
            number += 1
        written = 0
        if EVP_EncryptUpdate(blocks.ctx, stream, &written, counters, <int>(16 * taken)) != 1 or written != <int>(16 * taken):
            blocks.failed = True
            break
        for i in range(16 * taken):
            out[i] = data[i] ^ stream[i]
        data += 16 * taken
        out += 16 * taken
        count -= taken
    OPENSSL_cleanse(stream, 512)


cdef class Gcm:
    """AES-256-GCM (SP 800-38D) under one key of 32 bytes."""

    cdef Blocks blocks
    cdef GCM128_CONTEXT* ctx

    def __cinit__(self, bytes key not None):
        self.blocks.ctx = NULL
        self.ctx = NULL
        self.blocks.ctx = aes256(key)
        self.blocks.failed = False
        self.ctx = CRYPTO_gcm128_new(&self.blocks, one_block)
        if self.ctx == NULL:
            raise MemoryError

    def __dealloc__(self):
        CRYPTO_gcm128_release(self.ctx)
        EVP_CIPHER_CTX_free(self.blocks.ctx)

    cdef bint begin(self, Bytes nonce, bytes associated) noexcept:
        """Nonce of 12 bytes and associated data of one message."""
        self.blocks.failed = False
        CRYPTO_gcm128_setiv(self.ctx, nonce, NONCE_SIZE)
        return CRYPTO_gcm128_aad(self.ctx, <Bytes>PyBytes_AS_STRING(associated), PyBytes_GET_SIZE(associated)) == 0


cdef class Key:
    """What opens and seals under one header. `overhead`: bytes that a sealed value has more than its plain one."""

    cdef bytes header
    cdef bytes associated
    cdef readonly Py_ssize_t overhead

    cdef int decrypt(self, Bytes sealed, Py_ssize_t size, uint8_t* plain) except -1:
        """`size` - `overhead` bytes to `plain`; 0: it does not open, and nothing is left there. The header has been
        compared and the size is at least `overhead`."""
        raise NotImplementedError

    def open(self, bytes sealed not None):
        """Plain value. Raises CannotOpen. The caller has found this key by the header."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(sealed)
        if size < self.overhead or size > MAX_VALUE:
            raise CannotOpen("not a sealed value")
        plain = PyBytes_FromStringAndSize(NULL, size - self.overhead)
        if not self.decrypt(<Bytes>PyBytes_AS_STRING(sealed), size, <uint8_t*>PyBytes_AS_STRING(plain)):
            raise CannotOpen("does not open: altered, or moved from another column")
        return plain


cdef class RandomKey(Key):
    """header, nonce 12, ciphertext, tag 16."""

    cdef Gcm gcm

    def __cinit__(self, Gcm gcm not None, bytes header not None, bytes associated not None):
        if PyBytes_GET_SIZE(header) != HEADER_SIZE:
            raise ValueError("a header has 6 bytes")
        self.gcm = gcm
        self.header = header
        self.associated = associated
        self.overhead = HEADER_SIZE + NONCE_SIZE + TAG_SIZE

    cdef int decrypt(self, Bytes sealed, Py_ssize_t size, uint8_t* plain) except -1:
        cdef Gcm gcm = self.gcm
        cdef Py_ssize_t body = size - self.overhead
        if not (
            gcm.begin(sealed + HEADER_SIZE, self.associated)
            and CRYPTO_gcm128_decrypt_ctr32(gcm.ctx, sealed + HEADER_SIZE + NONCE_SIZE, plain, body, many_blocks) == 0
            and CRYPTO_gcm128_finish(gcm.ctx, sealed + size - TAG_SIZE, TAG_SIZE) == 0
            and not gcm.blocks.failed
        ):
            OPENSSL_cleanse(plain, body)
            return 0
        return 1

    cdef int encrypt(self, Bytes plain, Py_ssize_t size, Bytes nonce, uint8_t* sealed) except -1:
        """`size` + `overhead` bytes to `sealed`."""
        cdef Gcm gcm = self.gcm
        cdef uint8_t* body = sealed + HEADER_SIZE + NONCE_SIZE
        memcpy(sealed, PyBytes_AS_STRING(self.header), HEADER_SIZE)
        memcpy(sealed + HEADER_SIZE, nonce, NONCE_SIZE)
        if not (
            gcm.begin(nonce, self.associated)
            and CRYPTO_gcm128_encrypt_ctr32(gcm.ctx, plain, body, size, many_blocks) == 0
        ):
            raise RuntimeError("libcrypto cannot encrypt")
        CRYPTO_gcm128_tag(gcm.ctx, body + size, TAG_SIZE)
        if gcm.blocks.failed:
            OPENSSL_cleanse(body, size + TAG_SIZE)
            raise RuntimeError("libcrypto cannot encrypt")
        return 0

    def seal(self, bytes plain not None, bytes nonce not None):
        """Sealed value; `nonce` is 12 bytes, never used twice."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(plain)
        if PyBytes_GET_SIZE(nonce) != NONCE_SIZE or size > MAX_VALUE:
            raise ValueError("wrong size")
        sealed = PyBytes_FromStringAndSize(NULL, size + self.overhead)
        self.encrypt(
            <Bytes>PyBytes_AS_STRING(plain), size, <Bytes>PyBytes_AS_STRING(nonce), <uint8_t*>PyBytes_AS_STRING(sealed)
        )
        return sealed


cdef inline void double_block(uint8_t* block) noexcept:
    """Multiplication by x in GF(2^128): dbl() of RFC 5297 section 2.3."""
    cdef uint64_t high = load64(block), low = load64(block + 8)
    cdef uint64_t carry = high >> 63
    store64(block, (high << 1) | (low >> 63))
    store64(block + 8, (low << 1) ^ (carry * 0x87))


cdef inline void xor_block(uint8_t* block, Bytes other, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        block[i] ^= other[i]


cdef class SearchKey(Key):
    """header, order prefix of `prefix_size` bytes (0: equality), SIV 16, ciphertext. The prefix is associated data."""

    cdef Block mac
    cdef Block stream
    cdef uint8_t whole[16]
    cdef uint8_t partial[16]
    cdef uint8_t start[16]
    cdef Py_ssize_t prefix_size

    def __cinit__(self, bytes key not None, bytes header not None, bytes associated not None, Py_ssize_t prefix_size):
        cdef uint8_t zero[16]
        cdef uint8_t tag[16]
        if PyBytes_GET_SIZE(key) != 64 or PyBytes_GET_SIZE(header) != HEADER_SIZE or prefix_size < 0:
            raise ValueError("wrong size")
        self.mac = Block(key[:32])
        self.stream = Block(key[32:])
        self.header = header
        self.associated = associated
        self.prefix_size = prefix_size
        self.overhead = HEADER_SIZE + prefix_size + TAG_SIZE
        memset(zero, 0, 16)
        self.mac.encrypt(self.whole, zero, 16)
        double_block(self.whole)
        memcpy(self.partial, self.whole, 16)
        double_block(self.partial)
        self.cmac(zero, 16, NULL, self.start)
        double_block(self.start)
        self.cmac(<Bytes>PyBytes_AS_STRING(associated), PyBytes_GET_SIZE(associated), NULL, tag)
        xor_block(self.start, tag, 16)

    def __dealloc__(self):
        OPENSSL_cleanse(self.whole, 16)
        OPENSSL_cleanse(self.partial, 16)
        OPENSSL_cleanse(self.start, 16)

    cdef int cmac(self, Bytes data, Py_ssize_t size, Bytes ending, uint8_t* tag) except -1:
        """CMAC (SP 800-38B). `ending`: 16 bytes that the last 16 of at least 16 are first combined with, xorend()."""
        cdef Py_ssize_t at = 0, taken, from_, i
        cdef uint8_t state[16]
        memset(state, 0, 16)
        while True:
            taken = size - at if size - at < 16 else 16
            xor_block(state, data + at, taken)
            if ending != NULL and at + 16 > size - 16:
                from_ = size - 16 - at  # where in this block the ending begins; negative: it began in the last one
                for i in range(from_ if from_ > 0 else 0, taken):
                    state[i] ^= ending[i - from_]
            if at + 16 >= size:
                break
            self.mac.encrypt(state, state, 16)
            at += 16
        if taken == 16:
            xor_block(state, self.whole, 16)
        else:
            state[taken] ^= 0x80
            xor_block(state, self.partial, 16)
        return self.mac.encrypt(tag, state, 16)

    cdef int siv(self, Bytes prefix, Bytes plain, Py_ssize_t size, uint8_t* tag) except -1:
        """S2V (RFC 5297 section 2.4) of associated data, prefix and plain value."""
        cdef uint8_t state[16]
        cdef uint8_t padded[16]
        memcpy(state, self.start, 16)
        if self.prefix_size:
            self.cmac(prefix, self.prefix_size, NULL, padded)
            double_block(state)
            xor_block(state, padded, 16)
        if size >= 16:
            return self.cmac(plain, size, state, tag)
        double_block(state)
        memset(padded, 0, 16)
        memcpy(padded, plain, size)
        padded[size] = 0x80
        xor_block(state, padded, 16)
        OPENSSL_cleanse(padded, 16)
        return self.cmac(state, 16, NULL, tag)

    cdef int crypt(self, Bytes tag, Bytes data, Py_ssize_t size, uint8_t* out) except -1:
        """CTR, its own inverse: `size` bytes from `data` to `out`."""
        cdef uint8_t counters[1024]
        cdef uint8_t stream[1024]
        cdef uint64_t high, low
        cdef Py_ssize_t at = 0, taken, blocks, i
        high, low = load64(tag), load64(tag + 8) & <uint64_t>0x7FFFFFFF7FFFFFFF
        while at < size:
            taken = size - at if size - at < 1024 else 1024
            blocks = (taken + 15) // 16
            for i in range(blocks):
                store64(counters + 16 * i, high)
                store64(counters + 16 * i + 8, low)
                low += 1
                if low == 0:
                    high += 1
            self.stream.encrypt(stream, counters, <int>(16 * blocks))
            for i in range(taken):
                out[at + i] = data[at + i] ^ stream[i]
            at += taken
        return 0

    cdef int decrypt(self, Bytes sealed, Py_ssize_t size, uint8_t* plain) except -1:
        cdef Bytes prefix = sealed + HEADER_SIZE
        cdef Bytes tag = prefix + self.prefix_size
        cdef uint8_t expected[16]
        size -= self.overhead
        self.crypt(tag, tag + TAG_SIZE, size, plain)
        self.siv(prefix, plain, size, expected)
        if CRYPTO_memcmp(expected, tag, TAG_SIZE):
            OPENSSL_cleanse(plain, size)
            return 0
        return 1

    cdef int encrypt(self, Bytes plain, Py_ssize_t size, Bytes prefix, uint8_t* sealed) except -1:
        """`size` + `overhead` bytes to `sealed`."""
        cdef uint8_t* tag = sealed + HEADER_SIZE + self.prefix_size
        memcpy(sealed, PyBytes_AS_STRING(self.header), HEADER_SIZE)
        if self.prefix_size:
            memcpy(sealed + HEADER_SIZE, prefix, self.prefix_size)
        self.siv(sealed + HEADER_SIZE, plain, size, tag)
        return self.crypt(tag, plain, size, tag + TAG_SIZE)

    def seal(self, bytes plain not None, bytes prefix not None):
        """Sealed value; `prefix` has `prefix_size` bytes."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(plain)
        if PyBytes_GET_SIZE(prefix) != self.prefix_size or size > MAX_VALUE:
            raise ValueError("wrong size")
        sealed = PyBytes_FromStringAndSize(NULL, size + self.overhead)
        self.encrypt(
            <Bytes>PyBytes_AS_STRING(plain), size, <Bytes>PyBytes_AS_STRING(prefix), <uint8_t*>PyBytes_AS_STRING(sealed)
        )
        return sealed


cdef class OrderPrefix:
    """The order prefix of numbers of `bits` bits under one key of 32 bytes: see the reference, which explains it."""

    cdef Block block
    cdef readonly Py_ssize_t bits
    cdef Py_ssize_t size

    def __cinit__(self, bytes key not None, Py_ssize_t bits):
        if bits < 1:
            raise ValueError("at least one bit")
        self.block = Block(key)
        self.bits = bits
        self.size = (bits + 7) // 8

    cdef int write(self, Bytes number, uint8_t* digits) except -1:
        """2 * `bits` bytes to `digits`; `number` is `size` bytes, its highest bit first and zero bits behind."""
        cdef uint8_t blocks[1024]
        cdef uint8_t masks[1024]
        cdef uint8_t state[16]
        cdef uint64_t segment
        cdef Py_ssize_t at = 0, count, i, byte
        cdef uint32_t digit
        memset(state, 0, 16)
        while at < self.bits:
            count = self.bits - at if self.bits - at < 64 else 64
            segment = 0
            for i in range(8):
                byte = at // 8 + i
                segment = (segment << 8) | (number[byte] if byte < self.size else 0)
            for i in range(count):
                memcpy(blocks + 16 * i, state, 16)
                # the i bits of the segment before this one, behind a marking 1
                store64(
                    blocks + 16 * i + 8,
                    load64(state + 8) ^ ((<uint64_t>1 << i) | (segment >> (64 - i) if i else 0)),
                )
            self.block.encrypt(masks, blocks, <int>(16 * count))
            for i in range(count):
                digit = <uint32_t>(load64(masks + 16 * i) % 0xFFFF + ((segment >> (63 - i)) & 1))
                digits[2 * (at + i)] = <uint8_t>(digit >> 8)
                digits[2 * (at + i) + 1] = <uint8_t>(digit & 0xFF)
            store64(state, load64(state) ^ 1)
            store64(state + 8, load64(state + 8) ^ segment)
            at += 64
            if at < self.bits:
                self.block.encrypt(state, state, 16)
        OPENSSL_cleanse(blocks, 1024)
        return 0

    def of(self, number):
        """The prefix of `number`, 0 <= number < 2**bits; OverflowError otherwise."""
        aligned = (number << (8 * self.size - self.bits)).to_bytes(self.size, "big")
        digits = PyBytes_FromStringAndSize(NULL, 2 * self.bits)
        self.write(<Bytes>PyBytes_AS_STRING(aligned), <uint8_t*>PyBytes_AS_STRING(digits))
        return digits
