"""The roots for PKIX: the configured file, `$SSL_CERT_FILE`, or what the platform has.

A certificate in a store that cannot be read is passed over, as TLS libraries do; a file that was
asked for by name must be there and hold at least one.
"""

import base64
import binascii
import contextlib
import os
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from anchord.model.errors import AnchordError

from .certificate import ODD, parse
from .pkix import Trust


def load_roots(ca_file: str = "") -> Trust:
    """The roots of `ca_file` if one is named. Raises AnchordError where it cannot be used."""
    named = ca_file or os.environ.get("SSL_CERT_FILE", "")
    if not named:
        return _of_platform()
    try:
        roots = list(_in_pem(Path(named).read_bytes()))
    except OSError as error:
        raise _unusable(named, f"cannot be read: {error.strerror}") from error
    if not roots:
        raise _unusable(named, "holds no certificate in PEM")
    return Trust(roots, f"the roots in {named}")


def _unusable(file: str, problem: str) -> AnchordError:
    return AnchordError(
        f"the file of CA certificates {problem}",
        where=file,
        remedy="correct dane.ca_file, or SSL_CERT_FILE where that is empty",
    )


def _of_platform() -> Trust:
    found = list(_platform_roots())
    return Trust(dict.fromkeys(found), "the roots of this machine")


def _platform_roots() -> Iterator[x509.Certificate]:
    if sys.platform == "win32":
        for store in ("ROOT", "CA"):
            for der, _, _ in ssl.enum_certificates(store):
                yield from _in_der(der)
        return
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        yield from _in_pem(Path(paths.cafile).read_bytes())
    elif paths.capath and (hashed := sorted(Path(paths.capath).glob("*.[0-9]"))):
        for file in hashed:
            yield from _in_pem(file.read_bytes())
    else:
        import certifi

        yield from _in_pem(Path(certifi.where()).read_bytes())


_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def _in_pem(text: bytes) -> Iterator[x509.Certificate]:
    for block in _BLOCK.findall(text):
        with contextlib.suppress(binascii.Error):
            yield from _in_der(base64.b64decode(block))


def _in_der(der: bytes) -> Iterator[x509.Certificate]:
    with contextlib.suppress(*ODD):
        yield parse(der)
