"""Zones as text: what the lines mean, and that dnspython reads the same out of them."""

import dns.zone
import pytest

from anchord.lab.zones import parse, to_zone_file
from anchord.model import names, rdtypes
from support.lab import dnspython_name, zone_of

APEX = names.from_text("z.lab.")

RECORDS = """
    @         A      192.0.2.1
    @         A      192.0.2.2
    @         MX     10 mail
    @         MX     20 mail.example.
    mail      AAAA   2001:db8::25
    www       CNAME  @
    tree      DNAME  good.lab.
    host.sub  NS     ns
    host      PTR    www.example.
    t         TXT    "one string; with a semicolon"
    t         TXT    "two" "strings"
    t         TXT    "a \\"quoted\\" word"
    s         SRV    0 0 443 www
    s         CAA    0 issue "ca.example"
    \\*.x     A      192.0.2.3
    a\\.b     A      192.0.2.4
    odd       TYPE65280 \\# 3 41424a
"""


def test_a_zone_is_read_as_dnspython_reads_it() -> None:
    ours = {
        (dnspython_name(name), rdtype): sorted(rrset.rdatas)
        for (name, rdtype), rrset in parse(APEX, RECORDS).items()
        if rdtype not in {rdtypes.SOA, rdtypes.NS} or name != APEX
    }
    lines = "\n".join(line.strip() for line in RECORDS.splitlines())
    zone = dns.zone.from_text(
        "$TTL 300\n" + lines, origin="z.lab.", relativize=False, check_origin=False
    )
    theirs = {
        (name, int(rdataset.rdtype)): sorted(rdata.to_wire() for rdata in rdataset)
        for name, rdataset in zone.iterate_rdatasets()
    }
    assert ours == theirs


def test_a_zone_gets_an_soa_and_an_ns_set_where_it_has_none() -> None:
    records = parse(APEX, "@ A 192.0.2.1")
    assert {rdtype for _, rdtype in records} == {rdtypes.A, rdtypes.SOA, rdtypes.NS}
    assert records[APEX, rdtypes.NS].rdatas == (names.from_text("ns.lab."),)
    own = parse(APEX, "@ NS ns.example.\n@ SOA ns.example. admin.example. 1 2 3 4 5")
    assert own[APEX, rdtypes.NS].rdatas == (names.from_text("ns.example."),)
    assert own[APEX, rdtypes.SOA].rdatas[0].endswith(b"\0\0\0\5")


def test_records_live_five_minutes_unless_they_say_otherwise() -> None:
    records = parse(APEX, "@ A 192.0.2.1\nlong 86400 A 192.0.2.2")
    assert records[APEX, rdtypes.A].ttl == 300
    assert records[names.from_text("long.z.lab."), rdtypes.A].ttl == 86400
    assert records[APEX, rdtypes.SOA].ttl == 3600


def test_the_spelling_of_an_owner_is_kept_beside_its_key() -> None:
    records = parse(APEX, "WWW A 192.0.2.1")
    rrset = records[names.from_text("www.z.lab."), rdtypes.A]
    assert rrset.spelling == names.from_text("WWW.z.lab.")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("www B 192.0.2.1", "B is no RR type"),
        ("www A 192.0.2.256", "192.0.2.256"),
        ("www SOA ns admin 1 2 3", "five numbers"),
        ("www SRV 0 0", "www SRV 0 0"),
        ("www MX mail", "mail"),
        ("www MX 65536 mail", "too big"),
        ("www", "is no RR type"),
        ("a..b A 192.0.2.1", "empty"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse(APEX, line)
    assert str(caught.value).startswith(f"z.lab.: {line}: ")


def test_a_zone_file_holds_every_record_with_its_signatures_and_denials() -> None:
    zone = zone_of(RECORDS)
    text = to_zone_file(zone)
    read = dns.zone.from_text(text, origin="z.lab.", relativize=False)
    expected = sum(len(rrset.rdatas) + len(rrset.signatures) for rrset in zone.rrsets())
    assert sum(len(rdataset) for _, rdataset in read.iterate_rdatasets()) == expected
