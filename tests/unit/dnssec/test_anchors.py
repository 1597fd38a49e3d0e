"""Trust anchors and negative ones: which of several decides."""

import pytest

from anchord.dnssec.anchors import Anchor, NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.crypto import digest
from anchord.lab.keys import REVOKE, derive, ds_rdata
from anchord.model import names, rdtypes
from anchord.model.names import ROOT
from anchord.model.verdict import FOREVER
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_ds
from support.denials import name

ZONE = name("z.lab.")
KEY = derive("anchors", ZONE, 13, flags=257)
DS = ds_rdata(ZONE, KEY)


def anchors(*zones: str, negative: tuple[NegativeAnchor, ...] = ()) -> TrustAnchors:
    return TrustAnchors([Anchor(name(zone), (read_ds(DS),)) for zone in zones], negative)


def closest(found: TrustAnchors, text: str) -> str | None:
    anchor = found.closest(name(text))
    return names.to_text(anchor.zone) if anchor else None


def test_the_closest_anchor_above_decides() -> None:
    """RFC 6840 section 5.10, appendix C.1."""
    found = anchors(".", "lab.", "z.lab.")
    assert closest(found, "www.z.lab.") == "z.lab."
    assert closest(found, "z.lab.") == "z.lab."
    assert closest(found, "y.lab.") == "lab."
    assert closest(found, "xz.lab.") == "lab."
    assert closest(found, "example.") == "."
    assert closest(found, ".") == "."


def test_without_an_anchor_above_there_is_none() -> None:
    found = anchors("z.lab.")
    assert closest(found, "lab.") is None
    assert closest(found, ".") is None
    assert closest(found, "y.lab.") is None
    assert list(anchors()) == []
    assert [anchor.zone for anchor in anchors(".", "lab.")] == [ROOT, name("lab.")]


# ------------ As records ------------


def test_an_anchor_is_given_as_ds_or_as_dnskey() -> None:
    for rdtype, rdata in ((rdtypes.DS, DS), (rdtypes.DNSKEY, KEY.rdata)):
        anchor = trust_anchors([(names.from_text("Z.LAB."), rdtype, rdata)]).closest(ZONE)
        assert anchor == Anchor(ZONE, (read_ds(DS),))


def test_a_dnskey_stands_for_its_digest_under_the_lower_case_name() -> None:
    anchor = trust_anchors([(names.from_text("Z.LAB."), rdtypes.DNSKEY, KEY.rdata)]).closest(ZONE)
    assert anchor
    assert anchor.ds[0].digest == digest(2, ZONE + KEY.rdata)


def test_several_records_of_one_zone_are_one_anchor() -> None:
    other = derive("anchors", ZONE, 8)
    found = trust_anchors(
        [
            (ZONE, rdtypes.DS, DS),
            (names.from_text("z.LAB."), rdtypes.DNSKEY, other.rdata),
            (ROOT, rdtypes.DS, DS),
        ]
    )
    anchor = found.closest(ZONE)
    assert anchor
    assert [ds.key_tag for ds in anchor.ds] == [KEY.key_tag, other.key_tag]
    assert len(list(found)) == 2


def test_a_ds_is_never_read_as_a_key() -> None:
    """Though its octets may look like one: flags 256, protocol 3."""
    ds = b"\1\0\3\2" + bytes(32)
    anchor = trust_anchors([(ZONE, rdtypes.DS, ds)]).closest(ZONE)
    assert anchor == Anchor(ZONE, (read_ds(ds),))


@pytest.mark.parametrize("flags", [256, 257])
def test_keys_of_either_flag_are_anchors(flags: int) -> None:
    """Trap 22: whether a key is called KSK or ZSK does not matter."""
    key = derive("anchors", ZONE, 13, flags=flags)
    assert trust_anchors([(ZONE, rdtypes.DNSKEY, key.rdata)]).closest(ZONE)


@pytest.mark.parametrize(
    "rdata",
    [
        b"\0\0" + KEY.rdata[2:],
        b"\0\1" + KEY.rdata[2:],
        (257 | REVOKE).to_bytes(2) + KEY.rdata[2:],
        KEY.rdata[:2] + b"\2" + KEY.rdata[3:],
    ],
    ids=["no flags", "SEP alone", "revoked", "protocol 2"],
)
def test_keys_that_may_sign_nothing_are_no_anchors(rdata: bytes) -> None:
    assert trust_anchors([(ZONE, rdtypes.DNSKEY, rdata)]).closest(ZONE) is None


def test_malformed_records_are_refused() -> None:
    for rdtype in (rdtypes.DS, rdtypes.DNSKEY):
        with pytest.raises(FormError):
            trust_anchors([(ZONE, rdtype, b"\1\2\3")])


# ------------ Negative anchors (RFC 7646) ------------

WEEK = NegativeAnchor(name("z.lab."), until=1000)


def test_a_negative_anchor_covers_its_name_and_what_is_below_until_its_end() -> None:
    found = anchors(".", negative=(WEEK,))
    for covered in ("z.lab.", "www.z.lab.", "a.b.z.lab."):
        assert found.negative(name(covered), 0) is WEEK
        assert found.negative(name(covered), 999) is WEEK
        assert found.negative(name(covered), 1000) is None
    for other in ("lab.", "xz.lab.", ".", "y.lab."):
        assert found.negative(name(other), 0) is None


def test_a_positive_anchor_below_a_negative_one_wins() -> None:
    found = anchors(".", "kid.z.lab.", negative=(WEEK,))
    assert found.negative(name("www.kid.z.lab."), 0) is None
    assert found.negative(name("kid.z.lab."), 0) is None
    assert found.negative(name("z.lab."), 0) is WEEK
    assert found.negative(name("sister.z.lab."), 0) is WEEK


def test_at_the_same_name_the_negative_one_wins() -> None:
    found = anchors(".", "z.lab.", negative=(WEEK,))
    assert found.negative(name("z.lab."), 0) is WEEK
    assert found.negative(name("z.lab."), 1000) is None


def test_of_two_negative_ones_the_closest_in_force_decides() -> None:
    wide = NegativeAnchor(name("lab."), until=2000)
    found = anchors(".", negative=(WEEK, wide))
    assert found.negative(name("www.z.lab."), 0) is WEEK
    assert found.negative(name("www.z.lab."), 1500) is wide
    assert found.negative(name("y.lab."), 0) is wide
    assert found.negative(name("www.z.lab."), 2000) is None


def test_a_policy_needs_no_end() -> None:
    policy = NegativeAnchor(name("corp."), is_policy=True)
    assert policy.until == FOREVER
    assert anchors(negative=(policy,)).negative(name("a.corp."), 2**40 - 2) is policy
