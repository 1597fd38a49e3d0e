"""The names that DANE turns on: owners of TLSA records, and names that certificates must have.

Names of services are compared as RFC 9525 has it: only the subject alternative names count, never
the common name, and a wildcard is a whole leftmost label.
"""

import ipaddress
from collections.abc import Iterable

from anchord.model import names
from anchord.model.names import Name

PROTOCOLS = ("tcp", "udp", "sctp", "quic")
"""What may stand below the port (RFC 6698 section 3; `quic` by the draft on SVCB with DANE)."""


def host_from_text(text: str) -> Name:
    """The host as a key: in lower case, in A-labels, with or without the final dot.

    Raises ValueError where it is none; an IP address is none, since no zone speaks for it.
    """
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        pass
    else:
        raise ValueError("an IP address has no TLSA records")
    name = names.lower(names.from_text(text))
    if name == names.ROOT:
        raise ValueError("the root is no host")
    return name


def to_host(name: Name) -> str:
    """The name as it stands in certificates and in TLS: without the final dot."""
    return names.to_text(name).removesuffix(".")


def tlsa_owner(base: Name, port: int, proto: str) -> Name:
    """`_PORT._PROTO.BASE` (RFC 6698 section 3). Raises ValueError past 255 octets."""
    labels = [f"_{port}".encode(), f"_{proto}".encode(), *names.labels(base)]
    return names.join(labels)


def first_match(presented: Iterable[str], references: Iterable[str]) -> str | None:
    """The first of the names asked for that one of the certificate's names stands for."""
    presented = list(presented)
    return next((one for one in references if any(stands_for(p, one) for p in presented)), None)


def stands_for(presented: str, reference: str) -> bool:
    """Whether a certificate's DNS name is that of the host (RFC 9525 section 6.3).

    `*` is one whole label, the leftmost; at least two labels follow it.
    """
    presented, reference = presented.lower().removesuffix("."), reference.lower().removesuffix(".")
    if not presented.startswith("*."):
        return bool(presented) and presented == reference and "*" not in presented
    pattern = presented[2:]
    _, _, rest = reference.partition(".")
    return "." in pattern and "*" not in pattern and pattern == rest
