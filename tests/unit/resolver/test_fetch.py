"""A question to the upstreams of its route: their order, their failures, and what is passed on."""

from collections.abc import Callable

import pytest
import trio
from msgspec.structs import replace

from anchord.lab.plan import Plan
from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.response import Response, RRset, Unanswered
from anchord.resolver.fetch import (
    ATTEMPT,
    DISTRUSTED,
    LIMITED,
    USUAL,
    Fetcher,
    Rung,
    passed_on,
)
from anchord.resolver.routes import Routes
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.choice import RESTING
from anchord.wire.message import TC
from anchord.wire.query import write_query
from support.lab import brief, question, world_of
from support.walk import (
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    always,
    changed,
    honest,
    in_fast_motion,
    silent,
    unreachable,
    written,
    zone,
)

TIMEOUT = 4.0
WORLD = world_of(
    Plan(
        "good.lab.",
        "signed",
        records="""
            www     A      192.0.2.1
            alias   CNAME  www
            out     CNAME  host.corp.lab.
            *.wild  CNAME  host.corp.lab.
            away    CNAME  host.gone.lab.
            old     DNAME  corp.lab.
        """,
    ),
    Plan("corp.lab.", "a zone of one's own", records="host A 192.0.2.7\nback CNAME www.good.lab."),
)
WWW = question("www.good.lab")


def upstream(conduct: Conduct, name: str = "one", **options: bool) -> MemoryUpstream:
    return MemoryUpstream(conduct, f"tls://{name}", **options)


def fetcher_over(routes: Routes) -> Fetcher:
    nursery = trio.lowlevel.current_task().parent_nursery
    assert nursery is not None
    return Fetcher(routes, nursery, timeout=TIMEOUT)


def fetcher_of(*upstreams: MemoryUpstream) -> Fetcher:
    return fetcher_over(Routes(upstreams))


def good(name: str = "one") -> MemoryUpstream:
    return upstream(honest(WORLD), name)


async def failing(heard: Heard) -> Said:
    return await always(rcodes.SERVFAIL)(heard)


async def got(fetcher: Fetcher, text: str = "www.good.lab A", rung: Rung = USUAL) -> Response:
    said = await fetcher.fetch(question(*text.split()), rung)
    assert isinstance(said, Response)
    return said


async def missed(fetcher: Fetcher, text: str = "www.good.lab A") -> Unanswered:
    said = await fetcher.fetch(question(*text.split()))
    assert isinstance(said, Unanswered)
    return said


def edes(said: Unanswered) -> list[tuple[int, str]]:
    return [(int(ede.code), ede.text) for ede in said.edes]


# ------------ What a query looks like ------------


async def test_a_query_asks_for_everything_and_for_no_judgement() -> None:
    one = good()
    said = await got(fetcher_of(one))
    assert (said.upstream, said.is_authenticated) == ("tls://one", True)
    assert [(heard.dnssec_ok, heard.checking_disabled) for heard in one.heard] == [(True, True)]


async def test_queries_are_padded_where_they_are_encrypted() -> None:
    one, two = good(), upstream(honest(WORLD), "two", is_encrypted=False)
    said = await got(fetcher_of(one))
    assert said.is_authenticated
    said = await got(fetcher_of(two))
    assert not said.is_authenticated
    assert (one.heard[0].is_padded, two.heard[0].is_padded) == (True, False)


async def test_a_rung_asks_one_upstream_and_may_leave_checking_to_it() -> None:
    one, two = good("one"), good("two")
    await got(fetcher_of(one, two), rung=Rung(two, checking_disabled=False))
    assert [(heard.dnssec_ok, heard.checking_disabled) for heard in two.heard] == [(True, False)]
    assert one.heard == []


async def test_a_rung_leads_to_no_upstream_of_another_route() -> None:
    one, corp = good("one"), good("corp")
    fetcher = fetcher_over(Routes([one], [zone("corp.lab", corp)]))
    await got(fetcher, rung=Rung(corp))
    assert (len(one.heard), len(corp.heard)) == (1, 0)


@in_fast_motion
async def test_no_failure_takes_do_or_cd_off_later_queries() -> None:
    """Whatever an upstream does to one name says nothing about the next (CVE-2026-52690)."""
    failures = [
        always(rcodes.SERVFAIL),
        always(rcodes.FORMERR),
        always(rcodes.NOTIMP),
        always(rcodes.REFUSED),
        unreachable,
        silent,
        changed(WORLD, lambda response: written(b"\0" * 12, response)[:5]),
    ]
    turns = iter(failures * 30)

    async def half_lost(heard: Heard) -> Said:
        if heard.text == "www.good.lab. A":
            return await honest(WORLD)(heard)
        return await next(turns)(heard)

    one = upstream(half_lost)
    fetcher = fetcher_of(one)
    for _ in failures * 30:
        await missed(fetcher, "alias.good.lab A")
        await got(fetcher)
    assert len(one.heard) == 2 * len(failures) * 30
    assert all(heard.dnssec_ok and heard.checking_disabled for heard in one.heard)


async def test_every_query_is_counted() -> None:
    fetcher = fetcher_of(upstream(failing), good("two"))
    await got(fetcher)
    await fetcher.guess(WWW)
    assert fetcher.queries == 3


# ------------ One after the other ------------


@pytest.mark.parametrize(
    "failure",
    [always(rcodes.SERVFAIL), always(rcodes.REFUSED), unreachable],
    ids=["SERVFAIL", "REFUSED", "unreachable"],
)
async def test_the_next_upstream_is_asked_where_one_fails(failure: Conduct) -> None:
    two = good("two")
    said = await got(fetcher_of(upstream(failure), two))
    assert (said.upstream, len(two.heard)) == ("tls://two", 1)


async def test_a_server_that_refuses_is_not_asked_by_its_other_way() -> None:
    one = upstream(failing)
    same = MemoryUpstream(honest(WORLD), "https://one/dns-query")
    said = await got(fetcher_of(one, same, good("two")))
    assert (said.upstream, same.heard) == ("tls://two", [])


async def test_a_server_that_cannot_be_reached_is_asked_by_its_other_way() -> None:
    same = MemoryUpstream(honest(WORLD), "https://one/dns-query")
    said = await got(fetcher_of(upstream(unreachable), same, good("two")))
    assert said.upstream == "https://one/dns-query"


async def test_as_configured_the_first_is_asked_first_and_alone() -> None:
    one, two = good("one"), good("two")
    fetcher = fetcher_of(one, two)
    for _ in range(3):
        await got(fetcher)
    assert (len(one.heard), len(two.heard)) == (3, 0)


@in_fast_motion
async def test_a_silent_upstream_has_its_share_of_the_time() -> None:
    said = await got(fetcher_of(upstream(silent), good("two")))
    assert said.upstream == "tls://two"
    assert trio.current_time() == pytest.approx(TIMEOUT * ATTEMPT)


@in_fast_motion
async def test_all_of_them_have_no_more_than_the_time_there_is() -> None:
    silents = [upstream(silent, name) for name in ("one", "two", "three", "four")]
    said = await missed(fetcher_of(*silents))
    assert trio.current_time() == pytest.approx(TIMEOUT)
    assert edes(said) == [(23, f"{each} did not answer in time") for each in silents]


@in_fast_motion
async def test_the_only_upstream_has_all_the_time() -> None:
    await got(fetcher_of(upstream(honest(WORLD, delay=3.9))))
    assert trio.current_time() == pytest.approx(3.9)


@in_fast_motion
async def test_an_upstream_that_did_not_answer_rests() -> None:
    one, two = upstream(silent), good("two")
    fetcher = fetcher_of(one, two)
    await got(fetcher)
    await got(fetcher, "alias.good.lab A")
    assert (len(one.heard), len(two.heard)) == (1, 2)
    await trio.sleep(RESTING)
    await got(fetcher)
    assert len(one.heard) == 2


@in_fast_motion
async def test_its_rest_ends_when_it_answers() -> None:
    async def silent_at_first(heard: Heard) -> Said:
        return await (silent if len(one.heard) == 1 else honest(WORLD))(heard)

    async def good_at_first(heard: Heard) -> Said:
        return await (honest(WORLD) if len(two.heard) == 1 else unreachable)(heard)

    one, two = upstream(silent_at_first), upstream(good_at_first, "two")
    fetcher = fetcher_of(one, two)
    await got(fetcher)  # by the second
    await got(fetcher)  # which fails, so that the first is asked and answers
    await got(fetcher)
    assert (len(one.heard), len(two.heard)) == (3, 2)


@pytest.mark.parametrize("conduct", [failing, changed(WORLD, lambda _: b"nonsense")])
async def test_a_name_that_fails_is_not_held_against_an_upstream(conduct: Conduct) -> None:
    async def for_one_name(heard: Heard) -> Said:
        return await (conduct if heard.text == "alias.good.lab. A" else honest(WORLD))(heard)

    one, two = upstream(for_one_name), good("two")
    fetcher = fetcher_of(one, two)
    for _ in range(1000):
        await got(fetcher, "alias.good.lab A")
        await got(fetcher)
    assert two.asked == ["alias.good.lab. A"] * 1000


@in_fast_motion
async def test_a_distrusted_upstream_comes_last_for_a_while() -> None:
    one, two = good("one"), good("two")
    fetcher = fetcher_of(one, two)
    await got(fetcher)
    fetcher.distrust("tls://one")
    await got(fetcher)
    await fetcher.fetch(WWW, Rung(one))  # that it answers is no reason to trust it
    await got(fetcher)
    assert (len(one.heard), len(two.heard)) == (2, 2)
    assert (one.counters.refutations, two.counters.refutations) == (1, 0)
    await trio.sleep(DISTRUSTED)
    await got(fetcher)
    assert len(one.heard) == 3


@in_fast_motion
async def test_it_comes_after_one_that_does_not_answer() -> None:
    one, two = good("one"), upstream(silent, "two")
    fetcher = fetcher_of(one, two)
    fetcher.distrust("tls://one")
    for _ in range(2):
        said = await got(fetcher)
        assert said.upstream == "tls://one"
    assert len(two.heard) == 2


async def test_no_more_than_three_upstreams_learn_of_a_name_that_none_can_resolve() -> None:
    upstreams = [upstream(failing, name) for name in ("one", "two", "three", "four")]
    said = await missed(fetcher_of(upstream(unreachable), *upstreams))
    assert [len(each.heard) for each in upstreams] == [1, 1, 1, 0]
    assert [code for code, _ in edes(said)] == [23, 22, 22, 22]


# ------------ Why there is no answer ------------


@pytest.mark.parametrize(
    ("conduct", "expected"),
    [
        (unreachable, [(23, "tls://away.example: no route to host")]),
        (always(rcodes.SERVFAIL), [(22, "tls://one answered SERVFAIL")]),
        (always(rcodes.REFUSED), [(22, "tls://one answered REFUSED")]),
        (always(rcodes.NOTIMP), [(22, "tls://one answered NOTIMP")]),
        (
            always(rcodes.SERVFAIL, Ede(22, "at delegation good.lab."), Ede(9, "no DNSKEY")),
            [
                (22, "tls://one answered SERVFAIL"),
                (22, "from tls://one: at delegation good.lab."),
            ],
        ),
    ],
)
async def test_the_cause_names_the_upstream(
    conduct: Conduct, expected: list[tuple[int, str]]
) -> None:
    assert edes(await missed(fetcher_of(upstream(conduct)))) == expected


async def test_what_is_no_dns_is_told_so() -> None:
    async def garbage(_: Heard) -> Said:
        raise UpstreamError("tls://one", Kind.MALFORMED, "the reply is no DNS")

    said = await missed(fetcher_of(upstream(garbage)))
    assert edes(said) == [(24, "tls://one: the reply is no DNS")]


def in_bytes(response: Response) -> bytes:
    return written(write_query(response.question), response)


def cut(response: Response) -> bytes:
    return in_bytes(response)[:-3]


def truncated(response: Response) -> bytes:
    wire = in_bytes(response)
    return wire[:2] + bytes((wire[2] | TC >> 8,)) + wire[3:]


def to_another_question(response: Response) -> bytes:
    return in_bytes(response).replace(b"\3www", b"\3wwx", 1)


@pytest.mark.parametrize(
    "spoil", [lambda _: b"", cut, truncated, to_another_question], ids=lambda spoil: spoil.__name__
)
async def test_nonsense_is_told_and_the_next_upstream_asked(
    spoil: Callable[[Response], Said],
) -> None:
    one = upstream(changed(WORLD, spoil))
    [(code, text)] = edes(await missed(fetcher_of(one)))
    assert code == 24
    assert text.startswith("tls://one sent nonsense: ")
    assert (await got(fetcher_of(one, good("two")))).upstream == "tls://two"


async def test_every_upstream_tells_its_cause() -> None:
    said = await missed(fetcher_of(upstream(unreachable), upstream(failing, "two")))
    assert edes(said) == [
        (23, "tls://away.example: no route to host"),
        (22, "tls://two answered SERVFAIL"),
    ]


# ------------ Blocks ------------


async def test_a_block_is_final() -> None:
    """Another upstream is not asked in order to get around a filter that somebody chose."""
    two = good("two")
    said = await missed(fetcher_of(upstream(always(rcodes.REFUSED, Ede(15, "malware"))), two))
    assert said.blocked_by == "tls://one"
    assert edes(said) == [(22, "tls://one answered REFUSED"), (15, "from tls://one: malware")]
    assert two.heard == []


async def test_a_block_that_anybody_could_have_made_is_none() -> None:
    one = upstream(always(rcodes.REFUSED, Ede(15, "malware")), is_encrypted=False)
    assert (await got(fetcher_of(one, good("two")))).upstream == "tls://two"


@pytest.mark.parametrize("was_encrypted", [True, False])
async def test_a_block_by_a_way_that_ended_or_began_meanwhile_is_none(
    *, was_encrypted: bool
) -> None:
    """Nobody can tell which of the two it came by."""

    async def change(heard: Heard) -> Said:
        one.is_encrypted = not was_encrypted
        return await always(rcodes.REFUSED, Ede(15, "malware"))(heard)

    one = upstream(change, is_encrypted=was_encrypted)
    assert (await got(fetcher_of(one, good("two")))).upstream == "tls://two"


# ------------ Guesses ------------


@in_fast_motion
async def test_a_guess_goes_to_one_upstream_alone() -> None:
    two = good("two")
    fetcher = fetcher_of(upstream(failing), two)
    said = await fetcher.guess(WWW)
    assert isinstance(said, Unanswered)
    assert two.heard == []
    assert isinstance(await fetcher_of(two).guess(WWW), Response)


@in_fast_motion
async def test_silence_to_a_guess_is_not_held_against_an_upstream() -> None:
    one, two = upstream(silent), good("two")
    fetcher = fetcher_of(one, two)
    assert isinstance(await fetcher.guess(WWW), Unanswered)
    assert trio.current_time() == pytest.approx(TIMEOUT)
    await got(fetcher)
    assert len(one.heard) == 2
    assert fetcher.may_guess


@pytest.mark.parametrize(
    "conduct",
    [
        always(rcodes.REFUSED),
        always(rcodes.SERVFAIL, Ede(31, "slow down")),
        always(rcodes.SERVFAIL, Ede(32)),
    ],
)
@in_fast_motion
async def test_an_upstream_with_too_much_to_do_is_spared_guesses(conduct: Conduct) -> None:
    fetcher = fetcher_of(upstream(conduct))
    assert fetcher.may_guess
    await fetcher.guess(WWW)
    assert not fetcher.may_guess
    await trio.sleep(LIMITED)
    assert fetcher.may_guess


async def test_an_ordinary_failure_of_a_guess_means_nothing() -> None:
    fetcher = fetcher_of(upstream(failing))
    await fetcher.guess(WWW)
    assert fetcher.may_guess


# ------------ Extended DNS Errors of upstreams ------------


def test_codes_about_validation_are_not_passed_on() -> None:
    codes = range(35)
    response = Response(WWW, rcodes.NOERROR, edes=tuple(map(Ede, codes)), upstream="tls://one")
    passed = {ede.code for ede in passed_on(response)}
    assert set(codes) - passed == {1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27}


@pytest.mark.parametrize(
    ("text", "told"),
    [("why", "from tls://one: why"), ("", "from tls://one"), ("a: b", "from tls://one: a: b")],
)
def test_the_others_are_passed_on_with_the_upstreams_name(text: str, told: str) -> None:
    response = Response(WWW, rcodes.NOERROR, edes=(Ede(3, text),), upstream="tls://one")
    assert passed_on(response) == [Ede(3, told)]


async def test_a_zone_of_ones_own_never_forges() -> None:
    """Browsers take EDE 4 without records for final, whatever else may know the name."""
    conduct = changed(WORLD, lambda response: replace(response, edes=(Ede(4), Ede(18))))
    one, corp = upstream(conduct), upstream(conduct, "corp")
    fetcher = fetcher_over(Routes([one], [zone("corp.lab", corp)]))
    assert [ede.code for ede in (await got(fetcher)).edes] == [4, 18]
    assert [ede.code for ede in (await got(fetcher, "host.corp.lab A")).edes] == [18]


# ------------ From one route into another ------------


def routed() -> Fetcher:
    return fetcher_over(Routes([good()], [zone("corp.lab", good("corp"))]))


async def test_an_alias_within_the_route_comes_whole() -> None:
    said = await got(routed(), "alias.good.lab A")
    assert brief(said.answer) == ["alias.good.lab. CNAME", "www.good.lab. A"]


async def test_an_alias_out_of_the_route_is_all_that_is_taken() -> None:
    said = await got(routed(), "out.good.lab A")
    assert brief(said.answer) == ["out.good.lab. CNAME"]
    assert (said.rcode, said.authority) == (rcodes.NOERROR, ())


async def test_the_same_goes_for_the_way_out_of_a_zone() -> None:
    said = await got(routed(), "back.corp.lab A")
    assert (said.upstream, brief(said.answer)) == ("tls://corp", ["back.corp.lab. CNAME"])


async def test_an_alias_that_follows_from_a_dname_leads_out_too() -> None:
    said = await got(routed(), "host.old.good.lab A")
    assert brief(said.answer) == ["old.good.lab. DNAME", "host.old.good.lab. CNAME"]


async def test_that_the_target_does_not_exist_is_not_taken_either() -> None:
    fetcher = fetcher_over(Routes([good()], [zone("gone.lab", good("corp"))]))
    whole = await got(fetcher_of(good()), "away.good.lab A")
    assert (whole.rcode, brief(whole.answer)) == (rcodes.NXDOMAIN, ["away.good.lab. CNAME"])
    said = await got(fetcher, "away.good.lab A")
    assert (said.rcode, brief(said.answer)) == (rcodes.NOERROR, ["away.good.lab. CNAME"])
    assert rdtypes.SOA not in {rrset.rdtype for rrset in said.authority}


async def test_the_proof_of_a_wildcard_stays() -> None:
    said = await got(routed(), "any.wild.good.lab A")
    assert brief(said.answer) == ["any.wild.good.lab. CNAME"]
    assert {rrset.rdtype for rrset in said.authority} == {rdtypes.NSEC}


async def test_the_ds_set_of_a_zones_apex_belongs_to_the_parents_route() -> None:
    said = await got(routed(), "corp.lab DS")
    assert (said.upstream, brief(said.answer)) == ("tls://one", ["corp.lab. DS"])


# ------------ Zones that are not checked ------------


def from_before_edns(rcode: int) -> Conduct:
    async def conduct(heard: Heard) -> Said:
        if heard.query.edns is not None:
            return Response(heard.query.question, rcode)
        address = RRset(heard.query.question.name, rdtypes.A, 300, (b"\xc0\0\2\7",))
        return Response(heard.query.question, rcodes.NOERROR, (address,))

    return conduct


@pytest.mark.parametrize("rcode", [rcodes.FORMERR, rcodes.NOTIMP])
async def test_an_old_server_of_an_insecure_zone_is_asked_without_edns(rcode: int) -> None:
    corp = upstream(from_before_edns(rcode), "corp")
    routes = Routes([good()], [zone("corp.lab", corp, is_checked=False)])
    said = await got(fetcher_over(routes), "host.corp.lab A")
    assert brief(said.answer) == ["host.corp.lab. A"]
    assert [heard.query.edns is None for heard in corp.heard] == [False, True]


@pytest.mark.parametrize("rcode", [rcodes.FORMERR, rcodes.NOTIMP])
async def test_nothing_that_is_checked_is_ever_asked_without_it(rcode: int) -> None:
    corp = upstream(from_before_edns(rcode), "corp")
    fetcher = fetcher_over(Routes([good()], [zone("corp.lab", corp)]))
    assert edes(await missed(fetcher, "host.corp.lab A"))[0][0] == 22
    assert all(heard.dnssec_ok for heard in corp.heard)
