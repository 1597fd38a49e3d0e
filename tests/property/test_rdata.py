"""RDATA and options against dnspython: canonical form, readers, key tags, bitmaps, text, EDE."""

from base64 import b32hexencode, b64encode
from collections.abc import Callable
from contextlib import suppress

import dns.dnssec
import dns.edns
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.wire import embedded, options, rdata, text
from anchord.wire.errors import FormError
from property.strategies import all_types, rdatas, wire_names

IN = dns.rdataclass.IN


@given(rdatas())
def test_the_canonical_form_is_what_dnspython_digests(value: dns.rdata.Rdata) -> None:
    assert embedded.canonical(value.rdtype, value.to_wire() or b"") == value.to_digestable()


@given(all_types, st.binary(max_size=80))
def test_any_rdata_have_a_canonical_form_of_the_same_length(rdtype: int, data: bytes) -> None:
    form = embedded.canonical(rdtype, data)
    assert form.lower() == data.lower()
    assert embedded.canonical(rdtype, form) == form


# ------------ Readers ------------


def oracle(rdtype: int, text: str) -> dns.rdata.Rdata:
    """RDATA as dnspython reads them from a zone file."""
    return dns.rdata.from_text(IN, dns.rdatatype.RdataType.make(rdtype), text)


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def listed(types: frozenset[int]) -> str:
    return " ".join(f"TYPE{number}" for number in types)


octets = st.integers(0, 255)
shorts = st.integers(0, 0xFFFF)
longs = st.integers(0, 0xFFFFFFFF)


@given(shorts, octets, octets, st.binary(min_size=3, max_size=600))
def test_a_dnskey_and_its_tag_are_dnspythons(
    flags: int, protocol: int, algorithm: int, key: bytes
) -> None:
    written = oracle(rdtypes.DNSKEY, f"{flags} {protocol} {algorithm} {base64(key)}")
    assert isinstance(written, DNSKEY)
    wire = written.to_wire() or b""
    tag = dns.dnssec.key_id(written)
    assert rdata.read_dnskey(wire) == rdata.Dnskey(flags, protocol, algorithm, key, wire, tag)


@given(shorts, octets, st.binary(min_size=32, max_size=32))
def test_a_ds_is_read_as_it_was_written(tag: int, algorithm: int, digest: bytes) -> None:
    written = oracle(rdtypes.DS, f"{tag} {algorithm} 2 {digest.hex()}")
    assert rdata.read_ds(written.to_wire() or b"") == rdata.Ds(tag, algorithm, 2, digest)


@given(shorts, octets, longs, longs, wire_names(), st.binary(min_size=1))
def test_an_rrsig_is_read_as_it_was_written(
    covered: int, algorithm: int, expiration: int, inception: int, signer: Name, signature: bytes
) -> None:
    written = oracle(
        rdtypes.RRSIG,
        f"TYPE{covered} {algorithm} 3 300 {expiration} {inception} 4711 "
        f"{names.to_text(signer)} {base64(signature)}",
    )
    assert rdata.read_rrsig(written.to_wire() or b"") == rdata.Rrsig(
        type_covered=covered,
        algorithm=algorithm,
        labels=3,
        original_ttl=300,
        expiration=expiration,
        inception=inception,
        key_tag=4711,
        signer=signer.lower(),
        signature=signature,
        signed_head=written.to_digestable().removesuffix(signature),
    )


@given(wire_names(), wire_names(), longs, st.integers(0, 0x7FFFFFFF))
def test_an_soa_is_read_as_it_was_written(
    mname: Name, rname: Name, serial: int, minimum: int
) -> None:
    written = oracle(
        rdtypes.SOA,
        f"{names.to_text(mname)} {names.to_text(rname)} {serial} 7200 3600 1209600 {minimum}",
    )
    expected = rdata.Soa(mname, rname, serial, 7200, 3600, 1209600, minimum)
    assert rdata.read_soa(written.to_wire() or b"") == expected


type_sets = st.frozensets(st.integers(1, 0xFFFF), max_size=30)
PSEUDO_TYPES = rdtypes.META | {rdtypes.ANY}


def without_pseudo_types(types: frozenset[int]) -> bytes:
    return rdata.write_types(types - PSEUDO_TYPES)


@given(type_sets, st.integers(-1, 0x10000))
def test_a_bitmap_has_the_types_it_was_written_with(types: frozenset[int], other: int) -> None:
    bitmap = rdata.read_types(rdata.write_types(types))
    assert {rdtype for rdtype in (*types, *PSEUDO_TYPES) if rdtype in bitmap} == set(bitmap)
    assert (other in bitmap) == (other in types - PSEUDO_TYPES)


@given(type_sets, wire_names())
def test_an_nsec_and_its_bitmap_are_dnspythons(types: frozenset[int], next_name: Name) -> None:
    written = oracle(rdtypes.NSEC, f"{names.to_text(next_name)} {listed(types)}")
    wire = written.to_wire() or b""
    assert rdata.write_types(types) == wire.removeprefix(next_name)
    found = rdata.read_nsec(wire)
    assert found == rdata.Nsec(next_name.lower(), rdata.TypeBitmap(without_pseudo_types(types)))
    assert list(found.types) == sorted(types - PSEUDO_TYPES)


@given(type_sets, octets, octets, shorts, st.binary(min_size=1, max_size=255))
def test_an_nsec3_is_read_as_it_was_written(
    types: frozenset[int], algorithm: int, flags: int, iterations: int, salt: bytes
) -> None:
    next_hash = salt[::-1]
    shown_hash = b32hexencode(next_hash).decode().rstrip("=")
    written = oracle(
        rdtypes.NSEC3,
        f"{algorithm} {flags} {iterations} {salt.hex()} {shown_hash} {listed(types)}",
    )
    bitmap = rdata.TypeBitmap(without_pseudo_types(types))
    expected = rdata.Nsec3(algorithm, flags, iterations, salt, next_hash, bitmap)
    assert rdata.read_nsec3(written.to_wire() or b"") == expected
    assert list(bitmap) == sorted(types - PSEUDO_TYPES)
    assert expected.is_opt_out == bool(flags & 1)


READERS: list[Callable[[bytes], object]] = [
    rdata.read_dnskey,
    rdata.read_ds,
    rdata.read_rrsig,
    rdata.read_nsec,
    rdata.read_nsec3,
    rdata.read_soa,
    rdata.read_target,
    rdata.read_types,
]


@given(st.sampled_from(READERS), st.binary(max_size=80))
def test_any_bytes_are_rdata_or_a_form_error(
    reader: Callable[[bytes], object], data: bytes
) -> None:
    with suppress(FormError):
        assert reader(data) is not None


# ------------ Text ------------


@given(rdatas())
def test_rdata_as_text_read_back_as_the_same_bytes(value: dns.rdata.Rdata) -> None:
    wire = value.to_wire() or b""
    shown = text.rdata_to_text(value.rdtype, wire)
    assert shown == value.to_text()
    assert text.rdata_from_text(value.rdtype, shown) == wire


@given(st.one_of(all_types, st.integers(0, 0xFFFF)), st.binary(max_size=40))
def test_any_rdata_can_be_shown_to_people(rdtype: int, data: bytes) -> None:
    shown = text.rdata_to_text(rdtype, data)
    assert shown.isprintable() or not shown


@given(all_types, st.text(max_size=60))
def test_any_text_is_rdata_or_a_value_error(rdtype: int, written: str) -> None:
    with suppress(ValueError):
        assert isinstance(text.rdata_from_text(rdtype, written), bytes)


# ------------ Extended DNS Errors ------------

characters = st.characters(codec="utf-8", min_codepoint=1)
edes = st.builds(Ede, st.integers(0, 0xFFFF), st.text(characters, max_size=300))


@given(edes)
def test_dnspython_reads_extended_dns_errors_with_their_texts_cut(ede: Ede) -> None:
    wire = options.write_ede(ede)
    option = dns.edns.option_from_wire(dns.edns.OptionType.EDE, wire, 4, len(wire) - 4)
    assert isinstance(option, dns.edns.EDEOption)
    assert int(option.code) == ede.code
    shown = option.text or ""
    assert ede.text.startswith(shown)
    octets = len(ede.text.encode())
    assert shown == ede.text or octets - 200 <= octets - len(shown.encode()) < octets - 200 + 4


@given(st.lists(edes, max_size=12))
def test_extended_dns_errors_of_an_upstream_are_few_short_and_harmless(sent: list[Ede]) -> None:
    written = [
        dns.edns.EDEOption(dns.edns.EDECode.make(ede.code), ede.text or None) for ede in sent
    ]
    read = options.read_edes(
        b"".join(options.write_option(15, option.to_wire() or b"") for option in written)
    )
    assert [ede.code for ede in read] == [ede.code for ede in sent[:8]]
    for ede, original in zip(read, sent, strict=False):
        assert len(ede.text.encode()) <= 64
        assert ede.text.isprintable()
        if original.text.isprintable() and len(original.text.encode()) <= 64:
            assert ede.text == original.text
