"""Every limit, crossed: what needs so much gets its verdict, and with one less it does not.

Past a limit it is this question that fails, with a reason that names the limit; whoever asks
something else of the same resolver does not notice.
"""

from dataclasses import dataclass

import pytest
from msgspec.structs import fields

from anchord.dnssec.limits import Limits
from anchord.lab.world import World
from anchord.model.verdict import Status
from support.lab import NOW
from support.walk import (
    MemoryUpstream,
    ask,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    texts,
)

WORLD = World(NOW)


@dataclass(frozen=True)
class Crossing:
    """A question of the lab that needs `needs` of a limit, and what is said if there is less."""

    limit: str
    question: str
    needs: int
    words: str
    code: int = 6

    def __str__(self) -> str:
        return self.limit


CROSSINGS = [
    Crossing("signatures", "good.lab A", 6, "too many signature checks"),
    Crossing("failed_signatures", "eight-signatures.hostile A", 7,
             "too many signatures that do not verify"),
    Crossing("zone_signatures", "good.lab A", 2, "too many signature checks"),
    Crossing("zone_failed_signatures", "eight-key-signatures.hostile A", 7,
             "too many signatures that do not verify"),
    Crossing("signatures_per_rrset", "eight-signatures.hostile A", 8,
             "too many RRSIGs over one RRset"),
    Crossing("records_per_set", "unusable-beside.lab A", 21,
             "too many RRSIGs over one RRset"),
    Crossing("records_per_set", "eight-ds.hostile A", 8, "too many DS records"),
    Crossing("records_per_set", "four-keys.hostile A", 5, "too many keys"),
    Crossing("keys_per_tag", "four-keys.hostile A", 4, "too many keys with one key tag"),
    Crossing("ds_per_zone", "eight-ds.hostile A", 8, "too many DS records"),
    Crossing("denial_records", "nx.white-lies.hashed A", 3,
             "too many NSEC or NSEC3 records that do not verify"),
    Crossing("nsec3_iterations", "nx.nsec3-iter-50.testbed A", 50, "more iterations", code=27),
    Crossing("hash_blocks", "nx.good.hashed A", 6, "too much NSEC3 hashing"),
    Crossing("aliases", "a3.long.lab A", 3, "too many aliases"),
    Crossing("effort", "good.lab A", 33, "too many records to look at"),
    Crossing("upstream_records", "good.lab A", 21, "records in the replies"),
    Crossing("upstream_queries", "b.a.nowhere.good.lab A", 2, "too many upstream queries"),
]  # fmt: skip

SETTLED = {
    "five-keys.hostile A": "too many keys with one key tag",
    "nine-signatures.hostile A": "too many RRSIGs over one RRset",
    "nine-ds.hostile A": "too many DS records",
    "keytrap.hostile A": "too many",
    "nx.padded.hostile A": "too many NSEC or NSEC3 records",
    "nx.padded-nsec3.hostile A": "too many NSEC or NSEC3 records",
    "x.w5.wildcards.hostile A": "too much NSEC3 hashing",
    "many-types.hostile ANY": "too many signature checks",
    "a12.long.lab A": "too many aliases",
}
"""Rows of the lab that go past the limits as they are."""


def test_every_limit_is_crossed() -> None:
    """That of the repeats needs more upstreams than one (`test_again.py`)."""
    crossed = {crossing.limit for crossing in CROSSINGS}
    assert {field.name for field in fields(Limits)} - crossed == {"repeated_queries"}


@pytest.mark.parametrize("crossing", CROSSINGS, ids=str)
@in_fast_motion
async def test_what_needs_so_much_is_secure_and_with_one_less_it_is_not(
    crossing: Crossing,
) -> None:
    enough = Limits(**{crossing.limit: crossing.needs})
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD)), limits=enough) as resolver:
        answer = await ask(resolver, *crossing.question.split())
    assert (answer.verdict.status, codes(answer)) == (Status.SECURE, [])
    too_little = Limits(**{crossing.limit: crossing.needs - 1})
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD)), limits=too_little) as resolver:
        answer = await ask(resolver, *crossing.question.split())
    assert answer.verdict.status is not Status.SECURE
    assert codes(answer)[0] == crossing.code
    assert crossing.words in texts(answer)[0]


@pytest.mark.parametrize(("text", "words"), SETTLED.items(), ids=SETTLED)
@in_fast_motion
async def test_past_a_limit_one_question_fails_and_says_so_and_no_other_does(
    text: str, words: str
) -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        answer = await ask(resolver, *text.split())
        assert answer.verdict.status.is_failure
        assert codes(answer)[0] == 6
        assert words in texts(answer)[0]
        for name in ("good.lab", "twins.hostile", "good.hashed"):
            other = await ask(resolver, name)
            assert other.verdict.status is Status.SECURE, name
