"""URLs of upstreams, and what a table of the configuration adds to one (INTERFACE: `[[upstream]]`).

All schemes are read here, those too that nothing can speak yet; `build` says which those are.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from anchord.model import names
from anchord.model.errors import AnchordError

PORTS = {"tls": 853, "https": 443, "h3": 443, "quic": 853, "udp": 53, "tcp": 53}
"""The schemes with their ports (RFC 7858, RFC 8484, RFC 9114, RFC 9250, RFC 1035)."""

PLAINTEXT = frozenset({"udp", "tcp"})
"""The schemes that anybody on the way can read and change."""

WITH_PATH = frozenset({"https", "h3"})
DEFAULT_PATH = "/dns-query"
"""Where public servers have DNS over HTTPS, as the examples of RFC 8484 do."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One upstream: where it is, and how it proves who it is.

    `host` is a DNS name in lower case without the final dot, or an IP address; it is also what
    the server's certificate must be for. `path` is empty but for HTTP. `addresses` are IP
    addresses that spare the look-up of the name. `pins` are `sha256/BASE64` of the server's SPKI,
    `ca_file` is a PEM file in place of the platform's store. `chain_hashes` come with stamps:
    SHA-256 of the TBSCertificate of one of the chain's certificates, in hexadecimal.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    addresses: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    ca_file: str = ""
    chain_hashes: tuple[str, ...] = ()

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read along."""
        return self.scheme not in PLAINTEXT

    @property
    def host_is_address(self) -> bool:
        """Whether the host is an IP address."""
        return is_address(self.host)

    @property
    def authority(self) -> str:
        """Host and port as in a URL, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(
    url: str, *, addresses: Sequence[str] = (), pins: Sequence[str] = (), ca_file: str = ""
) -> Endpoint:
    """The endpoint of a URL and its table. Raises AnchordError, which names the URL."""
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise _wrong(url, "no scheme", "write tls:// before the host")
    if scheme == "sdns":
        raise _wrong(url, "sdns:// is not built yet", "write the stamp's address as a URL")
    if scheme not in PORTS:
        known = " ".join(f"{name}://" for name in PORTS)
        raise _wrong(url, f"{scheme}:// is no way to an upstream", f"use one of {known}")
    parts = _split(url)
    endpoint = Endpoint(
        scheme=scheme,
        host=_host(url, parts),
        port=_port(url, parts) or PORTS[scheme],
        path=_path(url, scheme, parts),
        addresses=tuple(_address(url, address) for address in addresses),
        pins=tuple(_pin(url, pin) for pin in pins),
        ca_file=ca_file,
    )
    if not endpoint.is_encrypted and (pins or ca_file):
        raise _wrong(url, f"pins and ca_file mean nothing to {scheme}://", "use tls://")
    return endpoint


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# ------------ The parts ------------


def _wrong(url: str, problem: str, remedy: str) -> AnchordError:
    return AnchordError(problem, where=url, remedy=remedy)


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url:
        raise _wrong(repr(url), "spaces or control characters in the URL", "remove them")
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or not parts.hostname:
        raise _wrong(url, "no host", "write it as in tls://dns.example or tls://[2001:db8::1]")
    if "@" in parts.netloc:
        raise _wrong(url, "a user name in the URL", "remove what stands before the @")
    if parts.query or parts.fragment:
        raise _wrong(url, "a ? or # in the URL", "remove it and what follows")
    return parts


_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def _host(url: str, parts: SplitResult) -> str:
    host = parts.hostname or ""
    if is_address(host):
        return host
    try:
        host = names.to_text(names.from_text(host).lower()).removesuffix(".")
    except ValueError as error:
        raise _wrong(url, f"{host} is no host name: {error}", "correct it") from error
    if not _HOST.fullmatch(host) or host.rpartition(".")[2].isdecimal():
        raise _wrong(url, f"{host} is neither a host name nor an IP address", "correct it")
    return host


def _port(url: str, parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _wrong(url, "a port is a number from 1 to 65535", "correct or omit it")
    return port


def _path(url: str, scheme: str, parts: SplitResult) -> str:
    if scheme in WITH_PATH:
        return parts.path or DEFAULT_PATH
    if parts.path not in {"", "/"}:
        raise _wrong(url, f"{scheme}:// takes no path", f"remove {parts.path}")
    return ""


def _address(url: str, address: str) -> str:
    if not is_address(address):
        raise _wrong(
            url, f"{address} in addresses is no IP address", "give it without port and brackets"
        )
    return address


def _pin(url: str, pin: str) -> str:
    algorithm, _, digest = pin.partition("/")
    try:
        length = len(base64.b64decode(digest, validate=True))
    except binascii.Error:
        length = 0
    if algorithm != "sha256" or length != 32:
        raise _wrong(
            url,
            f"{pin} is no pin",
            "write sha256/ and the digest of the SPKI in base64, 44 letters",
        )
    return pin
