"""Answers about names in the common DNS JSON, with what was proven of each record.

The field names are those that public resolvers have made usual; `security`, `dnssec_status` and
`extended_dns_errors` are ours. What a client sees of a failure is as on the wire: SERVFAIL and the
reason, with CD the records as well.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from anchord.dane.results import ExtendedError
from anchord.dane.summary import extended
from anchord.model import names, rdtypes
from anchord.model.question import ClientFlags
from anchord.model.verdict import Answer, Checked
from anchord.resolver.reply import extended_errors, is_authentic, rcode_for, shown
from anchord.wire.text import rdata_to_text


class Asked(Struct, frozen=True):
    """A question: a name with its final dot, and the number of a type."""

    name: str
    type: int


class RecordJson(Struct, frozen=True):
    """One record, `data` as in a zone file."""

    name: str
    type: int
    ttl: int = field(name="TTL")
    data: str
    dnssec_status: str


class Resolved(Struct, frozen=True):
    """An answer. `Status` is the response code; `Comment` says in words what there is to say."""

    status: int = field(name="Status")
    tc: bool = field(name="TC")
    rd: bool = field(name="RD")
    ra: bool = field(name="RA")
    ad: bool = field(name="AD")
    cd: bool = field(name="CD")
    question: tuple[Asked, ...] = field(name="Question")
    answer: tuple[RecordJson, ...] = field(name="Answer")
    authority: tuple[RecordJson, ...] = field(name="Authority")
    comment: str = field(name="Comment")
    security: str
    extended_dns_errors: tuple[ExtendedError, ...]


def resolved(answer: Answer, flags: ClientFlags) -> Resolved:
    """The answer as a client with these flags sees it."""
    question = answer.question
    answers, authorities = shown(answer, question.rdtype, flags)
    edes = extended_errors(answer)
    return Resolved(
        status=rcode_for(answer, flags),
        tc=False,
        rd=True,
        ra=True,
        ad=is_authentic(answer, flags, (*answers, *authorities)),
        cd=flags.checking_disabled,
        question=(Asked(names.to_text(question.name), question.rdtype),),
        answer=tuple(_records(answers, flags)),
        authority=tuple(_records(authorities, flags)),
        comment="; ".join(ede.text or ede.name for ede in edes),
        security=answer.verdict.status.word,
        extended_dns_errors=extended(edes),
    )


def _records(section: Iterable[Checked], flags: ClientFlags) -> Iterable[RecordJson]:
    """Record by record; with DO each set is followed by its signatures."""
    for checked in section:
        rrset = checked.rrset
        owner, word = names.to_text(rrset.spelling), checked.status.word
        for rdata in rrset.rdatas:
            text = rdata_to_text(rrset.rdtype, rdata)
            yield RecordJson(owner, rrset.rdtype, rrset.ttl, text, word)
        if flags.dnssec_ok:
            for rdata in rrset.signatures:
                text = rdata_to_text(rdtypes.RRSIG, rdata)
                yield RecordJson(owner, rdtypes.RRSIG, rrset.ttl, text, word)
