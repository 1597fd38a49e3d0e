"""The RDATA of SVCB records as far as they designate a resolver (RFC 9460, RFC 9461)."""

from ipaddress import ip_address

import msgspec

from anchord.model.names import Name

from .errors import FormError
from .name import read_name

MANDATORY, ALPN, NO_DEFAULT_ALPN, PORT, IPV4_HINT, _, IPV6_HINT, DOH_PATH = range(8)
"""Keys of parameters (RFC 9460 section 14.3.2, RFC 9461 section 8)."""

_KNOWN = frozenset({MANDATORY, ALPN, NO_DEFAULT_ALPN, PORT, IPV4_HINT, IPV6_HINT, DOH_PATH})


class Svcb(msgspec.Struct, frozen=True):
    """An SVCB record. `priority` is 0 for an alias; `port` and `path` are empty where not given.

    `is_understood` is false where it demands a parameter that is not known here.
    """

    priority: int
    target: Name
    alpn: tuple[str, ...] = ()
    port: int = 0
    addresses: tuple[str, ...] = ()
    path: str = ""
    is_understood: bool = True


def read_svcb(rdata: bytes) -> Svcb:
    """The record of these RDATA. Raises FormError."""
    if len(rdata) < 3:
        raise FormError("an SVCB record ends too early")
    target, position = read_name(rdata, 2, len(rdata))
    parameters: dict[int, bytes] = {}
    while position < len(rdata):
        start = position + 4
        key = int.from_bytes(rdata[position : position + 2])
        end = start + int.from_bytes(rdata[position + 2 : start])
        if start > len(rdata) or end > len(rdata) or key <= max(parameters, default=-1):
            raise FormError("the parameters of an SVCB record are malformed")
        parameters[key] = rdata[start:end]
        position = end
    port = parameters.get(PORT, b"\0\0")
    if len(port) != 2:
        raise FormError("the port of an SVCB record is none")
    mandatory = parameters.get(MANDATORY, b"")
    demanded = {int.from_bytes(mandatory[i : i + 2]) for i in range(0, len(mandatory), 2)}
    return Svcb(
        priority=int.from_bytes(rdata[:2]),
        target=target,
        alpn=tuple(_strings(parameters.get(ALPN, b""))),
        port=int.from_bytes(port),
        addresses=(
            *_addresses(parameters.get(IPV6_HINT, b""), 16),
            *_addresses(parameters.get(IPV4_HINT, b""), 4),
        ),
        path=parameters.get(DOH_PATH, b"").decode("ascii", errors="replace"),
        is_understood=demanded <= _KNOWN,
    )


def _strings(value: bytes) -> list[str]:
    """Protocols, each behind its length."""
    found = []
    position = 0
    while position < len(value):
        end = position + 1 + value[position]
        if end > len(value):
            raise FormError("the protocols of an SVCB record are malformed")
        found.append(value[position + 1 : end].decode("ascii", errors="replace"))
        position = end
    return found


def _addresses(value: bytes, length: int) -> list[str]:
    if len(value) % length:
        raise FormError("the addresses of an SVCB record are malformed")
    return [
        str(ip_address(value[position : position + length]))
        for position in range(0, len(value), length)
    ]
