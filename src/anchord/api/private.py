"""Where the API may connect to on behalf of whoever asks it, judged by the address itself.

A zone's owner chooses the addresses of its hosts, and any program may ask for a check. Without
these rules either could make this machine knock at its own services and at the neighbours'. What is
judged here is what is connected to: no name is looked up again.
"""

import errno
import ipaddress
import socket

from anchord.dane.starttls import PROTOCOLS

PORTS = frozenset({
    *(protocol.port for protocol in PROTOCOLS.values()),
    443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 5223, 5349, 6514, 6697, 8443, 8883,
})  # fmt: skip
"""Ports of services that speak TLS: from the first octet, or after STARTTLS."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""What is given out of IPv6 (RFC 4291 section 2.4); everything else is for something else."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses seen through a translator (RFC 6052)."""

_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
"""For examples alone (RFC 9637); the standard library does not know it everywhere."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def forbidden(address: str, port: int) -> str:
    """Why nothing is connected to there; empty where it may be."""
    ip = ipaddress.ip_address(address)
    if not is_public(ip):
        return f"{address} is not an address of the Internet; see dane.api_private"
    if port not in PORTS:
        return f"the API does not connect to port {port}, which is no usual port of TLS"
    if is_own(ip) or is_own(inside(ip)):
        return f"{address} is this machine's own; see dane.api_private"
    return ""


def forbidden_but_private(address: str, port: int) -> str:
    """The same, where private addresses are allowed: any port there, the usual ones elsewhere."""
    ip = ipaddress.ip_address(address)
    if not is_public(ip) or is_own(ip) or is_own(inside(ip)):
        return ""
    return forbidden(address, port)


def is_public(ip: _Address) -> bool:
    """Whether it is a unicast address of the Internet, and so is any IPv4 address inside it."""
    within = inside(ip)
    if within != ip:
        return is_public(within)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    is_given_out = ip in _GLOBAL_UNICAST and ip not in _DOCUMENTATION
    return is_given_out and ip.is_global and ip.teredo is None


def inside(ip: _Address) -> _Address:
    """The IPv4 address that packets to it reach in the end: mapped, NAT64, 6to4; else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_own(ip: _Address) -> bool:
    """Whether this machine has the address. Only own addresses can be bound."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((str(ip), 0))
    except OSError as error:
        # Anything but "no such address" does not say whose it is: then it is not connected to.
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True
