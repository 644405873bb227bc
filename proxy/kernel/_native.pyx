# cython: language_level=3, boundscheck=True, wraparound=False, cdivision=True
"""The compiled twin of `reference.py`, over OpenSSL's libcrypto. The header of the package says what both have to do.

Nothing here raises an error of its own for a value: whatever is not the common, well-formed case is left to the Python
reference, which answers it or names the fault. So a native function has two outcomes: the same bytes, or "not mine".

    ciphers.pxi    AES-256-GCM, AES-256-SIV and the order prefix
    forms.pxi      type codecs: canonical binary form <-> text
    cells.pxi      one value: sealed -> client's form, client's form -> sealed
    rows.pxi       runs of DataRows, rows of COPY
    rounds.pxi     a session's round, each way

Every offset and length from outside is checked before it is used. The GIL is kept: one thread serves all connections of
a process, and what keeps them from waiting for one another is that a run is no longer than a slice of what was read.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from proxy.errors import CannotOpen, Refused

ctypedef const uint8_t* Bytes

cdef extern from "openssl/crypto.h" nogil:
    void OPENSSL_cleanse(void* data, size_t size)
    void* OPENSSL_malloc(size_t size)
    void OPENSSL_clear_free(void* data, size_t size)
    void OPENSSL_free(void* data)
    int CRYPTO_memcmp(const void* a, const void* b, size_t size)

cdef extern from "pthread.h" nogil:
    int pthread_atfork(void (*prepare)() noexcept nogil, void (*parent)() noexcept nogil, void (*child)() noexcept nogil)

cdef extern from "openssl/rand.h" nogil:
    int RAND_bytes(unsigned char* data, int size)

cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_CIPHER_CTX:
        pass
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct ENGINE:
        pass
    const EVP_CIPHER* EVP_aes_256_ecb()
    EVP_CIPHER_CTX* EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX* ctx)
    int EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX* ctx, int padding)
    int EVP_EncryptInit_ex(EVP_CIPHER_CTX* ctx, const EVP_CIPHER* cipher, ENGINE* engine, Bytes key, Bytes iv)
    int EVP_EncryptUpdate(EVP_CIPHER_CTX* ctx, uint8_t* out, int* written, Bytes data, int size)

ctypedef void (*BlockFunction)(Bytes data, uint8_t* out, const void* key) noexcept nogil
ctypedef void (*StreamFunction)(Bytes data, uint8_t* out, size_t count, const void* key, Bytes counter) noexcept nogil

cdef extern from "openssl/modes.h" nogil:
    ctypedef struct GCM128_CONTEXT:
        pass
    GCM128_CONTEXT* CRYPTO_gcm128_new(void* key, BlockFunction block)
    void CRYPTO_gcm128_release(GCM128_CONTEXT* ctx)
    void CRYPTO_gcm128_setiv(GCM128_CONTEXT* ctx, Bytes iv, size_t size)
    int CRYPTO_gcm128_aad(GCM128_CONTEXT* ctx, Bytes data, size_t size)
    int CRYPTO_gcm128_encrypt_ctr32(GCM128_CONTEXT* ctx, Bytes data, uint8_t* out, size_t size, StreamFunction stream)
    int CRYPTO_gcm128_decrypt_ctr32(GCM128_CONTEXT* ctx, Bytes data, uint8_t* out, size_t size, StreamFunction stream)
    int CRYPTO_gcm128_finish(GCM128_CONTEXT* ctx, Bytes tag, size_t size)
    void CRYPTO_gcm128_tag(GCM128_CONTEXT* ctx, uint8_t* tag, size_t size)

cdef enum:
    HEADER_SIZE = 6
    NONCE_SIZE = 12
    TAG_SIZE = 16
    MAX_VALUE = 0x3FFFFFFF  # bytes, as PostgreSQL bounds a field: every size fits an int

NAME = "native"

cdef struct Buffer:
    uint8_t* data
    Py_ssize_t size
    Py_ssize_t room


cdef uint8_t* reserve(Buffer* buffer, Py_ssize_t more) except NULL:
    """Where `more` bytes may be written behind what the buffer holds; `size` is raised by the caller."""
    cdef Py_ssize_t room
    cdef uint8_t* larger
    if buffer.size + more > buffer.room:
        room = 2 * (buffer.size + more) + 256
        larger = <uint8_t*>OPENSSL_malloc(room)
        if larger == NULL:
            raise MemoryError
        if buffer.size:
            memcpy(larger, buffer.data, buffer.size)
        release(buffer)
        buffer.data = larger
        buffer.room = room
    return buffer.data + buffer.size


cdef int put(Buffer* buffer, Bytes data, Py_ssize_t size) except -1:
    memcpy(reserve(buffer, size), data, size)
    buffer.size += size
    return 0


cdef void release(Buffer* buffer) noexcept:
    """It has held plaintext: cleared before it is freed. `size` stays."""
    if buffer.data != NULL:
        OPENSSL_clear_free(buffer.data, buffer.room)
        buffer.data = NULL
        buffer.room = 0


cdef inline uint32_t load32(Bytes data) noexcept nogil:
    return (<uint32_t>data[0] << 24) | (<uint32_t>data[1] << 16) | (<uint32_t>data[2] << 8) | data[3]


cdef inline uint64_t load64(Bytes data) noexcept:
    return (<uint64_t>load32(data) << 32) | load32(data + 4)


cdef inline void store32(uint8_t* data, uint32_t value) noexcept nogil:
    data[0] = value >> 24
    data[1] = (value >> 16) & 0xFF
    data[2] = (value >> 8) & 0xFF
    data[3] = value & 0xFF


cdef inline void store64(uint8_t* data, uint64_t value) noexcept:
    store32(data, <uint32_t>(value >> 32))
    store32(data + 4, <uint32_t>(value & 0xFFFFFFFF))


include "ciphers.pxi"
include "forms.pxi"
include "cells.pxi"
include "rows.pxi"
include "rounds.pxi"
