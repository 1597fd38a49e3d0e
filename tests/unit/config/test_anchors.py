import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdata
import dns.rrset
import dns.zonefile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.config.anchors import AnchorRecord, read, shipped_trust_anchors, trust_anchors
from anchord.config.errors import ConfigError
from anchord.model import names, rdtypes
from anchord.wire.rdata import key_tag, read_dnskey, read_ds

HOME = Path(__file__).parents[3] / "trust-anchors"

DS = "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
DNSKEY = "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="


# ------------ The root's anchors ------------


def shipped(file: str) -> tuple[AnchorRecord, ...]:
    return read((HOME / file).read_text(), file)


def test_the_shipped_anchors_are_ksk_2017_and_ksk_2024_and_no_other() -> None:
    """Their tags and digests as IANA published them: a third place beside the two files."""
    anchors = {read_ds(rdata).key_tag: read_ds(rdata) for _, _, rdata in shipped("root.ds")}
    assert {tag: ds.digest.hex() for tag, ds in anchors.items()} == {
        20326: "e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d",
        38696: "683d2d0acb8c9b712a1948b27f741219298d0a450d612c483af444a4c0fb2b16",
    }
    assert {(ds.algorithm, ds.digest_type) for ds in anchors.values()} == {(8, 2)}


def test_each_shipped_digest_is_that_of_the_shipped_key() -> None:
    """RFC 4034 section 5.1.4: the digest of the owner name and the DNSKEY's RDATA."""
    keys, digests = shipped("root.key"), shipped("root.ds")
    assert len(keys) == len(digests) == 2
    for (zone, rdtype, rdata), (_, _, ds) in zip(keys, digests, strict=True):
        assert (zone, rdtype) == (names.ROOT, rdtypes.DNSKEY)
        digest = hashlib.sha256(names.ROOT + rdata).digest()
        assert ds == key_tag(rdata).to_bytes(2) + b"\x08\x02" + digest


def test_dnspython_finds_the_same_tags_and_digests() -> None:
    keys = dns.zonefile.read_rrsets((HOME / "root.key").read_text(), rdclass=None, default_ttl=0)
    digests = dns.zonefile.read_rrsets((HOME / "root.ds").read_text(), rdclass=None, default_ttl=0)
    assert {dns.dnssec.make_ds(".", key, "SHA256") for key in keys[0]} == set(digests[0])
    assert {dns.dnssec.key_id(key) for key in keys[0]} == {20326, 38696}


def test_ksk_2017_is_the_key_that_signed_the_recorded_root() -> None:
    chain = Path(__file__).parents[2] / "data" / "real-chain" / "2024-02-28.rrs"
    recorded = [line for line in chain.read_text().splitlines() if " DNSKEY 257 " in line]
    assert read(recorded[0], "x") == shipped("root.key")[:1]


def test_the_shipped_keys_sign_zones_and_none_is_revoked() -> None:
    for _, _, rdata in shipped("root.key"):
        dnskey = read_dnskey(rdata)
        assert dnskey.is_zone_key
        assert dnskey.is_secure_entry_point
        assert not dnskey.is_revoked


def test_the_xml_file_agrees_with_the_others() -> None:
    """RFC 9718 section 2.1."""
    root = ET.parse(HOME / "root-anchors.xml").getroot()
    assert root.findtext("Zone") == "."
    entries = root.findall("KeyDigest")
    assert [entry.attrib for entry in entries] == [
        {"id": "Klajeyz", "validFrom": "2017-02-02T00:00:00+00:00"},
        {"id": "Kmyv6jo", "validFrom": "2024-07-18T00:00:00+00:00"},
    ]
    for entry, key, ds in zip(entries, shipped("root.key"), shipped("root.ds"), strict=True):
        fields = {child.tag: child.text or "" for child in entry}
        assert ds.rdata == (
            int(fields["KeyTag"]).to_bytes(2)
            + bytes((int(fields["Algorithm"]), int(fields["DigestType"])))
            + bytes.fromhex(fields["Digest"])
        )
        assert key.rdata == int(fields["Flags"]).to_bytes(2) + b"\x03\x08" + base64.b64decode(
            fields["PublicKey"]
        )


def test_without_a_file_the_shipped_digests_are_trusted() -> None:
    assert trust_anchors("") == shipped("root.ds")
    assert shipped_trust_anchors() == (HOME / "root.ds").read_text()


def test_the_readme_of_the_anchors_names_the_hash_of_the_xml_file() -> None:
    digest = hashlib.sha256((HOME / "root-anchors.xml").read_bytes()).hexdigest()
    assert digest in (HOME / "README.md").read_text()


# ------------ Files of other anchors ------------


def test_records_of_any_names_with_everything_that_a_zone_file_allows() -> None:
    text = f"""
; anchors
.              DS     {DS}
Corp.Example.  3600 IN  DS ( 20326 8 ; tag and algorithm
       2 E06D44B80B8F1D39A95C0B0D7C65D084
       58e880409bbc683457104237c7f8ec8d ) ; two words
a.example. IN 1d dnskey {DNSKEY}
b.example. DS 1 RSASHA256 2 {"00" * 32}
b.example. DS 1 8 250 00
"""
    assert read(text, "x") == (
        AnchorRecord(names.ROOT, rdtypes.DS, ds_rdata()),
        AnchorRecord(names.from_text("corp.example."), rdtypes.DS, ds_rdata()),
        AnchorRecord(names.from_text("a.example."), rdtypes.DNSKEY, dnskey_rdata()),
        AnchorRecord(names.from_text("b.example."), rdtypes.DS, b"\0\x01\x08\x02" + bytes(32)),
        AnchorRecord(names.from_text("b.example."), rdtypes.DS, b"\0\x01\x08\xfa\0"),
    )


def ds_rdata() -> bytes:
    return dns.rdata.from_text("IN", "DS", DS).to_wire() or b""


def dnskey_rdata() -> bytes:
    return dns.rdata.from_text("IN", "DNSKEY", DNSKEY).to_wire() or b""


def test_rdata_may_be_in_the_form_for_unknown_types() -> None:
    """Which is how dnspython writes a DS whose digest does not fit its type."""
    text = f". DS \\# 36 4F660802 {ds_rdata()[4:].hex()}\na. DNSKEY \\# 36 {dnskey_rdata().hex()}"
    assert [rdata for _, _, rdata in read(text, "x")] == [ds_rdata(), dnskey_rdata()]
    assert read(f". DS \\# 36 4F660801 {'00' * 32}", "x")[0].rdata == b"\x4f\x66\x08\x01" + bytes(
        32
    )


def test_a_record_that_is_there_twice_counts_once() -> None:
    assert len(read(f". DS {DS}\n. DS {DS.lower()}\n", "x")) == 1


@given(
    st.lists(
        st.tuples(
            st.lists(st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True), max_size=4),
            st.one_of(
                st.builds(
                    lambda tag, algorithm, digest: ("DS", tag + bytes((algorithm, 2)) + digest),
                    st.binary(min_size=2, max_size=2),
                    st.integers(0, 255),
                    st.binary(min_size=32, max_size=32),
                ),
                st.builds(
                    lambda algorithm, key: ("DNSKEY", b"\x01\x01\x03" + bytes([algorithm]) + key),
                    st.integers(0, 255).filter(lambda number: number != 1),
                    st.binary(min_size=1, max_size=300),
                ),
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([lambda text: text, lambda text: text.replace(" ", "  ; x\n\t", 9)]),
)  # fmt: skip
def test_what_dnspython_writes_is_read_as_it_was(
    records: list[tuple[list[str], tuple[str, bytes]]], spread: Callable[[str], str]
) -> None:
    lines, expected = [], []
    for labels, (rdtype, rdata) in records:
        name = dns.name.Name([*(label.encode() for label in labels), b""])
        text = dns.rdata.from_wire("IN", rdtype, rdata, 0, len(rdata)).to_text(chunksize=32)
        lines.append(f"{name} 300 IN {rdtype} ( {spread(text + ' ')})")
        expected.append(AnchorRecord(name.to_wire() or b"", rdtypes.from_text(rdtype), rdata))
    assert read("\n".join(lines), "x") == tuple(dict.fromkeys(expected))


@given(st.text(alphabet=st.sampled_from(list('. DS DNSKEY IN ()8;\n\t\\3aF=$"é\0')), max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        records, place = read(text, "x"), "x"
    except ConfigError as error:
        place = error.where
    else:
        assert records
    assert re.fullmatch(r"x(:\d+)?", place)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "x: holds no trust anchor; write DS or DNSKEY records into it"),
        ("; nothing\n\n", "x: holds no trust anchor; write"),
        ("\n. A 192.0.2.1", "x:2: A is no trust anchor; write a DS or a DNSKEY record"),
        (". IN 3600", "x:1: the record has no type; write"),
        (".", "x:1: the record has no type; write"),
        (f"example DS {DS}", 'x:1: "example" does not end in a dot; write the whole name'),
        (f"@ DS {DS}", 'x:1: "@" does not end in a dot; write the whole name'),
        ("$ORIGIN example.", "x:1: $ORIGIN is not known here; write whole names"),
        (f". DS {DS}\n  DS {DS}", "x:2: a record without its name; begin the line with"),
        (f"a..b. DS {DS}", "x:1: a label is empty or longer than 63 octets"),
        (". DS 20326 8 2", "x:1: the DS record ends too early; write"),
        (". DS 65536 8 2 00", 'x:1: "65536" is no number of 16 bits; copy the record again'),
        (". DS -1 8 2 00", 'x:1: "-1" is no number of 16 bits'),
        (". DS 1 256 2 00", 'x:1: "256" is no number of 8 bits'),
        (". DS 1 RSASHA257 2 00", 'x:1: "RSASHA257" is no number of 8 bits'),
        (f". DS {DS[:-1]}", "x:1: the hexadecimal part is damaged; copy the record again"),
        (f". DS {DS[:-2]}", "x:1: a digest of type 2 has 32 octets, not 31; copy the record again"),
        (f". DS {DS}00", "x:1: a digest of type 2 has 32 octets, not 33"),
        (". DNSKEY 257 3 15", "x:1: the DNSKEY record ends too early; write"),
        (f". DNSKEY {DNSKEY[:-1]}", "x:1: the key is not base64; copy the record again"),
        (f". DNSKEY {DNSKEY[:-2]}*=", "x:1: the key is not base64; copy the record again"),
        (f". DNSKEY 1{DNSKEY[3:]}", "x:1: the key may not sign zone data"),
        (f". DNSKEY 257 2 {DNSKEY[6:]}", "x:1: the key may not sign zone data"),
        (
            f". DNSKEY 385{DNSKEY[3:]}",
            "x:1: the key is revoked (RFC 5011 section 2.1); take it out",
        ),
        (". DS \\# 5 0001080200ff", "x:1: the RDATA have not the length that is given; copy"),
        (". DS \\#", "x:1: the RDATA have not the length that is given; copy"),
        (". DS \\# 4 00010802", "x:1: the RDATA have not the length that is given; copy"),
        (". DNSKEY \\# 5 00010308ff", "x:1: the key may not sign zone data"),
        (f"\n. DS ( {DS}\n\n", "x:2: a parenthesis without its partner; close or remove it"),
        (f". DS {DS} )\n", "x:1: a parenthesis without its partner"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_a_remedy(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "x")
    assert caught.value.one_line().startswith(error)
    assert caught.value.exit_status == 2


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.zone: the trust anchors cannot be read: No such"):
        trust_anchors(str(tmp_path / "none.zone"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anchors.zone"
    file.write_bytes(b"\xff\xfe\0")
    with pytest.raises(ConfigError, match=r"anchors\.zone: not a text; write DS or DNSKEY"):
        trust_anchors(str(file))
