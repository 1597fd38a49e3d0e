"""Whether a signature over an RRset holds: RFC 4035 section 5.3, rule by rule."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from anchord.dnssec.anchors import TrustAnchors
from anchord.dnssec.asking import Context, Work
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones
from anchord.dnssec.rrsig import Signed, is_limit, verify_rrset
from anchord.lab.keys import REVOKE, Key, derive
from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Window
from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.model.verdict import Flaw
from anchord.wire.rdata import Dnskey, read_dnskey, read_rrsig
from support.denials import name, rrsig
from support.judging import DAY, WINDOW
from support.judging import rrset as unsigned
from support.lab import NOW

ZONE = name("z.lab.")
KEY = derive("rrsig", ZONE, 13)
OTHER = derive("rrsig", ZONE, 13, number=1)
ADDRESS = unsigned("www.z.lab.", "A", b"\1\2\3\4")


def signed(
    rrset: RRset = ADDRESS,
    *,
    key: Key = KEY,
    window: Window = WINDOW,
    labels: int | None = None,
    original_ttl: int | None = None,
) -> RRset:
    """The set with one more signature."""
    signature = sign_rrset(rrset, key, ZONE, window, labels=labels, original_ttl=original_ttl)
    return replace(rrset, signatures=(*rrset.signatures, signature), signature_ttl=rrset.ttl)


def context(limits: Limits | None = None, memo: Memo | None = None) -> Context:
    return Context(TrustAnchors([]), Zones(), limits or Limits(), memo=memo or Memo())


def check(
    rrset: RRset,
    keys: Iterable[Key | Dnskey] = (KEY,),
    *,
    now: int = NOW,
    zone: bytes = ZONE,
    limits: Limits | None = None,
    work: Work | None = None,
) -> Signed | Flaw:
    """The result; each request on the way is to let others run."""
    work = work or Work(context(limits), Budget(limits or Limits()), now)
    known = tuple(key if isinstance(key, Dnskey) else read_dnskey(key.rdata) for key in keys)
    asking = verify_rrset(rrset, zone, known, work)
    try:
        while True:
            assert asking.send(None) is None
    except StopIteration as done:
        result: Signed | Flaw = done.value
        return result


def code(rrset: RRset, *keys: Key | Dnskey, now: int = NOW) -> int:
    """The Extended DNS Error of a set that does not verify."""
    flaw = check(rrset, keys or (KEY,), now=now)
    assert isinstance(flaw, Flaw)
    assert flaw.name == rrset.name
    return int(flaw.code)


def holds(rrset: RRset, *keys: Key | Dnskey, now: int = NOW) -> bool:
    return isinstance(check(rrset, keys or (KEY,), now=now), Signed)


def test_a_good_signature_holds() -> None:
    result = check(signed())
    assert isinstance(result, Signed)
    assert result.rrset == signed()
    assert result.wildcard is None
    assert result.rrsig == read_rrsig(signed().signatures[0])


def test_without_a_signature_by_the_zone_there_is_none() -> None:
    assert code(ADDRESS) == 10
    flaw = check(signed(), zone=name("lab."))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 10
    assert flaw.text == "www.z.lab. A has no RRSIG, though lab. is signed"
    assert dict(flaw.facts)["type"] == "A"


def test_malformed_signatures_are_none() -> None:
    assert code(replace(ADDRESS, signatures=(b"", b"\0" * 18))) == 10
    good = signed()
    assert holds(replace(good, signatures=(b"", *good.signatures)))


# ------------ What the RRSIG says ------------


def test_the_type_that_it_covers() -> None:
    text = unsigned("www.z.lab.", "TXT", b"\1x")
    flaw = check(replace(ADDRESS, signatures=signed(text).signatures))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "covers another type" in flaw.text


@pytest.mark.parametrize("labels", [0, 1, 4, 255])
def test_labels_are_at_least_the_signers_and_at_most_the_owners(labels: int) -> None:
    """BIND, CVE-2026-11721; PowerDNS, CVE-2026-52688; Unbound, CVE-2026-44690: a wildcard above
    the zone, though the signature over it is the zone's own."""
    shorter = labels if labels < 4 else None
    made = signed(labels=shorter) if shorter is not None else signed()
    if shorter is None:
        signature = made.signatures[0]
        made = replace(made, signatures=(signature[:3] + bytes((labels,)) + signature[4:],))
    flaw = check(made)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert f"is for {labels} labels, which cannot be" in flaw.text


def test_the_asterisk_of_a_wildcard_is_no_label() -> None:
    """RFC 4034 section 3.1.3; the signature itself is good."""
    flaw = check(signed(unsigned("*.z.lab.", "A", b"\1\2\3\4"), labels=3))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "is for 3 labels, which cannot be" in flaw.text


@pytest.mark.parametrize(
    ("owner", "labels", "wildcard"),
    [
        ("www.z.lab.", 3, None),
        ("www.z.lab.", 2, "z.lab."),
        ("a.b.z.lab.", 3, "b.z.lab."),
        ("a.b.z.lab.", 2, "z.lab."),
        ("*.z.lab.", 2, None),
        ("*.b.z.lab.", 3, None),
        ("*.b.z.lab.", 2, "z.lab."),
        ("a.*.z.lab.", 3, "*.z.lab."),
        ("a.*.z.lab.", 4, None),
    ],
)
def test_fewer_labels_than_the_owner_has_tell_of_a_wildcard(
    owner: str, labels: int, wildcard: str | None
) -> None:
    """RFC 4035 section 5.3.4: what is expanded needs a proof yet."""
    result = check(signed(unsigned(owner, "A", b"\1\2\3\4"), labels=labels))
    assert isinstance(result, Signed)
    assert result.wildcard == (name(wildcard) if wildcard else None)


def test_what_was_signed_is_the_wildcard_itself() -> None:
    wildcard = signed(unsigned("*.z.lab.", "A", b"\1\2\3\4"))
    for owner in ("www.z.lab.", "a.b.z.lab."):
        result = check(replace(wildcard, name=name(owner)))
        assert isinstance(result, Signed)
        assert result.wildcard == ZONE
    deeper = signed(unsigned("*.b.z.lab.", "A", b"\1\2\3\4"))
    assert code(replace(deeper, name=name("a.c.z.lab."))) == 6


def test_a_signature_over_the_very_name_is_preferred_to_one_over_a_wildcard() -> None:
    """The same data may stand at the name and at the wildcard: then no proof is due."""
    both = signed(signed(labels=2))
    for signatures in (both.signatures, both.signatures[::-1]):
        result = check(replace(both, signatures=signatures))
        assert isinstance(result, Signed)
        assert result.wildcard is None


SUPPORTED = {8, 10, 13, 14, 15, 16, 18}


@pytest.mark.parametrize("algorithm", [n for n in range(256) if n not in SUPPORTED])
def test_unsupported_algorithms_do_not_count_whatever_they_are(algorithm: int) -> None:
    """A downgrade: an RRSIG of an unknown algorithm makes nothing insecure. EDE 10: what is
    missing is an RRSIG of an algorithm that counts."""
    signature = signed().signatures[0]
    unknown = signature[:2] + bytes((algorithm,)) + signature[3:]
    flaw = check(replace(signed(), signatures=(unknown,)))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 10
    assert "no RRSIG of a supported algorithm" in flaw.text
    assert holds(replace(signed(), signatures=(unknown, signature)))


@pytest.mark.parametrize("algorithm", sorted(SUPPORTED - {13}))
def test_supported_algorithms_need_a_key_of_their_own(algorithm: int) -> None:
    signature = signed().signatures[0]
    claimed = signature[:2] + bytes((algorithm,)) + signature[3:]
    flaw = check(replace(signed(), signatures=(claimed,)))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert f"but z.lab. has key {KEY.key_tag}" in flaw.text


# ------------ Time ------------


def window(begin: int, end: int) -> RRset:
    return signed(window=Window(begin, end))


def test_it_holds_from_the_first_second_to_the_last() -> None:
    made = window(NOW - 10, NOW + 10)
    held = {second: holds(made, now=NOW + second) for second in (-11, -10, 0, 10, 11)}
    assert held == {-11: False, -10: True, 0: True, 10: True, 11: False}
    assert code(made, now=NOW + 11) == 7
    assert code(made, now=NOW - 11) == 8
    assert holds(window(NOW, NOW))


@pytest.mark.parametrize("year", [2038, 2106, 2107])
def test_times_go_on_past_the_ends_of_32_bits(year: int) -> None:
    """RFC 4034 section 3.1.5; seconds since 1970 pass 2**31 in 2038 and 2**32 in 2106."""
    moment = int(datetime(year, 1, 19, 3, 14, 8, tzinfo=UTC).timestamp())
    if year == 2106:
        moment = int(datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC).timestamp())
    made = window(moment - DAY, moment + DAY)
    for shift, expected in ((-DAY, 0), (-1, 0), (0, 0), (1, 0), (DAY, 0)):
        assert holds(made, now=moment + shift), expected
    assert code(made, now=moment + DAY + 1) == 7
    assert code(made, now=moment - DAY - 1) == 8
    result = check(made, now=moment)
    assert isinstance(result, Signed)
    assert result.rrset.ttl == 300


def test_it_cannot_expire_before_it_is_valid() -> None:
    """EDE 25 before 7 and 8, though it is expired as well, or not yet valid."""
    for begin, end in ((NOW + 1, NOW - 1), (NOW - 1, NOW - 2), (NOW + 2, NOW + 1)):
        assert code(window(begin, end)) == 25
    assert code(window(NOW, NOW + (1 << 31) + 5)) == 25  # longer than serial numbers can tell


def test_times_are_told_with_how_long_ago_they_were() -> None:
    flaw = check(window(NOW - 9 * DAY, NOW - 2 * DAY))
    assert isinstance(flaw, Flaw)
    ended = datetime.fromtimestamp(NOW - 2 * DAY, UTC)
    head = f"the RRSIG of www.z.lab. A by key {KEY.key_tag} expired"
    assert flaw.text == f"{head} {ended:%Y-%m-%d %H:%M:%S} UTC, 2 days ago"
    assert dict(flaw.facts)["expiration"] == NOW - 2 * DAY
    assert dict(flaw.facts)["key_tag"] == KEY.key_tag
    flaw = check(window(NOW + 3600, NOW + DAY))
    assert isinstance(flaw, Flaw)
    assert "is not valid before" in flaw.text
    assert "in 1 hour" in flaw.text


# ------------ TTLs (RFC 4035 section 5.3.3) ------------


@pytest.mark.parametrize(
    ("rrset_ttl", "rrsig_ttl", "original_ttl", "left", "ttl"),
    [
        (60, 300, 300, 9999, 60),
        (300, 60, 300, 9999, 60),
        (300, 300, 60, 9999, 60),
        (300, 300, 300, 60, 60),
        (300, 300, 300, 0, 0),
        (400, 500, 600, 9999, 400),
    ],
)
def test_a_ttl_is_bounded_by_all_four(
    rrset_ttl: int, rrsig_ttl: int, original_ttl: int, left: int, ttl: int
) -> None:
    made = signed(window=Window(NOW - DAY, NOW + left), original_ttl=original_ttl)
    result = check(replace(made, ttl=rrset_ttl, signature_ttl=rrsig_ttl))
    assert isinstance(result, Signed)
    assert result.rrset.ttl == result.rrset.signature_ttl == ttl


def test_the_original_ttl_is_signed_and_the_received_one_is_not() -> None:
    made = signed(original_ttl=600)
    assert holds(replace(made, ttl=17))
    signature = made.signatures[0]
    changed = signature[:4] + (601).to_bytes(4) + signature[8:]
    assert code(replace(made, signatures=(changed,))) == 6


# ------------ Keys ------------


def with_tag(key: Key, **changes: int) -> Key:
    """The key with other flags or protocol, and so with another tag."""
    return replace(key, **changes)


def test_a_key_that_the_zone_does_not_have() -> None:
    flaw = check(signed(key=OTHER), [KEY])
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert f"signed by key {OTHER.key_tag}" in flaw.text
    assert f"but z.lab. has key {KEY.key_tag}" in flaw.text
    assert holds(signed(key=OTHER), KEY, OTHER)


def test_a_key_without_the_zone_key_flag_may_sign_nothing() -> None:
    for flags in (0, 1):
        cleared = with_tag(KEY, flags=flags)
        assert code(signed(key=cleared), cleared) == 11
    for flags in (0, 1):  # signed while the flag was set, published without it
        cleared = with_tag(KEY, flags=flags)
        flaw = check(signed(key=with_tag(KEY, flags=flags | 256)), [cleared])
        assert isinstance(flaw, Flaw)
        assert flaw.code == 11
        assert "has no Zone Key flag" in flaw.text
        assert code(signed(key=OTHER), cleared) == 6


@pytest.mark.parametrize("protocol", [0, 2, 4, 255])
def test_a_key_has_protocol_3(protocol: int) -> None:
    odd = with_tag(KEY, protocol=protocol)
    flaw = check(signed(key=odd), [odd])
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert f"has protocol {protocol} and not 3" in flaw.text
    flaw = check(signed(key=OTHER), [odd])
    assert isinstance(flaw, Flaw)
    assert "but z.lab. has key" in flaw.text


def test_a_revoked_key_may_sign_nothing() -> None:
    revoked = with_tag(KEY, flags=KEY.flags | REVOKE)
    flaw = check(signed(key=revoked), [revoked])
    assert isinstance(flaw, Flaw)
    assert flaw.code == 9
    assert "which is revoked" in flaw.text
    assert code(signed(key=OTHER), revoked) == 6


def test_no_more_than_six_keys_are_told_of() -> None:
    keys = [derive("rrsig", ZONE, 13, number=number) for number in range(10, 18)]
    flaw = check(signed(), keys)
    assert isinstance(flaw, Flaw)
    told = sorted(key.key_tag for key in keys)[:6]
    assert flaw.text.endswith(f"but z.lab. has key {', '.join(map(str, told))}")


@pytest.mark.parametrize("flags", [0x0100, 0x0101, 0x8100, 0xFF7F])
def test_other_flags_do_not_matter(flags: int) -> None:
    key = with_tag(KEY, flags=flags)
    assert holds(signed(key=key), key)


def same_tag(key: Key, number: int) -> Dnskey:
    """Another key with the tag of this one: two pairs of octets have changed places, whose sum is
    what the tag is made of."""
    octets = bytearray(key.public)
    at = 2 * number
    octets[0:2], octets[at : at + 2] = octets[at : at + 2], octets[0:2]
    made = read_dnskey(replace(key, public=bytes(octets)).rdata)
    assert made.key_tag == key.key_tag
    assert made.key != key.public
    return made


def test_four_keys_of_one_tag_are_tried_and_not_one_more() -> None:
    good = read_dnskey(KEY.rdata)
    others = [same_tag(KEY, number) for number in range(1, 5)]
    assert holds(signed(), *others[:3], good)
    flaw = check(signed(), [*others, good])
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "too many keys with one key tag" in flaw.text


def test_keys_of_one_tag_and_another_algorithm_are_not_among_them() -> None:
    strangers = [read_dnskey(KEY.rdata[:3] + b"\x0f" + same_tag(KEY, n).key) for n in range(1, 9)]
    assert holds(signed(), *strangers, KEY)


# ------------ Forgery ------------


@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_signature_with_a_wrong_bit_does_not_verify(at: int) -> None:
    made = signed()
    octets = bytearray(made.signatures[0])
    octets[at if at < 0 else len(octets) - 64 + at] ^= 1
    flaw = check(replace(made, signatures=(bytes(octets),)))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "does not verify: data or signature are forged" in flaw.text


def test_an_empty_signature_does_not_verify() -> None:
    made = signed()
    assert code(replace(made, signatures=(made.signatures[0][:-64],))) == 6


def test_other_data_do_not_verify() -> None:
    made = signed()
    for rdatas in ((b"\1\2\3\5",), (b"\1\2\3\4", b"\5\6\7\7"), (), (b"\1\2\3",)):
        assert code(replace(made, rdatas=rdatas)) == 6


def test_another_owner_or_type_does_not_verify() -> None:
    made = signed()
    assert code(replace(made, name=name("wwv.z.lab."))) == 6
    moved = replace(made, rdtype=rdtypes.TXT)
    signature = rdtypes.TXT.to_bytes(2) + made.signatures[0][2:]
    assert code(replace(moved, signatures=(signature,))) == 6


def test_a_key_that_is_none_fails_and_is_counted() -> None:
    """BIND, CVE-2025-8677: malformed keys of the right tag cost as much as others."""
    limits = Limits(failed_signatures=2)
    work = Work(context(limits), Budget(limits), NOW)
    made = signed()
    for _ in range(2):
        assert isinstance(check(made, [same_tag(KEY, 1)], work=work), Flaw)
        assert not work.budget.exhausted
    assert isinstance(check(made, [same_tag(KEY, 2)], work=work), Flaw)
    assert work.budget.exhausted == "too many signatures that do not verify"


# ------------ Several signatures ------------


def bad(count: int) -> list[bytes]:
    """Signatures that are worth a check and do not verify."""
    good = signed().signatures[0]
    return [good[:-2] + number.to_bytes(2) for number in range(count)]


@pytest.mark.parametrize("at", [0, 1, 3])
def test_any_one_that_verifies_is_enough(at: int) -> None:
    """RFC 6840 section 5.4."""
    signatures = bad(3)
    signatures.insert(at, signed().signatures[0])
    assert holds(replace(signed(), signatures=tuple(signatures)))


def test_eight_usable_ones_are_tried_and_not_one_more() -> None:
    made = signed()
    assert holds(replace(made, signatures=(*bad(7), *made.signatures)))
    flaw = check(replace(made, signatures=(*bad(8), *made.signatures)))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "too many RRSIGs over one RRset" in flaw.text
    assert is_limit(flaw)
    flaw = check(replace(made, signatures=tuple(bad(8))))
    assert isinstance(flaw, Flaw)
    assert "does not verify" in flaw.text
    assert not is_limit(flaw)
    assert not is_limit(Flaw(flaw.code, "no facts", flaw.name))


def test_those_that_cannot_be_used_are_not_among_the_eight() -> None:
    made = signed()
    unusable = [
        *(signed(window=Window(NOW - 2 * DAY, NOW - DAY - n)).signatures[0] for n in range(9)),
        *(rrsig(rdtypes.A, name("lab."), 3, key_tag=n) for n in range(9)),
        *(rrsig(rdtypes.A, ZONE, 3, algorithm=100, key_tag=n) for n in range(9)),
    ]
    assert holds(replace(made, signatures=(*unusable, *made.signatures)))


def test_the_narrowest_reason_is_told() -> None:
    made = signed()
    forged = bad(1)[0]
    expired = window(NOW - 2 * DAY, NOW - DAY).signatures[0]
    early = window(NOW + DAY, NOW + 2 * DAY).signatures[0]
    never = window(NOW + DAY, NOW - DAY).signatures[0]
    unknown = made.signatures[0][:2] + b"\x64" + made.signatures[0][3:]
    revoked = with_tag(OTHER, flags=OTHER.flags | REVOKE)
    by_revoked = signed(key=revoked).signatures[0]
    unflagged = with_tag(OTHER, flags=0)
    by_unflagged = signed(key=unflagged).signatures[0]
    order = [
        (25, never),
        (7, expired),
        (8, early),
        (11, by_unflagged),
        (9, by_revoked),
        (6, forged),
        (10, unknown),
    ]
    for number, (expected, _) in enumerate(order):
        told = [signature for _, signature in order[number:]]
        for signatures in (told, told[::-1]):
            found = code(replace(made, signatures=tuple(signatures)), KEY, revoked, unflagged)
            assert found == expected


def trap(keys: int, signatures: int) -> tuple[RRset, list[Dnskey]]:
    """CVE-2023-50387: so many keys of one tag, and so many signatures by it."""
    made = replace(signed(), signatures=tuple(bad(signatures)))
    return made, [same_tag(KEY, 1 + number % 31) for number in range(keys)]


@pytest.mark.parametrize(
    ("keys", "signatures", "text"),
    [
        (100, 100, "too many RRSIGs over one RRset"),
        (100, 8, "too many keys with one key tag"),
        (4, 100, "too many RRSIGs over one RRset"),
        (4, 8, "too many signatures that do not verify"),
    ],
)
def test_keytrap_ends_with_the_first_limit(keys: int, signatures: int, text: str) -> None:
    made, known = trap(keys, signatures)
    work = Work(context(), Budget(Limits()), NOW)
    asking = verify_rrset(made, ZONE, tuple(known), work)
    checks = 0
    try:
        while True:
            asking.send(None)
            checks += 1
    except StopIteration as done:
        flaw = done.value
    assert flaw.code == 6
    assert text in flaw.text
    assert is_limit(flaw)
    assert checks == (17 if "verify" in text else 0)


@pytest.mark.parametrize(
    "limits", [Limits(signatures=5), Limits(failed_signatures=4)], ids=["checks", "failures"]
)
def test_no_more_checks_are_made_than_are_granted(limits: Limits) -> None:
    work = Work(context(limits), Budget(limits), NOW)
    asking = verify_rrset(
        replace(signed(), signatures=tuple(bad(8))), ZONE, (read_dnskey(KEY.rdata),), work
    )
    checks = 0
    try:
        while True:
            asking.send(None)
            checks += 1  # each is preceded by a pause for others
    except StopIteration as done:
        flaw = done.value
    assert checks == 5
    assert isinstance(flaw, Flaw)
    assert work.budget.exhausted in flaw.text


def test_what_has_verified_costs_nothing_the_next_time() -> None:
    limits = Limits(signatures=1)
    memo = Memo()
    work = Work(context(limits, memo), Budget(limits), NOW)
    assert isinstance(check(signed(), work=work), Signed)
    assert isinstance(check(signed(), work=work), Signed)
    later = Work(context(limits, memo), Budget(Limits(signatures=0)), NOW + 2 * DAY)
    flaw = check(signed(), work=later)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 7  # the window is looked at each time


def test_what_has_not_verified_is_checked_again() -> None:
    memo = Memo()
    work = Work(context(memo=memo), Budget(Limits()), NOW)
    forged = replace(signed(), signatures=tuple(bad(1)))
    for _ in range(2):
        assert isinstance(check(forged, work=work), Flaw)


# ------------ Canonical form ------------


def test_the_order_and_the_number_of_records_do_not_matter() -> None:
    several = unsigned("www.z.lab.", "A", b"\1\1\1\1", b"\2\2\2\2", b"\1\1\1\2")
    made = signed(several)
    assert holds(replace(made, rdatas=several.rdatas[::-1]))
    assert holds(replace(made, rdatas=(*several.rdatas, *several.rdatas)))
    assert code(replace(made, rdatas=several.rdatas[:2])) == 6


def test_shorter_records_come_first_of_those_that_begin_alike() -> None:
    """RFC 4034 section 6.3: by octets, and the absence of one before a zero."""
    made = signed(unsigned("www.z.lab.", "TYPE65280", b"\1\0", b"\1", b"\1\0\0", b""))
    assert holds(replace(made, rdatas=made.rdatas[::-1]))


def test_owner_and_signer_are_signed_in_lower_case() -> None:
    upper = replace(signed(), owner=names.from_text("WWW.z.LAB."))
    assert holds(upper)
    signature = upper.signatures[0]
    spelt = signature[:18] + signature[18 : 18 + len(ZONE)].upper() + signature[18 + len(ZONE) :]
    assert holds(replace(upper, signatures=(spelt,)))


def test_names_in_old_types_are_signed_in_lower_case() -> None:
    """RFC 4034 section 6.2, as RFC 6840 section 5.1 has corrected it: not in NSEC."""
    lower = names.from_text("mail.example.")
    for rdtype, head, is_lowered in (
        ("MX", b"\0\1", True),
        ("CNAME", b"", True),
        ("DNAME", b"", True),
        ("NSEC", b"", False),
        ("SVCB", b"\0\1", False),
        ("TYPE65280", b"", False),
    ):
        tail = b"\0\1\x40" if rdtype == "NSEC" else b""
        made = signed(unsigned("www.z.lab.", rdtype, head + lower + tail))
        upper = replace(made, rdatas=(head + lower.upper() + tail,))
        assert holds(upper) is is_lowered, rdtype


def test_escaped_octets_are_signed_as_they_are() -> None:
    made = signed(unsigned(r"a\000b\.c\255.z.lab.", "A", b"\1\2\3\4"))
    assert holds(made)
    assert code(replace(made, name=name(r"a\000b.c\255.z.lab."))) == 6


@pytest.mark.parametrize(
    ("addresses", "keys", "effort"), [(1, (KEY,), 1), (1, (OTHER,), 2), (8, (KEY,), 2)]
)
def test_what_is_looked_at_takes_effort(addresses: int, keys: tuple[Key, ...], effort: int) -> None:
    """Each RRSIG; each key, where none has made it; and so many records that it is over."""
    made = signed(replace(ADDRESS, rdatas=tuple(bytes((192, 0, 2, n)) for n in range(addresses))))
    enough = check(made, keys, limits=Limits(effort=effort))
    assert not isinstance(enough, Flaw) or not is_limit(enough)
    flaw = check(made, keys, limits=Limits(effort=effort - 1))
    assert isinstance(flaw, Flaw)
    assert "too many records to look at" in flaw.text
