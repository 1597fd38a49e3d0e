"""What may be asked of the API: one struct a call, from the query of a URL or a body in JSON."""

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from anchord.dane.check import Request
from anchord.dane.lookup import Service
from anchord.dane.names import host_from_text, tlsa_owner
from anchord.dane.smtp import PORT as MAIL_PORT
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question

from .messages import ProblemError

MOST_PARAMETERS = 16
"""Parameters in a URL; no call has half as many."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Starttls = Literal[
    "", "none", "smtp", "submission", "lmtp", "imap", "pop3", "sieve", "nntp", "ftp",
    "xmpp-client", "xmpp-server", "ldap", "postgres", "mysql",
]  # fmt: skip


class AskName(Struct, frozen=True, forbid_unknown_fields=True):
    """A look-up. The last three are what other services of this kind know, and change nothing."""

    name: str
    type: str = "A"
    do: bool = False
    cd: bool = False
    ct: str = ""
    edns_client_subnet: str = ""
    random_padding: str = ""

    @property
    def question(self) -> Question:
        """Raises ProblemError."""
        try:
            name = names.lower(names.from_text(self.name))
            rdtype = int(self.type) if self.type.isdecimal() else rdtypes.from_text(self.type)
        except ValueError as error:
            raise ProblemError(400, str(error)) from None
        if not 0 < rdtype < 65536 or rdtype in rdtypes.META:
            raise ProblemError(400, f"{self.type} is no type of records")
        return Question(name, rdtype)


class AskTlsa(Struct, frozen=True, forbid_unknown_fields=True):
    """The TLSA records of a service."""

    host: str
    port: Port
    proto: Literal["tcp", "udp", "sctp", "quic"] = "tcp"

    @property
    def service(self) -> Service:
        """Raises ProblemError."""
        return _service(self.host, self.port, self.proto)


class AskCheck(Struct, frozen=True, forbid_unknown_fields=True):
    """A check. Without `starttls` the port's own protocol; "none" for TLS from the first octet."""

    host: str
    port: Port | None = None
    starttls: Starttls = ""
    proto: Literal["tcp", "quic"] = "tcp"

    @property
    def request(self) -> Request:
        """Raises ProblemError."""
        return _request(self.host, self.port, self.starttls, self.proto)


class AskDomain(Struct, frozen=True, forbid_unknown_fields=True):
    """A mail domain."""

    domain: str

    @property
    def name(self) -> Name:
        """Raises ProblemError."""
        return _host(self.domain)


class AskVerdict(Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of certificates in PEM, the server's own first, that the service has presented."""

    host: str
    port: Port
    chain: Annotated[tuple[str, ...], Meta(min_length=1)]
    proto: Literal["tcp", "udp", "sctp", "quic"] = "tcp"
    starttls: Starttls = ""

    @property
    def request(self) -> Request:
        """Raises ProblemError."""
        return _request(self.host, self.port, self.starttls, self.proto)


T = TypeVar("T", bound=Struct)


def from_query(query: str, kind: type[T]) -> T:
    """The parameters of a URL. Raises ProblemError."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise ProblemError(400, "the query of the URL cannot be read") from None
    parameters: dict[str, Any] = dict(pairs)
    if len(parameters) != len(pairs):
        raise ProblemError(400, "a parameter is there twice")
    try:
        return msgspec.convert(parameters, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(400, str(error)) from None


def from_json(body: bytes, kind: type[T]) -> T:
    """A body in JSON. Raises ProblemError."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProblemError(400, str(error) or "the JSON cannot be read") from None


def _request(host: str, port: int | None, starttls: str, proto: str) -> Request:
    try:
        return Request.of(host, port, starttls=starttls, proto=proto)
    except ValueError as error:
        raise ProblemError(400, str(error)) from None


def _service(host: str, port: int, proto: str) -> Service:
    service = Service(_host(host), port, proto)
    try:
        tlsa_owner(service.host, port, proto)
    except ValueError as error:
        raise ProblemError(400, str(error)) from None
    return service


def _host(text: str) -> Name:
    try:
        return host_from_text(text)
    except ValueError as error:
        raise ProblemError(400, str(error)) from None


def is_mail(service: Service) -> bool:
    """Whether mail servers' rules hold for its records (RFC 7672)."""
    return service.port == MAIL_PORT
