"""The engine's front: a response goes in, an answer with a verdict comes out.

Each RRset and each denial of the response is judged on its own, by the keys of its own zone; the
whole is as good as its weakest part (RFC 4035 section 3.2.3, RFC 6604 section 3). Insecure is only
what is proven to be so: by the walk down to the zone that holds the name (`trust.find_zone`).
"""

from collections.abc import Callable

from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict, weakest

from .absence import judge_denial, other_denials, unchecked_denials
from .asking import Asking, Work, ask
from .classify import Alias, Ending, Story, tell
from .denial import DENYING, Denied
from .parts import Part, joined
from .rrsets import judge_rrset
from .rrsig import is_limit, limit_flaw
from .trust import unanswered

LONGEST_TTL = 0x7FFFFFFF
"""Seconds: the TTL of an answer that nothing bounds (RFC 2181 section 8)."""


def validate(response: Response, work: Work) -> Asking[Answer]:
    """The answer that a response amounts to: every part of it judged.

    Where an alias leads on and the response does not say where to, or says it without proof, the
    target is asked for by itself.
    """
    question = response.question
    parts: list[Part] = []
    seen: set[Name] = set()
    edes: list[Ede] = []
    aliases = 0
    heard = [response]
    while True:
        story = tell(response, question, seen, work.limits.aliases + 1)
        aliases += len(story.aliases)
        if aliases > work.limits.aliases:
            flaw = limit_flaw("too many aliases", response.question.name)
            parts.append(Part(Status.BOGUS, flaws=(flaw,)))
            break
        yield None
        for alias in story.aliases:
            part = yield from _judge_alias(alias, response, work)
            parts.append(part)
        end = yield from _judge_ending(story, response, work)
        if story.ending in (Ending.DATA, Ending.LOOP):  # nothing signs the code of a response
            end = replace(end, rcode=rcodes.NOERROR)
        if story.ending is Ending.LOOP:
            edes.append(Ede(EdeCode.OTHER, f"aliases loop at {names.to_text(story.name)}"))
        leads_on = end.status.is_failure and story.aliases
        if not leads_on or work.budget.exhausted:
            parts.append(end)
            break
        question = Question(story.name, question.rdtype)
        following = yield from ask(question)
        if isinstance(following, Unanswered):
            if story.ending is Ending.OPEN:
                end = replace(end, flaws=unanswered(following).flaws)
            parts.append(end)
            break
        response = following
        heard.append(response)
    end = parts[-1]
    if not weakest(*(part.status for part in parts)).is_failure:
        parts += yield from _beside(heard, parts, work)
    yield None
    return _assemble(heard, parts, end, edes, work)


def _judge_alias(alias: Alias, response: Response, work: Work) -> Asking[Part]:
    """A CNAME by itself; or the DNAME that it follows from (RFC 6672 section 5.3.1)."""
    if work.budget.exhausted:
        return _given_up(alias.cname.name, work)
    if alias.dname is None:
        part = yield from judge_rrset(alias.cname, response, work)
        if alias.contradicts and part.status is Status.BOGUS:
            name, above = alias.cname.name, names.to_text(alias.contradicts.name)
            text = f"the alias of {names.to_text(name)} is not what the DNAME of {above} says"
            flaw = Flaw(EdeCode.DNSSEC_BOGUS, text, name)
            part = replace(part, flaws=(flaw, *part.flaws))
        return part
    part = yield from judge_rrset(alias.dname, response, work)
    follows = replace(alias.cname, ttl=part.answer[0].ttl, signatures=(), signature_ttl=0)
    return replace(part, answer=(*part.answer, follows))


def _judge_ending(story: Story, response: Response, work: Work) -> Asking[Part]:
    match story.ending:
        case _ if work.budget.exhausted:
            return _given_up(story.name, work)
        case Ending.DATA:
            if story.alias:
                return (yield from _judge_alias(story.alias, response, work))
            parts = []
            for rrset in story.data:
                part = yield from judge_rrset(rrset, response, work)
                parts.append(part)
                if part.status.is_failure:  # so is the whole, whatever else there is
                    break
            return joined(parts)
        case Ending.TOO_LONG:
            assert story.dname
            part = yield from judge_rrset(story.dname, response, work)
            return replace(part, rcode=rcodes.YXDOMAIN)
        case Ending.LOOP:
            return Part(Status.SECURE)  # there is nothing more to judge
        case Ending.OPEN:
            return Part(Status.UNOBTAINABLE)  # until it is asked for
        case _:
            is_name_error = story.ending is Ending.NAME_ERROR
            return (yield from judge_denial(story.name, is_name_error, response, work))


def _beside(heard: list[Response], parts: list[Part], work: Work) -> Asking[list[Part]]:
    """What came along with an answer that holds; or that it does not, being past a limit."""
    if work.budget.exhausted:
        return [_given_up(heard[0].question.name, work)]
    others = yield from other_denials(heard, parts, work)
    return [others, unchecked_denials(heard, [*parts, others], work)]


def _given_up(name: Name, work: Work) -> Part:
    """What is not looked into any more, since the whole is past a limit."""
    return Part(Status.BOGUS, flaws=(limit_flaw(work.budget.exhausted, name),))


# ------------ The answer ------------


def _assemble(
    heard: list[Response], parts: list[Part], end: Part, edes: list[Ede], work: Work
) -> Answer:
    """The parts together. A failure keeps the records as they came, for clients that check.

    Of denials it keeps no more than are looked at: whoever sends more of them means no good.
    """
    first, last = heard[0], heard[-1]
    status = weakest(*(part.status for part in parts))
    flaws = [flaw for part in parts if part.status is status for flaw in part.flaws]
    if status is Status.BOGUS and all(flaw.code is EdeCode.NSEC_MISSING for flaw in flaws):
        text = f"{first.question} was denied without proof: it may be forged"
        flaws.append(Flaw(EdeCode.DNSSEC_BOGUS, text, first.question.name))
    chain = {link.zone: link for part in parts for link in part.chain}
    verdict = Verdict(status, _each_once(flaws), tuple(chain.values()))
    if status.is_failure:
        answer = _as_they_came([r for response in heard for r in response.answer], parts, status)
        denials = [r for r in last.authority if r.rdtype in _DENIALS]
        authority = _as_they_came(denials[: work.limits.evidence_records], parts, status)
    else:
        answer = _checked(parts, lambda part: part.answer)
        authority = _checked(parts, lambda part: part.authority)
    valid_until = min(part.valid_until for part in parts)
    return Answer(
        question=first.question,
        rcode=last.rcode if end.rcode is None else end.rcode,
        answer=answer,
        authority=authority,
        verdict=verdict,
        ttl=min(valid_until - work.now, LONGEST_TTL),
        edes=tuple(edes),
        nxname=end.denied is Denied.COMPACTLY,
        upstream=last.upstream,
        valid_until=valid_until,
    )


def _each_once(flaws: list[Flaw]) -> tuple[Flaw, ...]:
    """One flaw for each limit that was hit: it was the question's, whatever it struck first."""
    told: dict[object, Flaw] = {}
    for flaw in flaws:
        told.setdefault(flaw.facts if is_limit(flaw) else flaw, flaw)
    return tuple(told.values())


_DENIALS = (rdtypes.SOA, *DENYING)

MOST_KEPT = 256
"""RRsets of a section that a failure keeps: more than any type there is, at a few names."""


def _as_they_came(rrsets: list[RRset], parts: list[Part], status: Status) -> tuple[Checked, ...]:
    rrsets = rrsets[:MOST_KEPT]
    judged = {
        (rrset.name, rrset.rdtype): part.status
        for part in parts
        for rrset in (*part.answer, *part.authority)
    }
    return tuple(Checked(r, judged.get((r.name, r.rdtype), status)) for r in rrsets)


def _checked(
    parts: list[Part], section: Callable[[Part], tuple[RRset, ...]]
) -> tuple[Checked, ...]:
    found: dict[tuple[Name, int], Checked] = {}
    for part in parts:
        for rrset in section(part):
            found.setdefault((rrset.name, rrset.rdtype), Checked(rrset, part.status))
    return tuple(found.values())
