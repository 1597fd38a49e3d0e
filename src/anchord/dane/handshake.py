"""A TLS handshake that judges nobody: the chain is taken as it is presented, and judged later.

So weak peers are listened to as well: certificates with short keys, old digests and old versions of
TLS are the zone's and the reader's business. Anonymous key exchange is never offered, since there
is nobody to be judged then, and no session is resumed, since that would come without a chain.
"""

import re
import ssl
import sys
from enum import StrEnum

CIPHERS = "DEFAULT:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"
"""Every cipher suite with a certificate, and no lower bound for keys and digests."""

LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT: servers without RFC 5746. It has a name in `ssl` from 3.12 on."""


class Keys(StrEnum):
    """A server may have certificates of two kinds, and show the one that the client likes better.

    One kind alone can be asked for up to TLS 1.2 only, since it is the cipher suite that tells.
    """

    ANY = ""
    RSA = "rsa"
    ECDSA = "ecdsa"


def client_context(keys: Keys = Keys.ANY) -> ssl.SSLContext:
    """A context that accepts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= LEGACY_SERVER_CONNECT | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    if keys is Keys.ANY:
        context.set_ciphers(CIPHERS)
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"a{keys.upper()}:!eNULL:!PSK:!SRP:@SECLEVEL=0")
    return context


def presented_chain(tls: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    """The chain of a completed handshake, in DER, as the peer has sent it.

    To be called right after the handshake: after the end of TLS there is none.
    """
    if sys.version_info >= (3, 13):
        return tuple(tls.get_unverified_chain())
    import _ssl

    chain = tls._sslobj.get_unverified_chain() or ()  # type: ignore[union-attr]  # noqa: SLF001 - public from 3.13 on
    return tuple(certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain)


def in_words(error: ssl.SSLError) -> str:
    """Why a handshake has failed, for people."""
    words = re.sub(r"^\[SSL[^]]*\] | \(_ssl\.c:\d+\)$", "", str(error.args[-1])).lower()
    return _WORDS.get(words, f"the TLS handshake fails: {words}")


_CLEAR = "it does not speak TLS there"
_WORDS = {
    "wrong version number": _CLEAR,
    "http request": _CLEAR,
    "packet length too long": _CLEAR,
    "unsupported protocol": "it speaks no version of TLS that is known here",
    "excessive message size": "its chain is larger than any TLS client takes",
    "sslv3 alert handshake failure": "it refuses the TLS handshake, and does not say why",
    "tlsv1 unrecognized name": "it does not know the name that it is asked for",
}
