"""Answers that are made here and asked of nobody: what special names and the hosts file share.

They are insecure, since nothing proves them, and so they never have AD. EDE 29 (Synthesized) says
where they come from; it is not EDE 4 (Forged Answer), which browsers take for a block.
"""

from collections.abc import Iterable, Sequence

from anchord.model import names, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status, Verdict


def local_answer(
    question: Question,
    rcode: int,
    reason: str,
    *,
    ttl: int,
    answer: Iterable[RRset] = (),
    authority: Iterable[RRset] = (),
) -> Answer:
    """An answer of our own; `reason` is a sentence for people, `ttl` in seconds."""
    return Answer(
        question=question,
        rcode=rcode,
        answer=tuple(Checked(rrset, Status.INSECURE) for rrset in answer),
        authority=tuple(Checked(rrset, Status.INSECURE) for rrset in authority),
        verdict=Verdict(Status.INSECURE),
        ttl=ttl,
        edes=(Ede(EdeCode.SYNTHESIZED, reason),),
    )


def address_rrsets(name: Name, addresses: Sequence[bytes], ttl: int) -> list[RRset]:
    """The A and the AAAA RRset that hold these addresses, of 4 and of 16 octets."""
    found = []
    for rdtype, length in ((rdtypes.A, 4), (rdtypes.AAAA, 16)):
        rdatas = tuple(address for address in addresses if len(address) == length)
        if rdatas:
            found.append(RRset(name, rdtype, ttl, rdatas))
    return found


def reverse_name(address: bytes) -> Name:
    """The name whose PTR names an address of 4 or 16 octets (RFC 1035 3.5, RFC 3596 2.5)."""
    if len(address) == 4:
        return names.from_text(".".join(map(str, reversed(address))) + ".in-addr.arpa")
    return names.from_text(".".join(reversed(address.hex())) + ".ip6.arpa")
