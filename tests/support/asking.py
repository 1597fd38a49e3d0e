"""A client of the daemon, over UDP with TCP where that is truncated; dnspython reads and writes."""

import socket
from dataclasses import dataclass
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from anchord.model import names
from anchord.model.question import Question

PATIENCE = 15.0
"""Seconds for a reply: more than any server in the tests takes before it gives up."""


@dataclass(frozen=True)
class Reply:
    """A reply, with what tests look at."""

    message: dns.message.Message

    @property
    def rcode(self) -> str:
        return dns.rcode.to_text(self.message.rcode())

    @property
    def is_authentic(self) -> bool:
        return bool(self.message.flags & dns.flags.AD)

    @property
    def edes(self) -> list[dns.edns.EDEOption]:
        return [option for option in self.message.options if isinstance(option, dns.edns.EDEOption)]

    @property
    def codes(self) -> list[int]:
        """The Extended DNS Errors, in their order."""
        return [int(ede.code) for ede in self.edes]

    @property
    def types(self) -> set[str]:
        """The types of all records but the OPT."""
        return {
            dns.rdatatype.to_text(rrset.rdtype)
            for section in (self.message.answer, self.message.authority, self.message.additional)
            for rrset in section
        }


def ask(
    port: int,
    name: str,
    rdtype: str = "A",
    *,
    address: str = "127.0.0.1",
    tcp: bool = False,
    **flags: Any,
) -> Reply:
    """The reply to a question with the flags of `query`."""
    asked = query(name, rdtype, **flags)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if not tcp:
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(PATIENCE)
            datagrams.connect((address, port))
            datagrams.send(asked.to_wire())
            reply = _read(datagrams.recv(65535), asked)
        if not reply.message.flags & dns.flags.TC:
            return reply
    with (
        socket.create_connection((address, port), PATIENCE) as stream,
        stream.makefile("rb") as file,
    ):
        stream.sendall(asked.to_wire(prepend_length=True))
        return _read(file.read(int.from_bytes(file.read(2))), asked)


def _read(wire: bytes, asked: dns.message.Message) -> Reply:
    """The reply in `wire`. Records that dnspython takes for malformed are left out of it."""
    message = dns.message.from_wire(wire, continue_on_error=True)
    assert asked.is_response(message)
    return Reply(message)


def ask_question(port: int, question: Question, **flags: Any) -> Reply:
    """The same for a question of ours."""
    rdtype = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(question.rdtype))
    return ask(port, names.to_text(question.name), rdtype, **flags)


def query(
    name: str,
    rdtype: str = "A",
    *,
    do: bool = True,
    ad: bool = False,
    cd: bool = False,
    rd: bool = True,
    edns: bool = True,
) -> dns.message.Message:
    """A query; without `edns` there is no DO bit either."""
    flags = dns.flags.RD if rd else dns.flags.Flag(0)
    flags |= dns.flags.AD if ad else 0
    flags |= dns.flags.CD if cd else 0
    return dns.message.make_query(
        name,
        rdtype,
        use_edns=0 if edns else False,
        want_dnssec=do and edns,
        flags=flags,
        payload=1232,
    )
