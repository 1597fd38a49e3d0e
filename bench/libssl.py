"""libssl's own DANE, called without a connection: what our verdicts are measured against.

The calls are those that libssl makes itself at the end of a handshake: TLSA records are added to a
connection that is never made, and `X509_verify_cert` judges the chain under them. The chain is read
from DER each time, as it would come.
"""

import ctypes
import ctypes.util
from collections.abc import Sequence

from anchord.dane.tlsa import Tlsa

_VOID, _INT, _OCTETS = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "TLS_client_method": (_VOID, ()),
    "SSL_CTX_new": (_VOID, (_VOID,)),
    "SSL_CTX_dane_enable": (_INT, (_VOID,)),
    "SSL_new": (_VOID, (_VOID,)),
    "SSL_free": (None, (_VOID,)),
    "SSL_dane_enable": (_INT, (_VOID, _OCTETS)),
    "SSL_dane_tlsa_add": (
        _INT, (_VOID, ctypes.c_uint8, ctypes.c_uint8, ctypes.c_uint8, _OCTETS, ctypes.c_size_t),
    ),
    "SSL_dane_set_flags": (ctypes.c_ulong, (_VOID, ctypes.c_ulong)),
    "SSL_get0_dane": (_VOID, (_VOID,)),
    "SSL_get0_param": (_VOID, (_VOID,)),
    "SSL_CTX_get_cert_store": (_VOID, (_VOID,)),
    "d2i_X509": (_VOID, (_VOID, ctypes.POINTER(ctypes.c_void_p), ctypes.c_long)),
    "X509_free": (None, (_VOID,)),
    "OPENSSL_sk_new_null": (_VOID, ()),
    "OPENSSL_sk_push": (_INT, (_VOID, _VOID)),
    "OPENSSL_sk_free": (None, (_VOID,)),
    "X509_STORE_CTX_new": (_VOID, ()),
    "X509_STORE_CTX_free": (None, (_VOID,)),
    "X509_STORE_CTX_init": (_INT, (_VOID, _VOID, _VOID, _VOID)),
    "X509_STORE_CTX_set0_dane": (None, (_VOID, _VOID)),
    "X509_STORE_CTX_set_default": (_INT, (_VOID, _OCTETS)),
    "X509_STORE_CTX_get0_param": (_VOID, (_VOID,)),
    "X509_VERIFY_PARAM_set1": (_INT, (_VOID, _VOID)),
    "X509_STORE_CTX_get_error": (_INT, (_VOID,)),
    "X509_verify_cert": (_INT, (_VOID,)),
}  # fmt: skip


_NO_NAMES_FOR_USAGE_3 = 1
"""DANE_FLAG_NO_DANE_EE_NAMECHECKS (RFC 7671 section 5.1)."""


class LibSsl:
    """The library of this machine. Raises OSError where there is none."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("ssl")
        if name is None:
            raise OSError("there is no libssl")
        library = ctypes.CDLL(name)  # libcrypto comes with it
        for call, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, call)
            function.restype, function.argtypes = result, arguments
        self._library = library
        self._context = library.SSL_CTX_new(library.TLS_client_method())
        assert library.SSL_CTX_dane_enable(self._context) == 1

    def fits(self, chain: Sequence[bytes], records: Sequence[Tlsa], host: str) -> bool:
        """Whether a presented chain in DER fits the records, in libssl's opinion."""
        ssl = self._library
        connection = ssl.SSL_new(self._context)
        assert ssl.SSL_dane_enable(connection, host.encode()) == 1
        ssl.SSL_dane_set_flags(connection, _NO_NAMES_FOR_USAGE_3)
        for one in records:
            numbers = one.usage, one.selector, one.matching_type
            assert ssl.SSL_dane_tlsa_add(connection, *numbers, one.data, len(one.data)) == 1
        certificates = [self._read(der) for der in chain]
        stack = ssl.OPENSSL_sk_new_null()
        for certificate in certificates:
            ssl.OPENSSL_sk_push(stack, certificate)
        verdict = self._verdict(connection, certificates[0], stack)
        ssl.OPENSSL_sk_free(stack)
        for certificate in certificates:
            ssl.X509_free(certificate)
        ssl.SSL_free(connection)
        return verdict

    def _verdict(self, connection: int, leaf: int, stack: int) -> bool:
        """As libssl's `ssl_verify_cert_chain`."""
        ssl = self._library
        verifying = ssl.X509_STORE_CTX_new()
        store = ssl.SSL_CTX_get_cert_store(self._context)
        assert ssl.X509_STORE_CTX_init(verifying, store, leaf, stack) == 1
        ssl.X509_STORE_CTX_set0_dane(verifying, ssl.SSL_get0_dane(connection))
        assert ssl.X509_STORE_CTX_set_default(verifying, b"ssl_server") == 1
        parameters = ssl.X509_STORE_CTX_get0_param(verifying)
        assert ssl.X509_VERIFY_PARAM_set1(parameters, ssl.SSL_get0_param(connection)) == 1
        verdict = ssl.X509_verify_cert(verifying) == 1
        ssl.X509_STORE_CTX_free(verifying)
        return bool(verdict)

    def _read(self, der: bytes) -> int:
        octets = ctypes.c_char_p(der)
        place = ctypes.cast(octets, ctypes.c_void_p)
        certificate: int | None = self._library.d2i_X509(None, ctypes.byref(place), len(der))
        assert certificate is not None
        return certificate
