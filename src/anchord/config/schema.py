"""Every key of the configuration: one class per table, one field per key, defaults included.

The docstrings are the documentation of the keys. A table is a frozen struct that refuses unknown
keys; how texts such as `4s` are read stands in `units`, what must hold between keys in `rules`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .units import (
    DomainName,
    Duration,
    FilePath,
    FixedTime,
    IpAddress,
    NegativeTrustAnchor,
    Pin,
    Size,
    SocketAddress,
)

SHORTEST_TIMEOUT = Duration.parse("100ms")
"""Below, not even a near upstream could answer."""
LONGEST_TIMEOUT = Duration.parse("60s")
"""Above, every client has long given up; a larger value is a slip of the pen."""
SMALLEST_CACHE = Size.parse("1MiB")
"""Below, the chains of trust of the zones in use would push each other out."""
LONGEST_STALE = Duration.parse("7d")
"""RFC 8767 section 5 advises one to three days at most; a week is the outermost."""
MOST_NSEC3_ITERATIONS = 500
"""What RFC 5155 section 10.3 allowed for keys of 2048 bits; validators go far below by now."""


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """`[listen]`: where clients are served."""

    dns: tuple[SocketAddress, ...] = (
        SocketAddress.parse("127.0.0.1:53"),
        SocketAddress.parse("[::1]:53"),
    )
    """Plain DNS, UDP and TCP."""
    tls: tuple[SocketAddress, ...] = ()
    """DNS over TLS."""
    https: tuple[SocketAddress, ...] = ()
    """DNS over HTTPS (h2)."""
    quic: tuple[SocketAddress, ...] = ()
    """DNS over QUIC."""
    api: tuple[SocketAddress, ...] = (SocketAddress.parse("127.0.0.1:8053"),)
    """HTTP: DANE and resolve API, status page, metrics."""
    socketmap: tuple[SocketAddress, ...] = ()
    """Postfix's socketmap protocol, for `smtp_tls_policy_maps`."""
    control: str = ""
    """A Unix socket for the other commands: an absolute path; in the service's or the platform's
    runtime directory where empty; "none" turns it off."""
    certificate: FilePath = FilePath("")
    """PEM chain for tls, https and quic."""
    key: FilePath = FilePath("")
    """PEM key of the certificate."""
    allow_non_loopback: bool = False
    """Whether addresses other than loopback may be listened on."""


class Upstream(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[upstream]]`: a resolver that questions are forwarded to."""

    url: str
    """tls:// https:// h3:// quic:// sdns://, or udp:// and tcp:// (plaintext); with a port where
    it is not the usual one."""
    addresses: tuple[IpAddress, ...] = ()
    """Where the name in the URL need not be looked up."""
    ca_file: FilePath = FilePath("")
    """PEM; the system's store where empty."""
    pins: tuple[Pin, ...] = ()
    """SPKI pins: one of them must match."""


class Forward(Struct, frozen=True, forbid_unknown_fields=True):
    """`[forward]`: how questions are forwarded."""

    strategy: Literal["fastest", "ordered", "random"] = "fastest"
    """Which upstream is asked first."""
    allow_plaintext: bool = False
    """Whether udp:// and tcp:// upstreams may be used."""
    timeout: Duration = Duration.parse("4s")
    """For a whole client query: retries, other upstreams and the chain of trust included."""
    early_data: bool = False
    """0-RTT on QUIC: a question may then be replayed by somebody on the path."""


class Zone(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[zone]]`: names that are forwarded elsewhere; the longest match decides."""

    domain: DomainName
    """The name at and below which this holds."""
    upstream: Annotated[tuple[str, ...], Meta(min_length=1)]
    """URLs, or the url of an `[[upstream]]`, whose other keys hold then; or "network", the servers
    of the link that has this domain for its own."""
    dnssec: Literal["validate", "insecure"] = "validate"
    """Whether answers must be proven."""
    allow_plaintext: bool = False
    """Whether udp:// and tcp:// upstreams may be used for this zone."""


class Dnssec(Struct, frozen=True, forbid_unknown_fields=True):
    """`[dnssec]`: what is believed."""

    trust_anchors: FilePath = FilePath("")
    """A file in zone-file syntax, DS or DNSKEY records of any names. They replace the root
    anchors that anchord brings along."""
    negative_trust_anchors: tuple[NegativeTrustAnchor, ...] = ()
    """Names below which nothing is checked (RFC 7646)."""
    time: FixedTime = FixedTime.parse("")
    """A fixed wall time for signatures and anchors, for tests and post-mortems."""
    auto_update: bool = True
    """Whether the anchors follow the zone's own announcements (RFC 5011)."""
    sha1: bool = False
    """Whether algorithms 5 and 7 are validated (RFC 9905 wants them unsupported); warned of."""
    nsec3_iterations: Annotated[int, Meta(ge=0, le=MOST_NSEC3_ITERATIONS)] = 50
    """Above: insecure (RFC 9276)."""
    key_tag_signal: bool = False
    """Whether the anchors in use are told to the zone's servers (RFC 8145)."""
    sentinel: bool = True
    """Whether `root-key-sentinel-…` names are answered (RFC 8509)."""


class Cache(Struct, frozen=True, forbid_unknown_fields=True):
    """`[cache]`: what is remembered."""

    size: Size = Size.parse("64MiB")
    """How much memory the cache may take."""
    persist: bool = True
    """Whether it is kept across restarts, in the platform's cache directory."""
    serve_stale: Duration = Duration.parse("1d")
    """How long expired answers serve where no upstream does (RFC 8767); "0s" turns it off."""
    prefetch: bool = True
    """Whether names in use are asked for again before they expire."""


class Hosts(Struct, frozen=True, forbid_unknown_fields=True):
    """`[hosts]`: names that this machine knows by itself."""

    file: str = "system"
    """The system's hosts file; an absolute path, or "" for none."""


class Api(Struct, frozen=True, forbid_unknown_fields=True):
    """`[api]`: who may use the HTTP API."""

    allow_origins: tuple[str, ...] = ()
    """Other origins that may read it, or "extension" after pairing."""


class Dane(Struct, frozen=True, forbid_unknown_fields=True):
    """`[dane]`: checks of services."""

    api_connect: bool = True
    """Whether the API may open connections to the checked services."""
    api_private: bool = False
    """Whether it may open them to loopback and private addresses too."""
    ca_file: FilePath = FilePath("")
    """PKIX roots for usages 0 and 1; $SSL_CERT_FILE, else the platform's store, where empty."""


LogField = Literal["time", "name", "type", "status", "ede", "ms"]


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`: what is written down."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least urgent lines that are written; names of queries appear at "debug" only."""
    queries: bool = False
    """The query log: a ring in memory."""
    fields: tuple[LogField, ...] = ("time", "name", "type", "status", "ede", "ms")
    """What the query log holds of a query."""


_QUAD9 = (
    IpAddress("9.9.9.10"),
    IpAddress("149.112.112.10"),
    IpAddress("2620:fe::10"),
    IpAddress("2620:fe::fe:10"),
)
_CLOUDFLARE = (
    IpAddress("1.1.1.1"),
    IpAddress("1.0.0.1"),
    IpAddress("2606:4700:4700::1111"),
    IpAddress("2606:4700:4700::1001"),
)
DEFAULT_UPSTREAMS = (
    Upstream(url="tls://dns10.quad9.net", addresses=_QUAD9),
    Upstream(url="tls://one.one.one.one", addresses=_CLOUDFLARE),
    Upstream(url="https://dns10.quad9.net/dns-query", addresses=_QUAD9),
    Upstream(url="https://one.one.one.one/dns-query", addresses=_CLOUDFLARE),
)
"""Two operators, so that the outage of one is survived, each with a second way over HTTPS for
networks that block port 853. Neither filters, so that both say the same; what Quad9 leaves out at
this address beside its filter is validation, which is done here."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    listen: Listen = Listen()
    upstream: tuple[Upstream, ...] = ()
    forward: Forward = Forward()
    zone: tuple[Zone, ...] = ()
    dnssec: Dnssec = Dnssec()
    cache: Cache = Cache()
    hosts: Hosts = Hosts()
    api: Api = Api()
    dane: Dane = Dane()
    log: Log = Log()

    def upstreams_of(self, zone: Zone) -> tuple[Upstream, ...]:
        """The upstreams of a zone: the tables that it names, or its bare URLs."""
        tables = {upstream.url: upstream for upstream in self.upstream}
        return tuple(tables.get(url) or Upstream(url=url) for url in zone.upstream)
