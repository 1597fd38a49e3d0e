"""URLs of upstreams, and what a table of the configuration adds to one (INTERFACE: `[[upstream]]`).

A stamp is as good as a URL; `as_stamp` leads the other way.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec.structs import replace

from anchord.model import names
from anchord.model.errors import AnchordError

from . import stamp

PORTS = {"tls": 853, "https": 443, "h3": 443, "quic": 853, "udp": 53, "tcp": 53}
"""The schemes with their ports (RFC 7858, RFC 8484, RFC 9114, RFC 9250, RFC 1035)."""

PLAINTEXT = frozenset({"udp", "tcp"})
"""The schemes that anybody on the way can read and change."""

WITH_PATH = frozenset({"https", "h3"})
DEFAULT_PATH = "/dns-query"
"""Where public servers have DNS over HTTPS, as the examples of RFC 8484 do."""


class Endpoint(msgspec.Struct, frozen=True):
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
    def plain_address(self) -> str:
        """The first address of a plaintext upstream, where one is known; else empty."""
        known = self.addresses or ((self.host,) if self.host_is_address else ())
        return known[0] if known and not self.is_encrypted else ""

    @property
    def is_far_away(self) -> bool:
        """Whether it is known to be in the Internet, neither on this machine nor beside it."""
        known = self.addresses or ((self.host,) if self.host_is_address else ())
        return bool(known) and all(map(_is_public, known))

    @property
    def authority(self) -> str:
        """Host and port as in a URL, the port only where it is not the scheme's own."""
        host = _bracketed(self.host)
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(
    url: str, *, addresses: Sequence[str] = (), pins: Sequence[str] = (), ca_file: str = ""
) -> Endpoint:
    """The endpoint of a URL or stamp and its table. Raises AnchordError, which names the URL."""
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise _wrong(url, "no scheme", "write tls:// before the host")
    if scheme == "sdns":
        return _of_stamp(url, addresses, pins, ca_file)
    if scheme not in PORTS:
        known = " ".join(f"{name}://" for name in [*PORTS, "sdns"])
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


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address).is_global


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# ------------ Stamps ------------


def as_stamp(endpoint: Endpoint, properties: int = 0) -> str:
    """The stamp of an endpoint; `properties` are bits of `stamp`.

    Raises AnchordError where a stamp cannot say all that the endpoint does.
    """
    if (
        endpoint.scheme not in {"udp", "tls", "https", "quic"}
        or endpoint.pins
        or endpoint.ca_file
        or len(endpoint.addresses) > 1
    ):
        raise _wrong(
            str(endpoint),
            "a stamp cannot say all of this",
            "a stamp has one address, no pins and no CA file, and is for udp, tls, https or quic",
        )
    if endpoint.scheme == "udp":
        made = stamp.Stamp("udp", endpoint.authority, properties=properties)
    else:
        made = stamp.Stamp(
            endpoint.scheme,
            _bracketed(endpoint.addresses[0]) if endpoint.addresses else "",
            endpoint.authority,
            endpoint.path,
            endpoint.chain_hashes,
            properties,
        )
    return str(made)


def _of_stamp(text: str, addresses: Sequence[str], pins: Sequence[str], ca_file: str) -> Endpoint:
    """The endpoint of a stamp. A table's addresses replace the stamp's own."""
    read = stamp.read(text)
    if not (read.host or (read.scheme == "udp" and read.address)):
        raise _wrong(text, "the stamp names no server", "copy it again, or write the URL")
    there = _split_address(text, read.address)
    host, port = _split_address(text, read.host) if read.host else there
    if port and there[1] and port != there[1]:
        raise _wrong(text, f"the stamp names two ports, {port} and {there[1]}", "write the URL")
    port = port or there[1] or PORTS[read.scheme]
    own = [there[0]] if there[0] and read.host else []
    try:
        endpoint = parse(
            f"{read.scheme}://{_bracketed(host)}:{port}{read.path}",
            addresses=addresses or own,
            pins=pins,
            ca_file=ca_file,
        )
    except AnchordError as error:
        raise _wrong(text, f"the stamp is no good: {error.problem}", "write the URL") from error
    return replace(endpoint, chain_hashes=read.chain_hashes)


def _split_address(text: str, written: str) -> tuple[str, int]:
    """Host and port of `192.0.2.1:53`, `[2001:db8::1]`, `:53` and the like; 0 for no port."""
    found = _AUTHORITY.fullmatch(written)
    if found is None:
        raise _wrong(text, f"the stamp's address {written} is none", "write the URL")
    return found[1] or found[2] or "", int(found[3] or 0)


_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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
