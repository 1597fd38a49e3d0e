"""Who may ask: decided from a request's header alone, before anything is looked up.

Every web page that a browser shows can send requests to this machine. So:

- exactly one Host, a loopback name or address with our port. A page whose name was made to point
  here (DNS rebinding) sends its own name.
- `Sec-Fetch-Site` is `same-origin` or `none`, where there is one: nothing that another page embeds,
  links or fetches.
- `Origin` is our own, or one that was allowed; never `null`, which any page can have.
- what opens connections is not to be had by a browser's GET, which pages can cause in ways that
  have none of these fields in old browsers.

Answers can be read by other origins only where these were allowed (Cross-Origin Resource Sharing).
"""

import ipaddress
import re
from collections.abc import Collection

from .messages import Head, Header, ProblemError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?", re.ASCII)

HTTP_PORT = 80
"""What a Host without a port means."""

FORBIDDEN = 403

PREFLIGHT_AGE = 600
"""Seconds for which a browser need not ask again whether an allowed origin may."""


def admit(head: Head, allowed_origins: Collection[str]) -> tuple[Header, ...]:
    """The header fields that the reply to this client has. Raises ProblemError."""
    host = _host(head)
    origins = [value.decode("latin-1").lower() for value in head.values(b"origin")]
    if len(origins) > 1:
        raise ProblemError(400, "more than one Origin")
    is_foreign = bool(origins) and origins[0] != f"http://{host}"
    if is_foreign and (origins[0] == "null" or origins[0] not in allowed_origins):
        raise ProblemError(FORBIDDEN, "this origin may not ask; see api.allow_origins")
    sites = head.values(b"sec-fetch-site")
    if not is_foreign and any(site not in (b"same-origin", b"none") for site in sites):
        raise ProblemError(FORBIDDEN, "a page of another site may not ask")
    if not is_foreign:
        return (("Vary", "Origin"), ("Cross-Origin-Resource-Policy", "same-origin"))
    return (("Vary", "Origin"), ("Access-Control-Allow-Origin", origins[0]))


def is_browser(head: Head) -> bool:
    """Whether a browser sends it: such fields cannot be left out by a page."""
    if any(name.startswith(b"sec-fetch-") or name == b"origin" for name, _ in head.headers):
        return True
    return any(value.startswith(b"Mozilla/") for value in head.values(b"user-agent"))


def preflight_headers(methods: Collection[str]) -> tuple[Header, ...]:
    """What an allowed origin may do: asked by its browser beforehand."""
    return (
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", "content-type"),
        ("Access-Control-Max-Age", str(PREFLIGHT_AGE)),
    )


def _host(head: Head) -> str:
    """The one Host, in lower case. Raises ProblemError."""
    hosts = head.values(b"host")
    if len(hosts) != 1:
        raise ProblemError(400, "there must be exactly one Host")
    host = hosts[0].decode("latin-1").lower()
    found = _HOST.fullmatch(host)
    if not found or not _is_loopback(found[1]):
        raise ProblemError(FORBIDDEN, "Host must be a name or an address of the loopback interface")
    if int(found[2] or HTTP_PORT) != head.port:
        raise ProblemError(FORBIDDEN, "Host has another port than the one that was connected to")
    return host


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "localhost."):
        return True
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1]) == ipaddress.IPv6Address("::1")
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
