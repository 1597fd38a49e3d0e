"""Every row of the lab's table, through the engine in memory: verdict, code and first reason."""

import pytest
from _pytest.mark import ParameterSet

from anchord.config.anchors import read
from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model.response import Unanswered
from anchord.model.verdict import Status
from anchord.resolver.reply import extended_errors

NOW = 1_790_000_000


AWAITED = {
    "a cleared Zone Key flag explains why the key set does not verify: 11 before 6": """
        no-dnskey-256.testbed. A, nx.no-dnskey-256.testbed. A, no-dnskey-256.testbed. TXT
    """,
    "a key whose flags are all cleared is the DS record's, but for them: 11 before 9": """
        no-dnskey-257.testbed. A, nx.no-dnskey-257.testbed. A, no-dnskey-257.testbed. TXT,
        no-dnskey-256-257.testbed. A, nx.no-dnskey-256-257.testbed. A,
        no-dnskey-256-257.testbed. TXT
    """,
    "a key of another protocol does not lack the Zone Key flag: 9, or 6 for a ZSK, not 11": """
        protocol.lab. A, nx.protocol.lab. A, protocol.lab. TXT,
        protocol-zsk.lab. A, nx.protocol-zsk.lab. A, protocol-zsk.lab. TXT
    """,
    "an RRSIG is there, by a signer that cannot be: 6, not 10": """
        signed-elsewhere.lab. A, signed-below.lab. A, www.signed-by-no-zone.lab. A
    """,
    "the denial is there, and malformed: 6, not 12": """
        nx.empty-window.lab. A, empty-window.lab. TXT,
        nx.empty-window.hashed. A, empty-window.hashed. TXT
    """,
    "the parent's proof of no DS decides, whatever unsigned alias stands beside it: insecure": """
        ds-alias.lab. A, nx.ds-alias.lab. A
    """,
    "below an unanswered DS question nothing contradicts: unobtainable, not bogus": """
        nx.unanswered-ds.lab. A
    """,
    "the CNAME needs no RRSIG, it contradicts the DNAME: 6, not 10": """
        mail.old.forged-synthesis.lab. A, mail.old.forged-synthesis.lab. CNAME
    """,
    "the limit of DS records was hit, and must be named: 6, not 9": """
        many-ds.hostile. A, nx.many-ds.hostile. A, many-ds.hostile. TXT
    """,
}
"""What the engine does not get right yet, and the rows that show it."""

REASONS = {row.strip(): reason for reason, rows in AWAITED.items() for row in rows.split(",")}


def _marked(case: Case) -> ParameterSet:
    reason = REASONS.get(str(case))
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(case, id=str(case), marks=marks)


ROWS = [_marked(case) for case in CASES]


@pytest.fixture(scope="module")
def world() -> World:
    return World(NOW)


@pytest.fixture(scope="module")
def warm(world: World) -> Context:
    return _context(world)


def _context(world: World) -> Context:
    return Context(trust_anchors(read(world.trust_anchors(), "lab")), Zones())


@pytest.mark.parametrize("case", ROWS)
def test_cold(case: Case, world: World) -> None:
    _check(case, world, _context(world))


@pytest.mark.parametrize("case", ROWS)
def test_with_zones_that_are_known(case: Case, world: World, warm: Context) -> None:
    _check(case, world, warm)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(2**31 + 3600, id="2038, as the numbers turn negative"),
        pytest.param(2**32 - 3600, id="2106, before they begin anew"),
        pytest.param(2**32 + 3600, id="2106, after that"),
    ],
)
def test_when_the_times_of_signatures_wrap(now: int) -> None:
    world = World(now)
    for case in CASES:
        if str(case) not in REASONS:
            _check(case, world, _context(world))


def _check(case: Case, world: World, context: Context) -> None:
    answer = validate_question(case.question, world.answer, context, world.now)
    if isinstance(answer, Unanswered):
        assert case.status is Status.UNOBTAINABLE
        assert answer.edes[0].code in case.codes
        return
    errors = extended_errors(answer)
    assert answer.verdict.status is case.status, (case, errors)
    if not case.status.is_failure:
        assert answer.rcode == case.rcode
    assert [error.code for error in errors[:1] if error.code not in case.codes] == []
    assert bool(errors) == bool(case.codes), (case, errors)
