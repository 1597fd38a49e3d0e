"""Typed readers: real keys, known tags, and RDATA that do not fit their type."""

from collections.abc import Callable

import pytest

from anchord.model import names, rdtypes
from anchord.wire.errors import FormError
from anchord.wire.rdata import (
    Dnskey,
    key_tag,
    read_addresses,
    read_dnskey,
    read_ds,
    read_nsec,
    read_nsec3,
    read_rrsig,
    read_signer,
    read_soa,
    read_target,
    read_types,
    write_types,
)
from support.counting import calls

EXAMPLE = names.from_text("example.com")


@pytest.mark.parametrize(
    ("rdata", "tag"),
    [
        (b"\x01\x01\x03\x08", 0x0409),
        (b"\x01\x01\x03\x08\xff", 0x030A),
        (b"\xff\xff\x03\x08\xfc\xf8", 0),  # 0x1FFFF: the carry is added once
        (b"\x01\x00\x03\x01" + b"\x12\x34\x56\x78", 0x3456),  # RSA/MD5, appendix B.1
        (b"", 0),
        (b"\x01", 0x0100),
    ],
)
def test_key_tags_follow_appendix_b(rdata: bytes, tag: int) -> None:
    assert key_tag(rdata) == tag


def test_the_flags_of_a_dnskey() -> None:
    def key(flags: int, protocol: int = 3) -> Dnskey:
        return read_dnskey(flags.to_bytes(2) + bytes((protocol, 13)) + b"key")

    assert key(0x0100).is_zone_key
    assert not key(0x0100, protocol=2).is_zone_key
    assert not key(0xFEFF).is_zone_key
    assert key(0x0080).is_revoked
    assert not key(0xFF7F).is_revoked
    assert key(0x0001).is_secure_entry_point
    assert not key(0xFFFE).is_secure_entry_point


@pytest.mark.parametrize(
    ("reader", "shortest"),
    [
        (read_dnskey, b"\x01\x01\x03\x08"),
        (read_ds, b"\x12\x34\x08\x02"),
        (read_rrsig, bytes(18) + b"\0"),
        (read_signer, bytes(18) + b"\0"),
        (read_nsec, b"\0"),
        (read_nsec3, b"\x01\0\0\0\0\x01x"),
        (read_soa, b"\0\0" + bytes(20)),
        (read_target, b"\0"),
    ],
)
def test_rdata_that_end_too_early_are_a_form_error(
    reader: Callable[[bytes], object], shortest: bytes
) -> None:
    assert reader(shortest)
    for length in range(len(shortest)):
        with pytest.raises(FormError):
            reader(shortest[:length])


def test_the_signer_is_the_same_read_by_itself() -> None:
    signed = bytes(range(18)) + EXAMPLE.upper() + b"signature"
    assert read_signer(signed) == read_rrsig(signed).signer == EXAMPLE


@pytest.mark.parametrize(
    ("reader", "rdata"),
    [
        (read_soa, b"\0\0" + bytes(21)),
        (read_target, b"\0\0"),
        (read_target, b"\x03www\xc0\0"),
        (read_nsec3, b"\x01\0\0\0\0\0"),
        (read_nsec3, b"\x01\0\0\0\x02s\x01x"),
        (read_nsec3, b"\x01\0\0\0\0\x02x"),
        (read_nsec, EXAMPLE + b"\0"),
    ],
)
def test_rdata_that_do_not_fit_are_a_form_error(
    reader: Callable[[bytes], object], rdata: bytes
) -> None:
    with pytest.raises(FormError):
        reader(rdata)


def test_a_target_keeps_its_spelling() -> None:
    assert read_target(b"\x03WwW" + EXAMPLE) == b"\x03WwW" + EXAMPLE


# ------------ Type bitmaps ------------


def test_the_bitmap_of_rfc_4034() -> None:
    """The example of section 4.3: A, MX, RRSIG, NSEC and TYPE1234."""
    bitmap = bytes.fromhex("0006400100000003041b" + "00" * 26 + "20")
    types = frozenset({1, 15, 46, 47, 1234})
    assert frozenset(read_types(bitmap)) == types
    assert write_types(types) == bitmap


def test_an_empty_bitmap_has_no_types() -> None:
    assert list(read_types(b"")) == []
    assert rdtypes.A not in read_types(b"")
    assert write_types(()) == b""


@pytest.mark.parametrize(
    "bitmap",
    [
        b"\0",
        b"\0\0",
        b"\0\0" * 1000,
        b"\0\x01",
        b"\0\x02\x40",
        b"\0\x21" + b"\x40" * 33,
        b"\0\x01\x40\0\x01\x40",
        b"\x01\x01\x40\0\x01\x40",
        b"\0\x01\x40\x01",
    ],
)
def test_a_malformed_bitmap_is_a_form_error(bitmap: bytes) -> None:
    """dnsmasq, CVE-2026-4890, CVE-2026-4891: a window of no octets, which was read for ever."""
    with pytest.raises(FormError, match="a type bitmap"):
        read_types(bitmap)


def test_octets_of_zeroes_do_no_harm() -> None:
    padded = read_types(b"\0\x04\x40\0\0\0\x01\x01\0")
    assert list(padded) == [rdtypes.A]
    assert padded == read_types(b"\0\x01\x40")


def test_bits_of_pseudo_types_are_ignored_but_nxname_counts() -> None:
    pseudo = {41, 249, 250, 251, 252, 253, 254, 255}
    found = read_types(write_types(pseudo | {rdtypes.NXNAME}))
    assert list(found) == [rdtypes.NXNAME]
    assert [rdtype for rdtype in (*pseudo, rdtypes.NXNAME) if rdtype in found] == [rdtypes.NXNAME]
    assert found == read_types(write_types({rdtypes.NXNAME}))


def test_a_bitmap_is_asked_for_one_type_and_tells_all_of_them_in_order() -> None:
    types = [0, 1, 7, 8, 46, 128, 256, 257, 1234, 0xFF00, 0xFFFF]
    bitmap = read_types(write_types(types))
    assert list(bitmap) == types
    assert [rdtype for rdtype in range(-1, 0x10001) if rdtype in bitmap] == types


def test_bitmaps_are_equal_where_their_types_are() -> None:
    assert read_types(b"\0\x01\x40") != read_types(b"\x01\x01\x40")
    assert len({read_types(b"\0\x01\x40"), read_types(b"\0\x02\x40\0")}) == 1


LONGEST = b"".join(bytes((window, 32)) + b"\xff" * 32 for window in range(256))


def test_the_longest_bitmap_has_all_types_but_pseudo_types() -> None:
    assert len(set(read_types(LONGEST))) == 0x10000 - 8


def test_the_longest_bitmap_is_read_and_asked_without_a_look_at_each_octet() -> None:
    def read_and_ask() -> None:
        types = read_types(LONGEST)
        assert rdtypes.A in types
        assert rdtypes.ANY not in types
        assert 0xFFFF in types
        assert next(iter(types)) == 0

    assert calls(read_and_ask) < 10 * 256


def test_addresses_are_read_and_what_has_the_length_of_none_is_left_out() -> None:
    rdatas = [bytes(length) for length in range(20)]
    assert read_addresses(rdatas) == ["0.0.0.0", "::"]
