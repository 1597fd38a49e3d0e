"""What validators easily get wrong, and what is asked of the lab besides the public test-bed.

Two tables: what it is, then the rows of the lab that show it, or, where it is about anchors,
clients or octets, the tests by file and name.
"""

import ast
from pathlib import Path

import pytest

from anchord.lab.table import CASES

ROOT = Path(__file__).parents[3]
PAPER = ROOT.parent / "shared" / "knowledge" / "traps.md"

Shown = dict[str, tuple[str, ...]]

TRAPS: Shown = {
    "each link of an alias chain has keys of its own": (
        "insecure.alias.lab. A", "bogus.alias.lab. A", "out.links.lab. A"),
    "a wildcard's answer needs the proof that nothing is closer": (
        "any.no-wildcard-proof.lab. A", "out.w.no-name-denial.hashed. A"),
    "that proof may belong to a link in the middle": (
        "wild.links.lab. A", "lost.links.lab. A"),
    "NODATA at a wildcard needs two proofs, of the closest encloser's": (
        "out.w.no-name-denial.lab. MX", "out.w.no-wildcard-denial.lab. MX",
        "x.here.w.overreaching-wildcard.lab. A"),
    "NXDOMAIN denies the name and the wildcard, by one record or two": (
        "nx.no-name-denial.lab. A", "nx.no-wildcard-denial.hashed. A", "nx.one-name.hashed. A"),
    "the parent's record at a cut says nothing of what is below": (
        "nx.child.family.lab. A", "child.family.lab. TXT"),
    "nor does that of a DNAME": ("x.tree.denied.lab. A", "x.tree.denied.hashed. A"),
    "an empty non-terminal exists": ("b.good.lab. A", "b.denied.lab. A"),
    "only the parent denies a DS set": ("asked-of-child.lab. A", "asked-of-unsigned.lab. A"),
    "without NS there is no cut": (
        "host.spoofed.lab. A", "www.host.spoofed.lab. A", "sub.cuts.lab. DS"),
    "an alias is no cut, and denies no other type": (
        "x.www.cuts.lab. A", "www.cuts.lab. DS", "ds-alias.lab. A", "alias.denied.lab. A"),
    "an opt-out span proves a delegation, and nothing authentically": (
        "unsigned.optout. A", "nx.optout. A", "any.w.open.optout. A"),
    "without the flag, a span does not": ("gone.spoofed.hashed. A", "host.spoofed.hashed. A"),
    "the closest encloser by NSEC3 is the real one": (
        "nx.child.family.hashed. A", "x.tree.denied.hashed. A", "nx.no-encloser.hashed. A"),
    "salts do not mix, and the ends of a span are not in it": (
        "nx.mixed-salts.hashed. A", "nx.both-salts.hashed. A", "www.denied.hashed. A"),
    "a span that leaves the zone is no proof": ("nx.overreaching.lab. A",),
    "nor is one that was expanded from a wildcard": (
        "child.maze.lab. A", "out.w.expanded-denial.lab. MX"),
    "too many iterations, unknown hashes, unknown flags": (
        "nx.iterations.lab. A", "nx.unknown-hash.hashed. A", "nx.unknown-flags.hashed. A"),
    "an unknown DS counts for nothing, and a known one beside it does": (
        "unknown-algorithm.lab. A", "unknown-digest.lab. A", "more-ds.lab. A", "crossed-ds.lab. A"),
    "an anchor that is not supported makes nothing bogus": (
        "test_trust.py: an_anchor_that_is_unsupported_makes_everything_below_insecure",),
    "the closest anchor decides, but not about its own DS set": (
        "test_anchors.py: the_closest_anchor_above_decides",
        "test_holding.py: a_ds_set_at_the_anchors_own_name_is_judged_from_above"),
    "anchors are DS or DNSKEY, of either flag": (
        "test_anchors.py: an_anchor_is_given_as_ds_or_as_dnskey",
        "test_anchors.py: keys_of_either_flag_are_anchors",
        "test_anchors.py: keys_that_may_sign_nothing_are_no_anchors"),
    "keys of another protocol, and revoked ones": (
        "protocol.lab. A", "protocol-zsk.lab. A", "revoked.lab. A", "revoked-zsk.lab. A"),
    "labels, signer, covered type and original TTL of an RRSIG": (
        "labels-above-owner.lab. A", "signed-elsewhere.lab. A", "signed-below.lab. A",
        "covers-another.lab. A", "original-ttl.lab. A"),
    "times are serial numbers, and there is no leniency": (
        "just-ended.lab. A", "begins-soon.lab. A", "expired-before-valid.lab. A",
        "test_table.py: when_the_times_of_signatures_wrap"),
    "unsigned records beside signed ones": ("extras.lab. A",),
    "a CNAME that follows from a DNAME, or does not, or cannot": (
        "mail.old.dname.lab. A", "mail.old.forged-synthesis.lab. A",
        f"{'x' * 60}.wide.trees.lab. A"),
    "a DNAME from a wildcard, at the apex, asked for by itself": (
        "a.w.trees.lab. DNAME", "b.a.w.trees.lab. A", "mail.apex-tree.lab. A",
        "old.trees.lab. DNAME", "mail.old.trees.lab. CNAME"),
    "ANY is as good as every set of it": (
        "types.lab. ANY", "www.types.lab. ANY", "forged-any.lab. ANY", "b.types.lab. ANY"),
    "nothing signs RRSIG records": ("types.lab. RRSIG",),
    "what CD brings is for who sets it": (
        "test_resolver.py: data_for_who_checks_for_itself_never_reach_who_does_not",),
    "AD is ours alone, and for who asks for it": (
        "test_reply.py: each_flag_combination_sees_its_rendering_of_one_answer",
        "test_resolver.py: an_upstreams_own_claim_to_have_checked_is_nothing"),
    "without signatures it is bogus unless it is proven to be insecure": (
        "stripped.lab. A", "unsigned.no-denial.lab. A", "unsigned.lab. A"),
    "a cut may lie several labels down, on one server": (
        "signed.deep.er.cuts.lab. A", "unsigned.deep.er.cuts.hashed. A", "deep.er.cuts.lab. DS"),
    "at a cut, DS is the parent's and the rest the child's": (
        "good.lab. DS", "unsigned.lab. DS", "ds-by-child.lab. A"),
    "a denial may lack the SOA record, but not its signature": (
        "nx.no-soa.lab. A", "nx.stripped-soa.lab. A"),
    "a loop ends": ("loop.links.lab. A", "self.links.lab. A"),
    "case, the canonical form, and the order of records": (
        "shouting.lab. A", "shouting.hashed. A", "www.spelling.lab. A", "spelling.lab. A",
        "repeated.lab. A"),
    "what failed is not kept for long": (
        "test_trust.py: a_failure_is_not_kept",
        "test_freshness.py: a_failure_is_kept_twice_as_long_each_time_that_it_comes_back"),
    "malformed RDATA are survived": (
        "test_message.py: a_malformed_reply_is_a_form_error",
        "test_embedded.py: rdata_that_end_too_early_make_the_message_malformed",
        "test_conduct.py: nothing_is_known_over_an_upstream_that"),
}  # fmt: skip

BEYOND: Shown = {
    "opt-out": ("open.optout. A", "nx.open.optout. A", "any.w.open.optout. A"),
    "compact denial, with and without NXNAME": (
        "nx.compact.lab. A", "nx.compact-nxdomain.lab. A", "nx.compact-old.lab. A"),
    "white lies": ("nx.white-lies.lab. A", "a.b.nx.white-lies.hashed. A"),
    "an alias from a wildcard": ("any.to.wildcard.lab. A",),
    "a chain of DNAME": ("mail.older.trees.lab. A",),
    "DS of a zone-signing key": ("ds-of-zsk.lab. A",),
    "standby keys": ("standby.lab. A",),
    "two algorithms": ("two-algorithms.lab. A", "one-of-two.lab. A", "ds-of-one.lab. A"),
    "keys of one tag": ("collision.lab. A", "twins.hostile. A", "four-keys.hostile. A"),
    "KeyTrap": ("keytrap.hostile. A", "keytrap-keys.hostile. A"),
    "the clock of signatures wraps, 2038 and 2106": (
        "test_table.py: when_the_times_of_signatures_wrap",),
    "signatures that end in an hour": ("ends-soon.lab. A",),
    "a window of no octets": ("nx.empty-window.lab. A", "nx.empty-window.hashed. A"),
    "an RRSIG of too few labels": ("labels-above-zone.lab. A", "www.labels-below-owner.lab. A"),
    "a next name outside the zone": ("nx.overreaching.lab. A",),
    "a delegation in the place of an answer": ("referred.lab. A",),
    "parent and child on one server": ("child.good.lab. A", "good.lab. DS", "lab. SOA"),
    "DS at the apex, asked of the child": ("asked-of-child.lab. A",),
    "TLSA under an alias, from a wildcard, insecure": (
        "_443._tcp.shared.dane.lab. TLSA", "_25._tcp.hosted.dane.lab. TLSA",
        "_443._tcp.loose-dane.lab. TLSA"),
    "what mail needs (RFC 7672)": (
        "post.lab. MX", "_25._tcp.mx1.post.lab. TLSA", "_25._tcp.mx.backup-post.lab. TLSA",
        "_25._tcp.mx.unusable-post.lab. TLSA", "no-post.lab. MX", "loose-post.lab. MX",
        "_25._tcp.mx.denied-post.lab. TLSA"),
}  # fmt: skip

ROWS = {str(case) for case in CASES}


def names_in(file_name: str) -> set[str]:
    """The names of all tests in files of that name, without `test_`."""
    files = (ROOT / "tests").rglob(file_name)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name.removeprefix("test_")
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, functions)
    }


@pytest.mark.parametrize("shown", [*TRAPS.values(), *BEYOND.values()], ids=[*TRAPS, *BEYOND])
def test_it_is_a_row_of_the_lab_or_a_test(shown: tuple[str, ...]) -> None:
    assert shown
    for each in shown:
        file_name, is_test, name = each.partition(": ")
        assert name in names_in(file_name) if is_test else each in ROWS, each


def test_few_are_beyond_what_zones_can_show() -> None:
    shown_by_rows = [text for text, shown in TRAPS.items() if set(shown) & ROWS]
    assert len(shown_by_rows) > len(TRAPS) * 3 / 4


@pytest.mark.skipif(not PAPER.exists(), reason="the list of traps is not in this tree")
def test_no_trap_of_the_list_is_missing() -> None:
    numbered = [line for line in PAPER.read_text("utf-8").splitlines() if line[:1].isdigit()]
    assert len(numbered) == len(TRAPS) == 40
