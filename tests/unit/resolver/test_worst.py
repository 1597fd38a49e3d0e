"""The worst that a hostile zone can do with one question: what it costs, and how others fare.

Each attack is a world and what is said instead of its truth, in messages of up to 64 KiB: dear to
read, to judge and to tell of. What is sent is made off the meter; reading, judging and telling
counts, and so does being asked again. Nobody may be kept waiting by any of it either: between two
points where others have their turn there is little.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import trio
import trio.testing

from anchord.dnssec import crypto
from anchord.lab.keys import SHA256, ds_rdata
from anchord.lab.plan import Plan
from anchord.lab.recursive import reply_to
from anchord.lab.world import World
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer, Status
from anchord.resolver.reply import render
from anchord.resolver.resolver import Resolver
from anchord.resolver.turns import Turns
from anchord.wire.message import Query
from anchord.wire.options import Edns
from anchord.wire.rdata import key_tag
from support.counting import Meter, TooMuchError
from support.floods import (
    ALL_TYPES,
    BACKWARDS,
    ED25519,
    EXPIRED,
    FIRST_RECORD,
    LONG,
    LONGEST,
    NS_ONLY,
    RDATA_AT,
    address,
    alias,
    filled,
    key_of_any_tag,
    key_of_one_tag,
    message,
    nsec,
    pointer,
    rrsig,
    signed,
    within,
)
from support.lab import question, world_of
from support.messages import TO_QUESTION, record
from support.walk import Heard, MemoryUpstream, open_resolver

MOST_CALLS = 400_000
"""For one question of a client that is asked twice, whatever comes of it: about 45 ms of CPU where
it was measured, at nine thousand calls a millisecond in most of these attacks."""

LONGEST_STRETCH = 20_000
"""… between two points where others have their turn: about 3 ms."""

UNBEARABLE = 10 * MOST_CALLS
"""Calls after which the end is not waited for."""

SECONDS = 60.0
"""For a question: it is calls that are to end the work, not the clock."""

FLAGS = ClientFlags(recursion_desired=True, dnssec_ok=True)

ZONE: Name = names.from_text("z.lab.")
MINFO = 14
"""A type whose data are two names."""

ODD = b"\1\1"
"""A label that takes two octets in a message, and four characters in a text."""

FAILURE = frozenset({Status.BOGUS, Status.UNOBTAINABLE})
UNPROVEN = FAILURE | {Status.INSECURE}
GOOD = FAILURE | {Status.SECURE}
"""What may come of an attack: GOOD where what was asked for is well signed."""

THOUSANDS = (("thousands", LONGEST),)
"""As many as there is room for, and what they are called."""

Saying = Callable[[Question], bytes | None]


@dataclass(frozen=True)
class Attack:
    """A question, what is said instead of the truth, and what may come of it."""

    world: World
    question: Question
    say: Saying
    expected: frozenset[Status] = FAILURE


Making = Callable[[], Attack]
ATTACKS: dict[str, Making] = {}
"""Each made when it is its turn."""


def attack(making: Making) -> Making:
    """One more, under the name of its function."""
    ATTACKS[making.__name__] = making
    return making


def attacks(making: Callable[[], Iterator[tuple[str, Making]]]) -> None:
    """Several of one kind."""
    for what, made in making():
        ATTACKS[f"{making.__name__}: {what}"] = made


# ------------ What they have in common ------------


def world(*plans: Plan, algorithms: tuple[int, ...] = (ED25519,)) -> World:
    """The hostile zone, and an honest one."""
    return world_of(
        Plan("z.lab.", "hostile", algorithms=algorithms), Plan("good.lab.", "honest"), *plans
    )


def deep(labels: int, base: Name = ZONE) -> Name:
    """A name so many labels below another one."""
    return ODD * labels + base


def walked(labels: int, cut: Callable[[Question], bytes], base: Name = ZONE) -> Attack:
    """An unsigned address so deep that the zone cuts above it must be looked for, step by step."""
    asked = Question(deep(labels, base), rdtypes.A)

    def say(heard: Question) -> bytes | None:
        if heard == asked:
            return message(heard, [address()])
        if heard.rdtype == rdtypes.DS and names.is_below(heard.name, base):
            return cut(heard)
        return None

    return Attack(world(), asked, say)


def instead(
    asked: Question, saying: Callable[[Question], bytes], expected: frozenset[Status] = FAILURE
) -> Attack:
    """One answer that is not the truth."""
    return Attack(world(), asked, lambda heard: saying(heard) if heard == asked else None, expected)


def ds_of_nothing() -> bytes:
    """A DS record of no key."""
    return record(TO_QUESTION, rdtypes.DS, bytes((0, 1, ED25519, SHA256)) + bytes(32))


def labels_of(asked: Question) -> int:
    return names.label_count(asked.name)


WWW = question("www.z.lab.")

# ------------ Answers ------------


@attacks
def any_of_an_insecure_zone() -> Iterator[tuple[str, Making]]:
    """Hundreds of RRsets, and an NSEC with many RRSIGs by a signer of 102 labels."""
    asked = Question(deep(100), rdtypes.ANY)
    owner = b"\1!" + TO_QUESTION

    def made(sets: int, signatures: int) -> Attack:
        denial = [nsec(owner, ZONE)] + [
            rrsig(owner, rdtypes.NSEC, TO_QUESTION, 103, tag) for tag in range(signatures)
        ]
        wire = message(
            asked, [record(TO_QUESTION, 1000 + number, b"") for number in range(sets)], denial
        )
        unsigned = world(algorithms=())
        return Attack(unsigned, asked, lambda heard: wire if heard == asked else None, UNPROVEN)

    for sets, signatures in ((2400, 950), (500, 450), (500, 128), (500, 0)):
        yield f"{sets} sets, {signatures} RRSIGs", partial(made, sets, signatures)


def denials_of_all_types(asked: Question) -> list[bytes]:
    """Seven NSEC records at names below the question's, with the largest bitmaps there are."""
    made = []
    for number in range(7):
        owner = bytes((1, 1 + number)) + TO_QUESTION
        made.append(nsec(owner, ZONE, ALL_TYPES))
        made.append(rrsig(owner, rdtypes.NSEC, within(asked, ZONE), labels_of(asked) + 1))
    return made


@attack
def seven_denials_of_all_types() -> Attack:
    return instead(WWW, lambda asked: message(asked, authority=denials_of_all_types(asked)))


@attack
def seven_denials_of_all_types_at_each_of_61_names() -> Attack:
    return walked(61, lambda asked: message(asked, authority=denials_of_all_types(asked)))


@attacks
def signatures_over_one_set() -> Iterator[tuple[str, Making]]:
    """All of them unusable, at a name that is long to write."""
    asked = Question(deep(123), rdtypes.A)

    def made(window: tuple[int, int], most: int) -> Attack:
        def saying(asked: Question) -> bytes:
            zone, labels = within(asked, ZONE), labels_of(asked)
            bad = filled(
                asked,
                lambda tag: rrsig(TO_QUESTION, rdtypes.A, zone, labels, tag, window),
                [address()],
                most=most,
            )
            return message(asked, [address(), *bad])

        return instead(asked, saying)

    for count, most in (("128", 128), *THOUSANDS):
        yield f"{count} expired", partial(made, EXPIRED, most)
        yield f"{count} never in force", partial(made, BACKWARDS, most)


@attacks
def signatures_over_ds_of_61_names() -> Iterator[tuple[str, Making]]:
    """The same over the DS set of each name of a walk."""

    def cut(most: int, asked: Question) -> bytes:
        zone, labels = within(asked, ZONE), labels_of(asked)
        bad = filled(
            asked,
            lambda tag: rrsig(TO_QUESTION, rdtypes.DS, zone, labels, tag, BACKWARDS),
            [ds_of_nothing()],
            most=most,
        )
        return message(asked, [ds_of_nothing(), *bad])

    for count, most in (("128", 128), *THOUSANDS):
        yield f"{count} each", partial(walked, 61, partial(cut, most))


@attacks
def ds_with_100_signatures_beside_aliases() -> Iterator[tuple[str, Making]]:
    """Names of which each is judged again for every signer of every alias."""
    top = deep(20)
    asked = Question(b"\1q" + top, rdtypes.A)

    def made(aliases: int, signers: int) -> Attack:
        def by_signers(owner: bytes, rdtype: int) -> list[bytes]:
            return [rrsig(owner, rdtype, pointer(14 + 2 * up), 2) for up in range(signers)]

        def say(heard: Question) -> bytes | None:
            if heard.rdtype == rdtypes.DS and names.is_below(heard.name, ZONE):
                zone, labels = within(heard, ZONE), labels_of(heard)
                bad = [
                    rrsig(TO_QUESTION, rdtypes.DS, zone, labels, tag, BACKWARDS)
                    for tag in range(100)
                ]
                return message(heard, [ds_of_nothing(), *bad])
            if heard != asked:
                return None
            return message(heard, chain(aliases, by_signers))

        return Attack(world(), asked, say)

    for aliases, signers in ((0, 1), (11, 3)):
        yield f"{aliases} aliases, {signers} signers", partial(made, aliases, signers)


def chain(aliases: int, sign: Callable[[bytes, int], list[bytes]], above: int = 14) -> list[bytes]:
    """Aliases from the question's name on, each one label before what stands at an offset."""
    made = []
    owner = TO_QUESTION
    for number in range(aliases):
        target = bytes((1, 0x61 + number)) + pointer(above)
        made += [alias(owner, target), *sign(owner, rdtypes.CNAME)]
        owner = target
    return [*made, address(owner), *sign(owner, rdtypes.A)]


@attacks
def claims_of_insecure_cuts() -> Iterator[tuple[str, Making]]:
    """NSECs of delegations without DS at each name above, wrongly signed, beside aliases."""
    top = deep(115)
    asked = Question(top, rdtypes.A)

    def made(cuts: int, signatures: int, aliases: int) -> Attack:
        def saying(asked: Question) -> bytes:
            zone = within(asked, ZONE)
            claims = []
            for up in range(cuts):
                owner, labels = pointer(12 + 2 * up), labels_of(asked) - up
                claims.append(nsec(owner, ZONE, NS_ONLY))
                claims += [
                    rrsig(owner, rdtypes.NSEC, zone, labels, tag, EXPIRED)
                    for tag in range(signatures)
                ]
            return message(asked, chain(aliases, lambda *_: [], above=12), claims)

        return instead(asked, saying, UNPROVEN)

    for cuts, signatures, aliases in ((90, 20, 11), (90, 8, 11), (20, 90, 0)):
        name = f"{cuts} with {signatures} RRSIGs, {aliases} aliases"
        yield name, partial(made, cuts, signatures, aliases)


@attacks
def twelve_hops() -> Iterator[tuple[str, Making]]:
    """Each alias well signed, in an answer of its own, beside junk that the failure keeps."""

    def made(junk: Callable[[Question, list[bytes]], list[bytes]]) -> Attack:
        hostile = world()
        zone = hostile.zone(ZONE)

        def say(heard: Question) -> bytes | None:
            first = heard.name[1 : 1 + heard.name[0]]
            if heard.rdtype != rdtypes.A or not first.startswith(b"n") or not within_zone(heard):
                return None
            following = names.from_text(f"n{int(first[1:]) + 1}.z.lab.")
            head = signed(zone, heard, [following], rdtype=rdtypes.CNAME)
            return message(heard, [*head, *junk(heard, head)])

        return Attack(hostile, question("n0.z.lab."), say)

    def empty(most: int, heard: Question, head: list[bytes]) -> list[bytes]:
        return filled(
            heard, lambda number: record(TO_QUESTION, 1000 + number, b""), head, most=most
        )

    def long_names(most: int, heard: Question, head: list[bytes]) -> list[bytes]:
        first = record(TO_QUESTION, rdtypes.TXT, LONG)
        at = FIRST_RECORD + len(heard.name) + sum(map(len, head)) + RDATA_AT
        two = pointer(at) * 2
        more = filled(
            heard,
            lambda number: record(TO_QUESTION, MINFO, b"\2" + number.to_bytes(2) + two),
            [*head, first],
            most=most,
        )
        return [first, *more]

    for count, most in (("500", 500), *THOUSANDS):
        yield f"{count} empty sets", partial(made, partial(empty, most))
    for count, most in (("250", 250), *THOUSANDS):
        yield f"{count} long names", partial(made, partial(long_names, most))


def within_zone(heard: Question) -> bool:
    return names.is_below(heard.name, ZONE)


@attack
def a_good_answer_in_20_nested_zones_with_denials_by_each() -> Attack:
    plans = [Plan("z.lab.", "hostile", algorithms=(ED25519,))]
    apex = ZONE
    for number in range(20):
        apex = b"\2%02d" % number + apex
        plans.append(Plan(names.to_text(apex), "nested", algorithms=(ED25519,)))
    hostile = world(*plans[1:])
    leaf = hostile.zone(apex)
    asked = Question(b"\3www" + apex, rdtypes.A)

    def say(heard: Question) -> bytes | None:
        if heard != asked:
            return None
        denials = []
        for number in range(8):
            owner = bytes((1, 1 + number)) + TO_QUESTION
            denials.append(nsec(owner, TO_QUESTION))
            denials += [
                rrsig(owner, rdtypes.NSEC, pointer(16 + 3 * up), labels_of(heard) + 1, tag, EXPIRED)
                for tag in range(6)
                for up in range(20)
            ]
        return message(heard, signed(leaf, heard, [bytes((192, 0, 2, 1))]), denials)

    return Attack(hostile, asked, say, GOOD)


# ------------ Walks ------------


@attacks
def aliases_to_long_names_at_ds_of_a_walk() -> Iterator[tuple[str, Making]]:
    """CNAME sets whose targets are long by pointers, each well signed or by nobody."""

    def cut(asked: Question, zone: Zone, most: int, *, is_good: bool) -> bytes:
        at = FIRST_RECORD + len(asked.name) + RDATA_AT
        prefixes = [b"\2" + number.to_bytes(2) for number in range(1, min(most, 3700))]
        if is_good:
            *_, seal = signed(
                zone,
                asked,
                [LONG, *(prefix + LONG for prefix in prefixes)],
                rdtype=rdtypes.CNAME,
            )
        else:
            seal = rrsig(TO_QUESTION, rdtypes.CNAME, within(asked, ZONE), labels_of(asked))
        rest = [alias(TO_QUESTION, prefix + pointer(at)) for prefix in prefixes]
        return message(asked, [alias(TO_QUESTION, LONG), *rest, seal])

    def made(labels: int, most: int, *, is_good: bool) -> Attack:
        zone = world().zone(ZONE)
        return walked(labels, lambda asked: cut(asked, zone, most, is_good=is_good))

    for labels in (6, 59):
        for most in (500, 3600):
            name = f"{labels} names, {most} targets"
            yield f"{name}, signed", partial(made, labels, most, is_good=True)
            yield f"{name}, unsigned", partial(made, labels, most, is_good=False)


@attacks
def floods_at_each_of_61_names() -> Iterator[tuple[str, Making]]:
    """Nothing but much of it, where DS records are asked for."""
    makers: dict[str, Callable[[int], bytes]] = {
        "the same address": lambda _: address(),
        "an address": lambda number: address(number=number),
        "an empty set": lambda number: record(b"\0", 300 + number, b""),
        "an alias": lambda number: alias(TO_QUESTION, b"\2" + number.to_bytes(2) + TO_QUESTION),
        "a name": lambda number: address(b"\2" + number.to_bytes(2) + TO_QUESTION),
    }

    def made(make: Callable[[int], bytes], most: int) -> Attack:
        return walked(61, lambda asked: message(asked, filled(asked, make, most=most)))

    for what, make in makers.items():
        for count, most in (("500", 500), *THOUSANDS):
            yield f"{count} times {what}", partial(made, make, most)
    yield (
        "thousands of additional records",
        lambda: walked(
            61,
            lambda asked: message(asked, additional=filled(asked, makers["an empty set"])),
        ),
    )


@attack
def denials_that_cover_at_each_of_59_names() -> Attack:
    tag = world().zone(ZONE).zone_signers[0].key_tag ^ 1

    def cut(asked: Question) -> bytes:
        denials = []
        for number in range(96):
            owner = b"\1!" + bytes((1, 1 + number)) + pointer(14)
            denials.append(nsec(owner, ZONE))
            denials.append(
                rrsig(owner, rdtypes.NSEC, within(asked, ZONE), labels_of(asked) + 1, tag)
            )
        return message(asked, authority=denials)

    return walked(59, cut)


# ------------ Keys ------------


def many_keys(zone: Zone, asked: Question, make: Callable[[int], bytes], most: int) -> bytes:
    """The zone's own keys, and as many more as fit, or `most`, well signed."""
    own = [zone.key_signers[0].rdata, zone.zone_signers[0].rdata]
    beside = signed(zone, asked, own)
    more = filled(
        asked, lambda number: record(TO_QUESTION, rdtypes.DNSKEY, make(number)), beside, most=most
    )
    return message(asked, signed(zone, asked, [*own, *map(make, range(len(more)))]))


def ds_of_one_tag(number: int) -> bytes:
    """The RDATA of a DS record that could be of each key of one tag."""
    tag = key_tag(key_of_one_tag(0, 0))
    return tag.to_bytes(2) + bytes((ED25519, SHA256)) + hashlib.sha256(b"%d" % number).digest()


@attacks
def keys_of_one_tag() -> Iterator[tuple[str, Making]]:
    """Thousands of keys that eight DS records could be of; none fits, or another key does."""

    def made(flags: int, most: int, *, is_good: bool) -> Attack:
        hostile = world()
        zone, parent = hostile.zone(ZONE), hostile.zone(names.from_text("lab."))

        def say(heard: Question) -> bytes | None:
            if heard == Question(ZONE, rdtypes.DS):
                good = [ds_rdata(ZONE, zone.key_signers[0])] * is_good
                others = [ds_of_one_tag(number) for number in range(8 - len(good))]
                return message(heard, signed(parent, heard, [*good, *others]))
            if heard == Question(ZONE, rdtypes.DNSKEY):
                return many_keys(zone, heard, partial(key_of_one_tag, flags=flags), most)
            return None

        return Attack(hostile, WWW, say, GOOD)

    for flags, which in ((0, "without flag"), (256, "with flag")):
        for count, most in (("126", 126), *THOUSANDS):
            name = f"{count} {which}"
            yield f"{name}, none fits", partial(made, flags, most, is_good=False)
            yield f"{name}, another fits", partial(made, flags, most, is_good=True)


@attacks
def aliases_into_12_zones_with_keys_of_one_tag() -> Iterator[tuple[str, Making]]:
    def made(most: int) -> Attack:
        hostile = world(
            *(Plan(f"z{number}.lab.", "hostile", algorithms=(ED25519,)) for number in range(12))
        )
        parent = hostile.zone(names.from_text("lab."))

        def say(heard: Question) -> bytes | None:
            label = heard.name[1 : 1 + heard.name[0]]
            if not (label.startswith(b"z") and label[1:].isdigit()):
                return None
            if heard.rdtype == rdtypes.DS:
                return message(heard, signed(parent, heard, map(ds_of_one_tag, range(8))))
            if heard.rdtype == rdtypes.DNSKEY:
                return message(
                    heard,
                    filled(
                        heard,
                        lambda number: record(
                            TO_QUESTION, rdtypes.DNSKEY, key_of_one_tag(number, 0)
                        ),
                        most=most,
                    ),
                )
            owner, records = TO_QUESTION, []
            for number in range(int(label[1:]) + 1, 12):
                target = names.from_text(f"z{number}.lab.")
                records += [alias(owner, target), rrsig(owner, rdtypes.CNAME, owner, 2)]
                owner = target
            records += [address(owner), rrsig(owner, rdtypes.A, owner, 2)]
            return message(heard, records)

        return Attack(hostile, question("z0.lab."), say)

    for count, most in (("128", 128), *THOUSANDS):
        yield f"{count} keys each", partial(made, most)


@attacks
def signatures_by_unknown_tags() -> Iterator[tuple[str, Making]]:
    """Each is looked for among thousands of keys without the Zone Key flag."""

    def made(keys: int, labels: int) -> Attack:
        hostile = world()
        zone = hostile.zone(ZONE)

        def by_nobody(owner: bytes, rdtype: int, asked: Question, more: int = 0) -> list[bytes]:
            signer, count = within(asked, ZONE), labels_of(asked) + more
            return [rrsig(owner, rdtype, signer, count, 60000 + number) for number in range(8)]

        def cut(asked: Question) -> bytes:
            denials = []
            for number in range(16):
                owner = b"\1!" + bytes((1, 1 + number)) + pointer(14)
                denials += [nsec(owner, ZONE), *by_nobody(owner, rdtypes.NSEC, asked, 1)]
            answer = [
                ds_of_nothing(),
                *by_nobody(TO_QUESTION, rdtypes.DS, asked),
                alias(TO_QUESTION, ZONE),
                *by_nobody(TO_QUESTION, rdtypes.CNAME, asked),
            ]
            return message(asked, answer, denials)

        walk = walked(labels, cut)

        def say(heard: Question) -> bytes | None:
            if heard == Question(ZONE, rdtypes.DNSKEY):
                return many_keys(zone, heard, partial(key_of_any_tag, flags=0), keys)
            return walk.say(heard)

        return Attack(hostile, walk.question, say)

    for labels in (1, 10, 59):
        for count, keys in (("126", 126), *THOUSANDS):
            yield f"{count} keys, {labels} names", partial(made, keys, labels)


# ------------ All at once ------------


@attacks
def the_worst_combination() -> Iterator[tuple[str, Making]]:
    """Many keys, and at each of 54 names 18 sets with RRSIGs by unknown tags, and expired
    ones as many as there is room for; all names full of octets that take four characters."""

    def made(keys: int, signatures: int) -> Attack:
        apex = (b"\x3b" + b"\1" * 59) * 2 + ZONE
        hostile = world(Plan(names.to_text(apex), "hostile", algorithms=(ED25519,)))
        zone = hostile.zone(apex)

        def by_nobody(owner: bytes, rdtype: int, asked: Question, more: int = 0) -> list[bytes]:
            signer, labels = within(asked, apex), labels_of(asked) + more
            return [rrsig(owner, rdtype, signer, labels, 60000 + number) for number in range(8)]

        def cut(asked: Question) -> bytes:
            answer = [
                ds_of_nothing(),
                *by_nobody(TO_QUESTION, rdtypes.DS, asked),
                alias(TO_QUESTION, ZONE),
                *by_nobody(TO_QUESTION, rdtypes.CNAME, asked),
            ]
            denials = []
            for number in range(16):
                owner = b"\1!" + bytes((1, 1 + number)) + pointer(14)
                denials += [nsec(owner, apex), *by_nobody(owner, rdtypes.NSEC, asked, 1)]
            signer, labels = within(asked, apex), labels_of(asked)
            bad = filled(
                asked,
                lambda tag: rrsig(TO_QUESTION, rdtypes.DS, signer, labels, tag, BACKWARDS),
                [*answer, *denials],
                most=signatures,
            )
            return message(asked, [*answer, *bad], denials)

        walk = walked(54, cut, apex)

        def say(heard: Question) -> bytes | None:
            if heard == Question(apex, rdtypes.DNSKEY):
                return many_keys(zone, heard, partial(key_of_any_tag, flags=0), keys)
            return walk.say(heard)

        return Attack(hostile, walk.question, say)

    yield "within the limits of sets", partial(made, 126, 120)
    yield "thousands", partial(made, LONGEST, LONGEST)


# ------------ What they cost ------------


@dataclass
class Outcome:
    """What came of an attack."""

    meter: Meter
    answer: Answer | None = None
    again: Answer | None = None
    honest: Answer | None = None

    def __str__(self) -> str:
        status = self.answer.verdict.status.name if self.answer else "no end of it"
        return f"{self.meter.calls} calls, {self.meter.longest} of them in a row: {status}"


async def outcome_of(attack: Attack, meter: Meter) -> Outcome:
    """The question is asked twice and told of; then an honest zone is asked for."""
    outcome = Outcome(meter)

    async def conduct(heard: Heard) -> bytes:
        with meter.pausing():
            said = attack.say(heard.query.question)
            return said or reply_to(heard.wire, attack.world.answer, over_udp=False) or b""

    crypto.load_key.cache_clear()
    names.ancestors.cache_clear()
    names.canonical_key.cache_clear()
    try:
        async with open_resolver(
            attack.world, MemoryUpstream(conduct), seconds=SECONDS
        ) as resolver:
            await resolver.resolve(question("good.lab."), FLAGS)
            with meter.counting():
                outcome.answer = await asked(resolver, attack.question)
            await trio.testing.wait_all_tasks_blocked()
            with meter.counting():
                outcome.again = await asked(resolver, attack.question)
            outcome.honest = await asked(resolver, question("www.good.lab."))
    except* TooMuchError:
        pass
    return outcome


async def asked(resolver: Resolver, asked: Question) -> Answer:
    """The answer, as the client of a door gets it."""
    known = resolver.known(asked, FLAGS)
    answer = known.answer if known else await resolver.resolve(asked, FLAGS)
    wire = asked.name + asked.rdtype.to_bytes(2) + rdtypes.IN.to_bytes(2)
    render(answer, Query(1, asked, wire, FLAGS, Edns(1232, dnssec_ok=True)), limit=1232)
    return answer


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """Knows where others have their turn."""
    meter = Meter(UNBEARABLE)
    give_way = Turns.give_way

    async def observed(turns: Turns) -> None:
        meter.give_way()
        await give_way(turns)

    monkeypatch.setattr(Turns, "give_way", observed)
    return meter


@pytest.mark.parametrize("name", ATTACKS)
async def test_the_worst_is_bearable(name: str, meter: Meter) -> None:
    attack = ATTACKS[name]()
    outcome = await outcome_of(attack, meter)
    assert outcome.answer is not None, f"{outcome}"
    assert outcome.again is not None, f"{outcome}"
    assert outcome.honest is not None, f"{outcome}"
    assert outcome.answer.verdict.status in attack.expected, f"{outcome}"
    assert outcome.again.verdict.status in attack.expected, f"{outcome}"
    assert outcome.honest.verdict.status is Status.SECURE
    assert meter.calls <= MOST_CALLS, f"{outcome}"
    assert meter.longest <= LONGEST_STRETCH, f"{outcome}"
