"""The engine over a small world, with an upstream that may lie and remembers what it was asked."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import NegativeAnchor, trust_anchors
from anchord.dnssec.asking import Ask, Asking, AskZone, Context, ZoneTrust
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.replay import Zones, run, validate_question
from anchord.dnssec.trust import find_zone
from anchord.lab.keys import Key
from anchord.lab.plan import Plan
from anchord.lab.sign import sign_rrset
from anchord.lab.world import World
from anchord.lab.zones import Window, Zone
from anchord.model import names, rdtypes
from anchord.model.ede import Ede
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status

from .lab import NOW, brief, question, world_of

Said = Response | Unanswered
Lie = Said | Callable[[Response], Said]
"""What is said instead of the truth, or how the truth is changed."""

DAY = 86400
WINDOW = Window(NOW - DAY, NOW + DAY)
SILENCE = (Ede(23, "nobody answers"),)


class Upstream:
    """Answers as the world does, except for the questions that it has a lie for.

    Questions are written as `name TYPE`. `asked` holds them in the order in which they came.
    """

    def __init__(self, world: World, lies: Mapping[str, Lie] | None = None) -> None:
        self._world = world
        self._lies = {_read(asked): lie for asked, lie in (lies or {}).items()}
        self.asked: list[str] = []

    def __call__(self, asked: Question) -> Said:
        self.asked.append(str(asked))
        truth = self._world.answer(asked)
        lie = self._lies.get(asked)
        if lie is None:
            return truth
        if not callable(lie):
            return replace(lie, question=asked)
        assert isinstance(truth, Response)
        return lie(truth)


def _read(asked: str) -> Question:
    name, _, rdtype = asked.partition(" ")
    return question(name, rdtype)


def context_of(
    world: World,
    *,
    limits: Limits | None = None,
    supported: Supported | None = None,
    anchors: Iterable[RRset] | None = None,
    negative: Iterable[NegativeAnchor] = (),
) -> Context:
    """Nothing is known yet; the root's key is trusted, unless there are other `anchors`."""
    trusted = [world.anchor()] if anchors is None else anchors
    records = [(rrset.name, rrset.rdtype, rdata) for rrset in trusted for rdata in rrset.rdatas]
    return Context(
        trust_anchors(records, negative),
        Zones(),
        limits or Limits(),
        supported or Supported(),
    )


def judge(
    upstream: World | Upstream,
    asked: str,
    context: Context | None = None,
    *,
    now: int = NOW,
) -> Answer:
    """The answer to a question written as `name TYPE`."""
    if isinstance(upstream, World):
        upstream = Upstream(upstream)
    context = context or context_of(upstream._world)
    answer = validate_question(_read(asked), upstream, context, now)
    assert isinstance(answer, Answer)
    return answer


def first_request(asking: Asking[Answer]) -> Ask | AskZone:
    """What the engine asks for first."""
    return next(request for request in asking if request is not None)


def find(
    upstream: World | Upstream,
    name: str,
    context: Context | None = None,
    *,
    now: int = NOW,
    is_signer: bool = False,
    budget: Budget | None = None,
) -> ZoneTrust:
    """The zone that holds a name."""
    if isinstance(upstream, World):
        upstream = Upstream(upstream)
    context = context or context_of(upstream._world)
    request = AskZone(
        names.from_text(name).lower(), budget or Budget(context.limits), is_signer=is_signer
    )
    return run(find_zone(request, context, now), upstream, context, now)


def status(
    world: World, asked: str, lies: dict[str, Lie] | None = None, context: Context | None = None
) -> Status:
    """How far the answer is proven."""
    return judge(Upstream(world, lies), asked, context).verdict.status


def answers(answer: Answer) -> list[str]:
    """The answer section, as `owner type`."""
    return brief(tuple(checked.rrset for checked in answer.answer))


def authorities(answer: Answer) -> list[str]:
    """The authority section, as `owner type`."""
    return brief(tuple(checked.rrset for checked in answer.authority))


def zone_in(world: World, text: str) -> Zone:
    """The zone of that name, open to be changed."""
    return world.zone(names.from_text(text))


def is_all(answer: Answer, expected: Status) -> bool:
    """Whether the answer and each of its RRsets has this status."""
    return answer.verdict.status is expected and all(
        checked.status is expected for checked in (*answer.answer, *answer.authority)
    )


def codes(answer: Answer) -> list[int]:
    """The Extended DNS Errors of the verdict."""
    return [int(flaw.code) for flaw in answer.verdict.flaws]


def texts(answer: Answer) -> str:
    """The reasons of the verdict, line by line."""
    return "\n".join(flaw.text for flaw in answer.verdict.flaws)


# ------------ Lies ------------


def cut_off(response: Response) -> Response:
    """The first RRset alone."""
    return replace(response, answer=response.answer[:1], authority=())


def silence(response: Response) -> Unanswered:
    return Unanswered(response.question, SILENCE)


def stripped(response: Response) -> Response:
    """Without any signature."""
    return replace(
        response,
        answer=tuple(replace(r, signatures=()) for r in response.answer),
        authority=tuple(replace(r, signatures=()) for r in response.authority),
    )


def saying(
    *answer: RRset, authority: Iterable[RRset] = (), rcode: int = 0
) -> Callable[[Response], Response]:
    """These records and nothing else."""

    def lie(response: Response) -> Response:
        return Response(response.question, rcode, answer, tuple(authority))

    return lie


def changed(**fields: Any) -> Callable[[Response], Response]:
    """The truth, but for these fields of the response."""
    return partial(replace, **fields)


def beside(*answer: RRset, last: bool = False) -> Callable[[Response], Response]:
    """These records before the true answer, or after it."""

    def lie(response: Response) -> Response:
        whole = (*response.answer, *answer) if last else (*answer, *response.answer)
        return replace(response, answer=whole)

    return lie


def chained(count: int) -> World:
    """A chain of so many aliases in `z.lab.`; then an address in `y.lab.`."""
    aliases = "\n".join(f"n{n} CNAME n{n + 1}" for n in range(count - 1))
    return world_of(
        Plan("z.lab.", "a chain", records=f"{aliases}\nn{count - 1} CNAME y.lab."),
        Plan("y.lab.", "good"),
    )


# ------------ Signing by hand ------------


def rrset(
    owner: str,
    rdtype: str,
    *rdatas: bytes,
    ttl: int = 300,
    signatures: Iterable[bytes] = (),
) -> RRset:
    """A set whose signatures have the same TTL."""
    return RRset(
        names.from_text(owner).lower(),
        rdtypes.from_text(rdtype),
        ttl,
        rdatas,
        tuple(signatures),
        ttl,
    )


def signed_by(
    zone: Zone,
    rrset: RRset,
    *,
    key: Key | None = None,
    window: Window = WINDOW,
    labels: int | None = None,
    original_ttl: int | None = None,
) -> RRset:
    """The set with one signature by the zone's key, or by another."""
    signature = sign_rrset(
        rrset,
        key or zone.zone_signers[0],
        zone.apex,
        window,
        labels=labels,
        original_ttl=original_ttl,
    )
    return replace(rrset, signatures=(signature,), signature_ttl=rrset.ttl)
