"""Proofs: a signed answer, asked for as any program would ask.

The question is the DNSKEY set of a trust anchor's own zone: whoever has an anchor has this answer,
and it cannot be had without an upstream and a chain that holds. The reply comes from our own
listener over loopback, so its AD flag is our own verdict.
"""

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.wire.errors import FormError
from anchord.wire.message import AD, read_response
from anchord.wire.query import write_query

from . import resolv_conf
from .errors import NotProvenError
from .machine import Machine

HostAndPort = tuple[str, int]

ANSWER_TIME = 5.0
"""Seconds for an answer of a service that runs: a cold chain over a handshake, twice."""

START_TIME = 20.0
"""Seconds for a service that has just been started to answer."""

SYSTEM_TIME = 10.0
"""Seconds for the system's path to lead to us, before everything is taken back."""

_AGAIN = 0.5
"""Seconds between two tries."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer that was proven: the way it came, and how long it took, in milliseconds."""

    way: str
    milliseconds: int


def through_listeners(
    addresses: Sequence[HostAndPort], zone: Name, *, patience: float
) -> list[Proof]:
    """A proven answer from each address over UDP and TCP. Raises NotProvenError."""
    deadline = time.monotonic() + patience
    return [
        _until(deadline, address, zone, tcp=tcp) for address in addresses for tcp in (False, True)
    ]


def through_system(
    machine: Machine, addresses: Sequence[str], zone: Name, *, patience: float
) -> list[Proof]:
    """A proven answer by the ways that programs take. Raises NotProvenError.

    One is resolv.conf, read as the C library reads it: every name server in it must be one of
    `addresses`. The other is systemd-resolved, where it runs.
    """
    found = resolv_conf.read(machine.text(resolv_conf.PATH))
    strangers = [server for server in found.nameservers if server not in addresses]
    if strangers or not found.nameservers:
        raise NotProvenError(
            f"names {', '.join(strangers) or 'no server'} and not anchord alone",
            where=resolv_conf.PATH,
        )
    deadline = time.monotonic() + patience
    proofs = [
        _until(deadline, (server, 53), zone, tcp=False, by=f"resolv.conf: {server}")
        for server in found.nameservers
    ]
    if machine.says("systemctl", "is-active", "systemd-resolved.service") is not None:
        proofs.append(_through_resolved(machine, zone, deadline))
    return proofs


def replies(addresses: Sequence[HostAndPort], *, patience: float = 0.0) -> None:
    """Sees something of ours reply at each address within the seconds. Raises NotProvenError.

    The name is one that is answered here: whether the network is there does not matter.
    """
    question = Question(names.from_text("localhost."), rdtypes.A)
    deadline = time.monotonic() + patience
    for address in addresses:
        while failure := _no_reply(address, question):
            if time.monotonic() > deadline:
                raise NotProvenError(failure, where=f"{address[0]}:{address[1]}/udp")
            time.sleep(_AGAIN)


def _no_reply(address: HostAndPort, question: Question) -> str:
    """Why there was none; empty where there was one."""
    query = secrets.token_bytes(2) + write_query(question)[2:]
    try:
        read_response(_over_udp(address, query), question)
    except (OSError, FormError) as error:
        return str(error) or "no reply"
    return ""


def ask(address: HostAndPort, zone: Name, *, tcp: bool) -> int:
    """The milliseconds that a proven answer took. Raises NotProvenError with the reason."""
    started = time.monotonic()
    question = Question(zone, rdtypes.DNSKEY)
    query = secrets.token_bytes(2) + write_query(question, checking_disabled=False)[2:]
    where = f"{address[0]}:{address[1]}/{'tcp' if tcp else 'udp'}"
    try:
        wire = _over_tcp(address, query) if tcp else _over_udp(address, query)
        response = read_response(wire, question)
    except (OSError, EOFError, FormError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error) or "no answer"
        raise NotProvenError(reason, where=where) from None
    if response.rcode != rcodes.NOERROR or not int.from_bytes(wire[2:4]) & AD:
        raise NotProvenError(_reason(response.rcode, response.edes, zone), where=where)
    return round((time.monotonic() - started) * 1000)


def _until(deadline: float, address: HostAndPort, zone: Name, *, tcp: bool, by: str = "") -> Proof:
    way = by or f"{address[0]}:{address[1]} over {'TCP' if tcp else 'UDP'}"
    while True:
        try:
            return Proof(way, ask(address, zone, tcp=tcp))
        except NotProvenError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN)


def _over_udp(address: HostAndPort, query: bytes) -> bytes:
    with _socket(address, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.send(query)
        while True:
            reply = sock.recv(65535)
            if reply[:2] == query[:2]:
                return reply


def _over_tcp(address: HostAndPort, query: bytes) -> bytes:
    with _socket(address, socket.SOCK_STREAM) as sock:
        sock.connect(address)
        sock.sendall(len(query).to_bytes(2) + query)
        with sock.makefile("rb") as stream:
            length = int.from_bytes(stream.read(2))
            reply = stream.read(length)
    if not reply or len(reply) < length:
        raise EOFError("the connection was closed")
    return reply


def _socket(address: HostAndPort, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    sock.settimeout(ANSWER_TIME)
    return sock


def _reason(rcode: int, edes: Sequence[Ede], zone: Name) -> str:
    told = "; ".join(
        f"EDE {ede.code}: {ede.text}" if ede.text else f"EDE {ede.code}" for ede in edes
    )
    word = "answered without proof" if rcode == rcodes.NOERROR else f"answered with rcode {rcode}"
    return f"{names.to_text(zone)} DNSKEY was {word}" + (f" ({told})" if told else "")


def _through_resolved(machine: Machine, zone: Name, deadline: float) -> Proof:
    """It has just been started anew, and needs a moment to find its links."""
    argv = ("resolvectl", "query", "--cache=no", "--type=DNSKEY", names.to_text(zone))
    while True:
        started = time.monotonic()
        ran = machine.run(argv, patience=SYSTEM_TIME)
        if not ran.status:
            return Proof("systemd-resolved", round((time.monotonic() - started) * 1000))
        if time.monotonic() > deadline:
            words = (ran.stderr or ran.stdout).strip().splitlines()[-1:]
            raise NotProvenError(
                f"no answer through it ({''.join(words)})", where="systemd-resolved"
            )
        time.sleep(_AGAIN)
