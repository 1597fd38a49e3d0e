"""Hostile amounts: every limit is crossed, and harms nothing but the question that crosses it."""

from functools import partial

import pytest
from msgspec.structs import replace

from anchord.dnssec.asking import Ask, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.replay import run
from anchord.dnssec.trust import find_zone
from anchord.lab.denial import Nsec3
from anchord.lab.keys import ECDSAP256SHA256, ECDSAP384SHA384, ED448
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import rdtypes
from anchord.model.response import Response, RRset
from anchord.model.verdict import Status
from support.counting import calls
from support.denials import name, rrsig
from support.judging import (
    Lie,
    Upstream,
    chained,
    codes,
    context_of,
    judge,
    rrset,
    saying,
    signed_by,
    status,
    texts,
    zone_in,
)
from support.lab import NOW, question, world_of

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip

EVIL = b"\6\6\6\6"


def test_any_ends_with_the_first_rrset_that_fails(world: World) -> None:
    """What is certain already is not looked into a thousand times."""
    many = [RRset(name("q.z.lab"), 1000 + n, 300, (b"x",)) for n in range(1000)]
    few = many[:10]

    def work(rrsets: list[RRset]) -> int:
        upstream = Upstream(world, {"q.z.lab ANY": saying(*rrsets)})
        assert judge(upstream, "q.z.lab ANY").verdict.status is BOGUS
        assert "q.z.lab. DS" in upstream.asked
        return len(upstream.asked)

    assert work(many) == work(few)


def keytrap(world: World, text: str, keys: int, signatures: int) -> dict[str, Lie]:
    """CVE-2023-50387: many keys of one tag, and many signatures by it over everything."""
    zone = zone_in(world, text)
    key = zone.zone_signers[0]
    same: list[bytes] = []
    for number in range(1, keys + 1):
        octets = bytearray(key.public)
        at = 2 * (1 + number % 30)
        octets[0:2], octets[at : at + 2] = octets[at : at + 2], octets[0:2]
        octets[4:6], octets[at - 2 : at] = octets[at - 2 : at], octets[4:6]
        same.append(replace(key, public=bytes(octets)).rdata)
    keyset = zone.records[zone.apex, rdtypes.DNSKEY]
    ksk = zone.key_signers[0]
    rdatas = tuple(dict.fromkeys((ksk.rdata, *same)))
    trapped = signed_by(zone, replace(keyset, rdatas=rdatas), key=ksk)
    zone.put(trapped)

    def lie(response: Response) -> Response:
        def many(rrset: RRset) -> RRset:
            if not rrset.signatures:
                return rrset
            good = rrset.signatures[0]
            bad = tuple(good[:-2] + n.to_bytes(2) for n in range(signatures))
            return replace(rrset, signatures=bad)

        return replace(
            response,
            answer=tuple(map(many, response.answer)),
            authority=tuple(map(many, response.authority)),
        )

    return {f"{text} A": lie, f"nx.{text} A": lie, f"{text} TXT": lie, f"{text} ANY": lie}


@pytest.mark.parametrize("asked", ["y.lab A", "nx.y.lab A", "y.lab TXT", "y.lab ANY"])
def test_keytrap_ends_with_the_budget_and_harms_nobody_else(world: World, asked: str) -> None:
    context = context_of(world)
    lies = keytrap(world, "y.lab", 100, 100)
    answer = judge(Upstream(world, lies), asked, context)
    assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
    assert "too many" in texts(answer)
    for other in ("z.lab A", "nx.z.lab A"):
        assert status(world, other, context=context) is SECURE


def test_a_hostile_chain_that_ends_in_a_good_zone_leaves_it_good() -> None:
    """Eleven aliases, each with signatures that cost and do not verify."""
    world = chained(11)
    context = context_of(world)

    def lie(response: Response) -> Response:
        def spoil(rrset: RRset) -> RRset:
            if rrset.rdtype != rdtypes.CNAME:
                return rrset
            good = rrset.signatures[0]
            return replace(rrset, signatures=(*(good[:-2] + n.to_bytes(2) for n in range(7)), good))

        return replace(response, answer=tuple(map(spoil, response.answer)))

    answer = judge(Upstream(world, {"n0.z.lab A": lie}), "n0.z.lab A", context)
    assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
    assert "too many signatures that do not verify" in texts(answer)
    assert judge(world, "y.lab A", context).verdict.status is SECURE
    assert judge(world, "n5.z.lab A", context).verdict.status is SECURE


def test_128_checks_are_made_for_a_query_and_not_one_more(world: World) -> None:
    zone = zone_in(world, "z.lab")
    needed = 2 * 3  # three key sets, two DS sets, and one to spare
    for number in range(140):
        zone.put(signed_by(zone, rrset("z.lab.", f"TYPE{1000 + number}", b"x")))

    def some(count: int) -> Lie:
        kept = [zone.records[zone.apex, 1000 + number] for number in range(count)]
        return saying(*kept)

    fits = 128 - (needed - 1)
    assert status(world, "z.lab ANY", {"z.lab ANY": some(fits)}) is SECURE
    answer = judge(Upstream(world, {"z.lab ANY": some(fits + 1)}), "z.lab ANY")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signature checks" in texts(answer)


@pytest.mark.parametrize(
    ("algorithm", "granted"),
    [(ECDSAP256SHA256, [7, 7, 2]), (ECDSAP384SHA384, [2]), (ED448, [5])],
    ids=["P-256", "P-384", "Ed448"],
)
def test_sixteen_failed_checks_are_made_for_a_query_or_fewer_costly_ones_and_not_one_more(
    algorithm: int, granted: list[int]
) -> None:
    world = world_of(Plan("z.lab.", "asked", algorithms=(algorithm,)))
    zone = zone_in(world, "z.lab")

    def spoilt(failures: list[int]) -> Lie:
        rrsets = []
        for number, count in enumerate(failures):
            good = signed_by(zone, rrset("z.lab.", f"TYPE{1000 + number}", b"x"))
            bad = tuple(good.signatures[0][:-2] + n.to_bytes(2) for n in range(count))
            rrsets.append(replace(good, signatures=(*bad, *good.signatures)))
        return saying(*rrsets)

    assert status(world, "z.lab ANY", {"z.lab ANY": spoilt(granted)}) is SECURE
    one_more = [*granted[:-1], granted[-1] + 1]
    answer = judge(Upstream(world, {"z.lab ANY": spoilt(one_more)}), "z.lab ANY")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signatures that do not verify" in texts(answer)


def test_of_denials_in_a_failure_no_more_are_kept_than_are_looked_at() -> None:
    """BIND, CVE-2026-11605: a denial padded with records."""
    for count, kept in ((90, 92), (200, 96)):  # beside the good ones: the zone's SOA and one NSEC
        world = world_of(Plan("z.lab.", "padded", faults=f"padded-denials {count}"))
        answer = judge(world, "nx.z.lab A")
        assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
        assert len(answer.authority) == kept


@pytest.mark.parametrize(
    ("faults", "most", "words"),
    [
        ("many-ds {}", 127, "too many DS records"),
        ("malformed-keys ZSK {}", 126, "too many keys"),
        ("unusable-signatures {} A", 127, "too many RRSIGs over one RRset"),
    ],
)
def test_of_more_records_than_any_set_has_none_is_looked_at(
    faults: str, most: int, words: str
) -> None:
    """The good ones are among them; with one less than that, other limits tell."""
    work = 0
    for count in (most, most + 1):
        world = world_of(Plan("z.lab.", "many", faults=faults.format(count)))
        before, work = work, calls(partial(judge, world, "z.lab A"))
        answer = judge(world, "z.lab A")
    assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
    assert f"{words}; " in texts(answer)
    assert work < before


def test_more_denials_than_any_answer_needs_are_not_looked_at() -> None:
    most = Limits().evidence_records
    for count, words in ((most, "records that do not verify"), (most + 1, "NSEC3 records; ")):
        padding = count - 1  # one NSEC of the zone's own denies the name and its wildcard
        world = world_of(Plan("z.lab.", "padded", faults=f"padded-denials {padding}"))
        answer = judge(world, "nx.z.lab A")
        assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
        assert words in texts(answer)


def test_hashing_is_limited_for_the_whole_query() -> None:
    """CVE-2023-50868: a name of 120 labels below NSEC3 with 50 iterations and a long salt."""
    world = world_of(Plan("z.lab.", "dear", denial=Nsec3(50, bytes(255))))
    asked = "a." * 119 + "z.lab A"
    context = context_of(world)
    answer = judge(world, asked, context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too much NSEC3 hashing" in texts(answer)
    assert judge(world, "nx.z.lab A", context).verdict.status is SECURE
    assert judge(world, "z.lab TXT", context).verdict.status is SECURE


def test_a_tlsa_question_below_six_labels_at_50_iterations_passes() -> None:
    records = "a.b.c.d.e.f A 192.0.2.1"
    world = world_of(Plan("z.lab.", "deep", records=records, denial=Nsec3(50, bytes(8))))
    for asked in ("_25._tcp.a.b.c.d.e.f.z.lab TLSA", "_25._tcp.nx.a.b.c.d.e.f.z.lab TLSA"):
        answer = judge(world, asked)
        assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


def alias_with_junk(world: World, text: str) -> tuple[RRset, RRset]:
    """An alias of z.lab with a signature by a zone that is none, and a forged DS set for that."""
    zone = zone_in(world, "z.lab")
    alias = zone.records[name(text), rdtypes.CNAME]
    deeper = rrsig(rdtypes.CNAME, name(text), 3)
    forged = signed_by(zone, rrset(f"{text}.", "DS", bytes(36)))
    junk = replace(forged, signatures=(forged.signatures[0][:-1] + b"\0",))
    return replace(alias, signatures=(deeper, *alias.signatures)), junk


def test_a_budget_that_junk_has_spent_ends_no_chain_in_the_middle(world: World) -> None:
    """What verified before costs nothing: the alias is secure, and still nothing is known."""
    limits = Limits(failed_signatures=0)
    context = context_of(world, limits=limits)
    assert status(world, "away.z.lab A", context=context) is SECURE
    alias, junk = alias_with_junk(world, "away.z.lab")
    lies: dict[str, Lie] = {
        "away.z.lab A": saying(alias),
        "away.z.lab DS": saying(junk),
    }
    upstream = Upstream(world, lies)
    answer = judge(upstream, "away.z.lab A", context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signatures that do not verify" in texts(answer)
    assert upstream.asked == ["away.z.lab. A", "away.z.lab. DS"]


def test_an_alias_behind_a_budget_that_is_spent_is_not_looked_into(world: World) -> None:
    limits = Limits(failed_signatures=0)
    context = context_of(world, limits=limits)
    assert status(world, "gone.z.lab CNAME", context=context) is SECURE
    alias, junk = alias_with_junk(world, "gone.z.lab")
    following = signed_by(zone_in(world, "y.lab"), rrset("nx.y.lab.", "CNAME", name("z.lab")))
    lies: dict[str, Lie] = {
        "gone.z.lab A": saying(alias, following),
        "gone.z.lab DS": saying(junk),
    }
    upstream = Upstream(world, lies)
    assert judge(upstream, "gone.z.lab A", context).verdict.status is BOGUS
    assert upstream.asked == ["gone.z.lab. A", "gone.z.lab. DS"]


def test_a_long_validation_lets_others_run(world: World) -> None:
    """A pause stands before each signature, whether it verifies or not; and about the whole."""
    context = context_of(world)
    judge(world, "z.lab A", context)
    context.memo.clear()
    response = world.answer(question("z.lab", "ANY"))
    assert isinstance(response, Response)
    asking = validate(response, Work(context, Budget(context.limits), NOW))
    pauses = 0
    request = asking.send(None)
    while not isinstance(request, Ask):
        pauses += request is None
        zone = None
        if request:
            zone = run(find_zone(request, context, NOW), world.answer, context, NOW)
        try:
            request = asking.send(zone)
        except StopIteration:
            break
    assert pauses == 2 + len([rrset for rrset in response.answer if rrset.signatures])
