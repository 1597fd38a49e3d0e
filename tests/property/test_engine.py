"""What holds of the engine under any attack: changes, missing answers, another order, any octets.

The attacks are those of the splicing adversary, which come close to what would be proven; the
oracle is `support.truth`.
"""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from anchord.dnssec import nsec3
from anchord.dnssec.asking import Context
from anchord.dnssec.crypto import Verify, load_key
from anchord.dnssec.limits import Limits
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones, validate_question
from anchord.model import names, rcodes, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from anchord.wire.reply import write_reply
from property.strategies import damaged
from support.attacks import FIRST, Attack, attack_of
from support.eras import TIMES, anchors, eras, in_force
from support.splices import honest
from support.truth import Truth, complaint

ATTACKS = 40 * settings().max_examples

TRUTHS = {when: Truth(in_force(now)) for when, now in TIMES.items()}
MEMO = Memo()

Said = Response | Unanswered
Change = Callable[[Question, Said], Said]


def attacks() -> Iterator[tuple[random.Random, Attack]]:
    """Attacks, and chance for what else is to be done."""
    for number in range(FIRST, FIRST + ATTACKS):
        chance = random.Random(number)
        yield chance, attack_of(chance)


def verdict_under(attack: Attack, change: Change, *, now: int = 0) -> Answer | Unanswered:
    """What the engine says where each answer of the attack is changed on its way."""
    attack.asked.clear()
    context = Context(anchors(), Zones(), memo=MEMO)
    return validate_question(
        attack.question,
        lambda question: change(question, attack.answer(question)),
        context,
        now or TIMES[attack.when],
    )


def unchanged(_: Question, said: Said) -> Said:
    return said


def status_of(answer: Answer | Unanswered) -> Status:
    return Status.UNOBTAINABLE if isinstance(answer, Unanswered) else answer.verdict.status


FAILURE = 2


def rank(answer: Answer | Unanswered) -> int:
    """0 for secure, 1 for what is no failure either, FAILURE for failures."""
    status = status_of(answer)
    return FAILURE if status.is_failure else min(status, Status.INSECURE)


# ------------ One change ------------


def test_no_single_change_makes_secure_what_is_not_so() -> None:
    """An octet, a record, or the time: what becomes secure by it has become the truth."""
    for chance, attack in attacks():
        before = verdict_under(attack, unchanged)
        asked = [question for question, _ in attack.asked]
        change = one_change(chance, chance.choice(asked))
        when = chance.choice([attack.when, attack.when, *TIMES])
        after = verdict_under(attack, change, now=TIMES[when])
        if rank(after) < rank(before):
            assert isinstance(after, Answer)
            assert complaint(after, TRUTHS[when]) == "", (attack, asked)


def one_change(chance: random.Random, target: Question) -> Change:
    """A change of the answer to one question: an octet of the message, or a set of it."""
    flip = chance.random(), 1 << chance.randrange(8)
    is_octet = chance.random() < 0.6

    def change(question: Question, said: Said) -> Said:
        if question != target or isinstance(said, Unanswered):
            return said
        if is_octet:
            wire = bytearray(written(said))
            wire[int(flip[0] * len(wire))] ^= flip[1]
            return read(bytes(wire), question)
        sets = [*said.answer, *said.authority]
        gone = sets[int(flip[0] * len(sets))] if sets else None
        return replace(
            said,
            answer=tuple(rrset for rrset in said.answer if rrset is not gone),
            authority=tuple(rrset for rrset in said.authority if rrset is not gone),
        )

    return change


def written(response: Response) -> bytes:
    """The response as a message."""
    question = response.question
    return write_reply(
        identifier=0,
        flags=0,
        rcode=response.rcode,
        question_wire=question.name + question.rdtype.to_bytes(2) + b"\0\1",
        answer=response.answer,
        authority=response.authority,
        edns=None,
        edes=(),
        with_signatures=True,
        limit=0xFFFF,
    )


def read(wire: bytes, question: Question) -> Said:
    """What the engine gets to see of a message."""
    try:
        return read_response(wire, question)
    except FormError:
        return Unanswered(question, ())


def test_no_answer_that_is_missing_makes_a_verdict_better() -> None:
    for chance, attack in attacks():
        before = verdict_under(attack, unchanged)
        asked = [question for question, _ in attack.asked]
        missing = chance.choice(asked)

        def change(question: Question, said: Said, missing: Question = missing) -> Said:
            return Unanswered(question, ()) if question == missing else said

        after = verdict_under(attack, change)
        assert rank(after) >= rank(before), (attack, missing)


def test_the_order_of_records_does_not_matter() -> None:
    """But where there are more than are looked at, which a limit says then."""
    limited = 0
    for chance, attack in attacks():

        def shuffling(question: Question, said: Said, by: random.Random = chance) -> Said:
            return shuffled(as_read(question, said), by)

        before, after = verdict_under(attack, as_read), verdict_under(attack, shuffling)
        if meets_a_limit(before) or meets_a_limit(after):
            limited += 1
            continue
        assert status_of(after) is status_of(before), attack
        if isinstance(before, Answer) and rank(before) < FAILURE:
            assert isinstance(after, Answer)
            assert after.rcode == before.rcode, attack
    assert limited < ATTACKS / 10


def as_read(question: Question, said: Said) -> Said:
    """As it comes out of a message, in which the sets of one name and type are one."""
    return said if isinstance(said, Unanswered) else read(written(said), question)


def meets_a_limit(answer: Answer | Unanswered) -> bool:
    flaws = () if isinstance(answer, Unanswered) else answer.verdict.flaws
    return any(fact == "limit" for flaw in flaws for fact, _ in flaw.facts)


def shuffled(said: Said, chance: random.Random) -> Said:
    if isinstance(said, Unanswered):
        return said
    answer, authority = list(said.answer), list(said.authority)
    chance.shuffle(answer)
    chance.shuffle(authority)

    def inside(rrset: RRset) -> RRset:
        rdatas, signatures = list(rrset.rdatas), list(rrset.signatures)
        chance.shuffle(rdatas)
        chance.shuffle(signatures)
        return replace(rrset, rdatas=tuple(rdatas), signatures=tuple(signatures))

    return replace(said, answer=tuple(map(inside, answer)), authority=tuple(map(inside, authority)))


# ------------ Memory ------------


def test_what_is_remembered_of_zones_changes_no_verdict() -> None:
    """Questions in any order over one memory are answered as each is by itself."""
    chance = random.Random(FIRST)
    for _ in range(ATTACKS // 50):
        when = chance.choice(list(TIMES))
        valid = [era for era in eras() if era.begin <= TIMES[when] <= era.end]
        era = chance.choice(valid or eras())
        at = eras().index(era)
        zones = Zones()
        for _ in range(20):
            question = attack_of(chance).question
            warm, cold = (
                validate_question(
                    question,
                    lambda question: honest(question, at),  # noqa: B023 - called at once
                    Context(anchors(), memory, memo=MEMO),
                    TIMES[when],
                )
                for memory in (zones, Zones())
            )
            assert status_of(warm) is status_of(cold), (when, at, question)
            if isinstance(warm, Answer) and isinstance(cold, Answer):
                assert (warm.rcode, warm.answer) == (cold.rcode, cold.answer)


def test_no_attack_leaves_anything_behind_that_helps_another() -> None:
    """What is said that is not so needs no attack of its own where an earlier one has lied."""
    chance = random.Random(FIRST)
    for _ in range(ATTACKS // 10):
        zones = Zones()
        when = ""
        for _ in range(8):
            attack = attack_of(chance)
            when = when or attack.when
            context = Context(anchors(), zones, memo=MEMO)
            answer = validate_question(attack.question, attack.answer, context, TIMES[when])
            if isinstance(answer, Answer):
                assert complaint(answer, TRUTHS[when]) == "", (when, attack)


# ------------ Work ------------


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How much was done since it was last emptied: signature checks, failed ones, SHA-1 blocks."""
    done = dict.fromkeys(("checks", "failures", "blocks"), 0)
    nsec3_hash = nsec3.nsec3_hash

    def counting_hash(name: bytes, salt: bytes, iterations: int) -> bytes:
        done["blocks"] += nsec3.hash_blocks(name, salt, iterations)
        return nsec3_hash(name, salt, iterations)

    monkeypatch.setattr(nsec3, "nsec3_hash", counting_hash)
    return done


def counting_into(done: dict[str, int]) -> Callable[[int, bytes], Verify]:
    """The loader of keys, with every check by one of them counted."""

    def load(algorithm: int, key: bytes) -> Verify:
        verify = load_key(algorithm, key)

        def counted(signature: bytes, data: bytes) -> bool:
            verified = verify(signature, data)
            done["checks"] += 1
            done["failures"] += not verified
            return verified

        return counted

    return load


def test_no_attack_makes_us_work_beyond_the_limits(work: dict[str, int]) -> None:
    """With limits so low that they are met all the time, and responses full of what costs.

    A failure is counted when it has happened: the last one is past the limit, at each step of a
    zone proof as well.
    """
    met = 0
    for chance, attack in attacks():
        work.update(dict.fromkeys(work, 0))
        limits = Limits(
            signatures=chance.randrange(30),
            failed_signatures=chance.randrange(10),
            zone_signatures=chance.randrange(1, 10),
            zone_failed_signatures=chance.randrange(5),
            hash_blocks=chance.randrange(40),
        )
        context = Context(anchors(), Zones(), limits=limits, load_key=counting_into(work))
        attack.asked.clear()

        def answers(
            question: Question, attack: Attack = attack, by: random.Random = chance
        ) -> Said:
            return costly(attack.answer(question), by)

        answer = validate_question(attack.question, answers, context, TIMES[attack.when])
        assert work["checks"] <= limits.signatures, attack
        assert work["failures"] <= limits.failed_signatures + 1 + len(attack.asked), attack
        assert work["blocks"] <= limits.hash_blocks, attack
        met += work["checks"] == limits.signatures
        if isinstance(answer, Answer):
            assert complaint(answer, TRUTHS[attack.when]) == "", attack
    assert met > ATTACKS / 20


def costly(said: Said, chance: random.Random) -> Said:
    """The response with signatures that fit a key and verify nothing, before and behind the good
    ones."""
    if isinstance(said, Unanswered) or chance.random() < 0.3:
        return said

    def burden(rrset: RRset) -> RRset:
        forged = [
            signature[:-1] + bytes((signature[-1] ^ number,))
            for signature in rrset.signatures
            for number in range(1, chance.randrange(2, 8))
        ]
        signatures = [*rrset.signatures, *forged]
        chance.shuffle(signatures)
        return replace(rrset, signatures=tuple(signatures))

    return replace(
        said, answer=tuple(map(burden, said.answer)), authority=tuple(map(burden, said.authority))
    )


# ------------ Any octets ------------

QUESTIONS = st.sampled_from(
    [
        Question(names.from_text(name), rdtype)
        for name in ("www.safe.nsec", "nx.safe.hashed", "x.old.safe.optout", "www.loose.nsec")
        for rdtype in (rdtypes.A, rdtypes.DS, rdtypes.ANY)
    ]
)


@st.composite
def wires(draw: st.DrawFn, question: Question) -> bytes:
    """A damaged message, or octets behind a head that answers the question."""
    said = honest(question, 2)
    if isinstance(said, Response) and draw(st.booleans()):
        return draw(damaged(st.just(written(said))))
    head = written(Response(question, rcodes.NOERROR))
    counts = draw(st.binary(min_size=4, max_size=4))
    return head[:6] + b"\0" + counts[:1] + b"\0" + counts[1:2] + head[10:] + draw(st.binary())


@given(QUESTIONS, st.data())
def test_any_octets_in_place_of_any_answer_get_a_verdict(
    question: Question, data: st.DataObject
) -> None:
    def answers(question: Question) -> Said:
        if data.draw(st.integers(0, 2)):
            return honest(question, 2)
        return read(data.draw(wires(question)), question)

    context = Context(anchors(), Zones(), memo=MEMO)
    answer = validate_question(question, answers, context, TIMES["in the third era"])
    if isinstance(answer, Answer):
        assert complaint(answer, TRUTHS["in the third era"]) == ""
