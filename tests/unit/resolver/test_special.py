"""Special names: what is answered here, what is left to the DNS, and what the root may prove."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status, Verdict
from anchord.resolver.local import reverse_name
from anchord.resolver.special import (
    LOCAL_TTL,
    SPECIAL_NAMES,
    SpecialAnswer,
    SpecialName,
    SpecialNames,
    Treatment,
)
from anchord.wire.rdata import read_soa, read_target

DOCUMENT = Path(__file__).parents[3] / "docs" / "special-names.md"
SIX = "0." * 31 + "ip6.arpa"
ALL_TYPES = (rdtypes.A, rdtypes.AAAA, rdtypes.TXT, rdtypes.SOA, rdtypes.NS, rdtypes.HTTPS)


def question(text: str, rdtype: int = rdtypes.A) -> Question:
    return Question(names.from_text(text), rdtype)


def special(
    text: str, rdtype: int = rdtypes.A, zones: tuple[str, ...] = ()
) -> SpecialAnswer | None:
    return SpecialNames(map(names.from_text, zones)).answer(question(text, rdtype))


def answer(text: str, rdtype: int = rdtypes.A) -> Answer:
    found = special(text, rdtype)
    assert found is not None
    return found.answer


def kind(text: str, rdtype: int = rdtypes.A, zones: tuple[str, ...] = ()) -> str:
    """What is said, in a word."""
    found = special(text, rdtype, zones)
    if found is None:
        return "upstream"
    if found.answer.rcode == rcodes.NXDOMAIN:
        return "nxdomain"
    return "data" if found.answer.answer else "nodata"


def rdatas(text: str, rdtype: int) -> tuple[bytes, ...]:
    (checked,) = answer(text, rdtype).answer
    return checked.rrset.rdatas


# ------------ Each name ------------


@pytest.mark.parametrize("name", ["localhost", "a.localhost", "b.a.localhost"])
def test_localhost_and_all_below_have_the_loopback_addresses_and_no_other_data(name: str) -> None:
    assert rdatas(name, rdtypes.A) == (bytes((127, 0, 0, 1)),)
    assert rdatas(name, rdtypes.AAAA) == (bytes(15) + b"\x01",)
    assert {kind(name, rdtype) for rdtype in (rdtypes.MX, rdtypes.HTTPS, rdtypes.NS)} == {"nodata"}
    assert len(answer(name, rdtypes.ANY).answer) == 2


@pytest.mark.parametrize("name", ["1.0.0.127.in-addr.arpa", "1." + SIX])
def test_the_loopback_addresses_point_to_localhost(name: str) -> None:
    (pointer,) = rdatas(name, rdtypes.PTR)
    assert read_target(pointer) == names.from_text("localhost")
    assert kind(name, rdtypes.A) == "nodata"


def test_the_rest_of_the_loopback_network_is_an_empty_zone() -> None:
    assert kind("127.in-addr.arpa", rdtypes.SOA) == "data"
    assert kind("0.127.in-addr.arpa", rdtypes.PTR) == "nodata"
    assert kind("0.0.127.in-addr.arpa", rdtypes.PTR) == "nodata"
    assert kind("2.0.0.127.in-addr.arpa", rdtypes.PTR) == "nxdomain"
    assert kind("1.1.0.0.127.in-addr.arpa", rdtypes.PTR) == "nxdomain"


@pytest.mark.parametrize("top", ["invalid", "test", "local", "onion", "alt", "internal"])
@pytest.mark.parametrize("rdtype", ALL_TYPES)
def test_reserved_top_level_names_do_not_exist_nor_does_anything_below(
    top: str, rdtype: int
) -> None:
    for name in (top, f"www.{top}", f"a.b.{top}"):
        assert kind(name, rdtype) == "nxdomain"


@pytest.mark.parametrize(
    "zone",
    [
        "home.arpa", "service.arpa", "10.in-addr.arpa", "16.172.in-addr.arpa",
        "31.172.in-addr.arpa", "168.192.in-addr.arpa", "0.in-addr.arpa", "254.169.in-addr.arpa",
        "2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa",
        "255.255.255.255.in-addr.arpa", "64.100.in-addr.arpa", "127.100.in-addr.arpa",
        "0." + SIX, "d.f.ip6.arpa", "8.e.f.ip6.arpa", "b.e.f.ip6.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
    ],
)  # fmt: skip
def test_locally_served_zones_are_empty(zone: str) -> None:
    soa = read_soa(rdatas(zone, rdtypes.SOA)[0])
    assert (soa.mname, soa.minimum) == (names.from_text(zone), LOCAL_TTL)
    assert rdatas(zone, rdtypes.NS) == (names.from_text(zone),)
    assert kind(zone, rdtypes.PTR) == "nodata"
    assert kind(f"1.{zone}", rdtypes.PTR) == "nxdomain"
    assert kind(f"1.1.{zone}", rdtypes.A) == "nxdomain"


@pytest.mark.parametrize(
    "name",
    [
        "11.in-addr.arpa", "15.172.in-addr.arpa", "32.172.in-addr.arpa", "63.100.in-addr.arpa",
        "128.100.in-addr.arpa", "169.192.in-addr.arpa", "1.1.1.1.in-addr.arpa", "arpa",
        "in-addr.arpa", "f.ip6.arpa", "2.ip6.arpa", "c.e.f.ip6.arpa", "example.com",
        "home.example", "test.example.com", "xlocal.example", "mytest.org", ".",
    ],
)  # fmt: skip
def test_names_beside_and_above_special_ones_are_left_to_the_dns(name: str) -> None:
    assert kind(name, rdtypes.PTR) == "upstream"


def test_no_data_is_found_anywhere_at_resolver_arpa() -> None:
    for name in ("resolver.arpa", "_dns.resolver.arpa", "x._dns.resolver.arpa"):
        assert kind(name, rdtypes.SVCB) == "nodata"
        assert kind(name, rdtypes.A) == "nodata"


@pytest.mark.parametrize("zone", ["arpa", "resolver.arpa", "_dns.resolver.arpa"])
def test_no_zone_sends_resolver_arpa_elsewhere(zone: str) -> None:
    assert kind("_dns.resolver.arpa", rdtypes.SVCB, zones=(zone,)) == "nodata"


def test_ipv4only_arpa_has_its_two_addresses_and_they_point_back() -> None:
    addresses = (bytes((192, 0, 0, 170)), bytes((192, 0, 0, 171)))
    assert rdatas("ipv4only.arpa", rdtypes.A) == addresses
    assert kind("ipv4only.arpa", rdtypes.AAAA) == "nodata"
    assert kind("www.ipv4only.arpa", rdtypes.A) == "nxdomain"
    for address in addresses:
        (pointer,) = rdatas(names.to_text(reverse_name(address)), rdtypes.PTR)
        assert read_target(pointer) == names.from_text("ipv4only.arpa")


def test_the_canary_is_denied_only_where_anchord_is_the_systems_resolver() -> None:
    canary = question("use-application-dns.net")
    assert SpecialNames().answer(canary) is None
    denied = SpecialNames(is_system_resolver=True).answer(canary)
    assert denied is not None
    assert denied.answer.rcode == rcodes.NXDOMAIN
    assert denied.denial is None


# ------------ The rules for all of them ------------


@pytest.mark.parametrize("entry", SPECIAL_NAMES, ids=lambda entry: names.to_text(entry.name))
def test_ds_at_the_apex_is_the_parents_and_below_it_is_not(entry: SpecialName) -> None:
    everything = SpecialNames(is_system_resolver=True)
    assert everything.answer(Question(entry.name, rdtypes.DS)) is None
    below = names.join([b"www", *names.labels(entry.name)])
    assert everything.answer(Question(below, rdtypes.DS)) is not None


@pytest.mark.parametrize("entry", SPECIAL_NAMES, ids=lambda entry: names.to_text(entry.name))
def test_every_local_answer_is_insecure_and_says_why_in_one_short_sentence(
    entry: SpecialName,
) -> None:
    found = SpecialNames(is_system_resolver=True).answer(Question(entry.name, rdtypes.TXT))
    assert found is not None
    local = found.answer
    assert local.verdict.status is Status.INSECURE
    assert {checked.status for checked in (*local.answer, *local.authority)} == {Status.INSECURE}
    (ede,) = local.edes
    assert ede.code == EdeCode.SYNTHESIZED
    assert names.to_text(entry.name) in ede.text
    assert entry.reference in ede.text
    assert len(ede.text.encode()) <= 200


@pytest.mark.parametrize(("name", "rdtype"), [("x.test", 1), ("home.arpa", 1), ("localhost", 15)])
def test_every_denial_has_an_soa_by_which_clients_may_keep_it(name: str, rdtype: int) -> None:
    local = answer(name, rdtype)
    (soa,) = (checked.rrset for checked in local.authority)
    assert names.is_at_or_below(names.from_text(name), soa.name)
    assert local.ttl == soa.ttl == read_soa(soa.rdatas[0]).minimum == LOCAL_TTL


def test_no_special_name_is_below_another() -> None:
    listed = [entry.name for entry in SPECIAL_NAMES]
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert not any(names.is_below(name, other) for other in listed)


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("internal", "host.internal"),  # at
        ("corp.internal", "host.corp.internal"),  # below
        ("arpa", "1.10.in-addr.arpa"),  # above
        (".", "host.test"),
        ("home.arpa", "home.arpa"),
        ("168.192.in-addr.arpa", "1.1.168.192.in-addr.arpa"),
        ("local", "printer.local"),
    ],
)
def test_a_configured_zone_at_or_above_the_name_switches_it_off(zone: str, name: str) -> None:
    assert kind(name) != "upstream"
    assert kind(name, zones=(zone,)) == "upstream"


def test_a_configured_zone_below_a_special_name_leaves_the_rest_of_it_special() -> None:
    assert kind("host.internal", zones=("corp.internal",)) == "nxdomain"
    assert kind("corp.internal", zones=("corp.internal",)) == "upstream"
    assert kind("corp.internal", rdtypes.DS, zones=("corp.internal",)) == "nxdomain"


# ------------ Single labels ------------


@pytest.mark.parametrize("rdtype", [rdtypes.A, rdtypes.AAAA, rdtypes.HTTPS])
def test_hosts_are_not_looked_up_by_a_single_label(rdtype: int) -> None:
    assert kind("printer", rdtype) == "nodata"
    assert kind("printer", rdtype, zones=("printer",)) == "upstream"
    assert kind("printer.example", rdtype) == "upstream"


@pytest.mark.parametrize(
    "rdtype", [rdtypes.NS, rdtypes.SOA, rdtypes.DS, rdtypes.DNSKEY, rdtypes.MX]
)
def test_questions_about_top_level_domains_work(rdtype: int) -> None:
    assert kind("com", rdtype) == "upstream"


def test_the_root_itself_is_no_single_label() -> None:
    assert kind(".", rdtypes.A) == "upstream"


# ------------ The root's proof ------------


def root_says(
    asked: Question, rcode: int = rcodes.NXDOMAIN, status: Status = Status.SECURE
) -> Answer:
    nsec = RRset(names.from_text("tennis"), rdtypes.NSEC, 86400, (b"",), (b"signature",), 86400)
    authority = (Checked(nsec, status),)
    return Answer(asked, rcode, (), authority, Verdict(status), 1800, upstream="dns.example")


def test_only_what_the_root_can_deny_is_marked_so() -> None:
    assert special("www.test") == SpecialAnswer(
        answer("www.test"), denial=question("test", rdtypes.DS)
    )
    single = special("printer")
    assert single is not None
    assert (single.denial, single.only_root_knows) == (question("printer", rdtypes.DS), True)
    for name in ("localhost", "home.arpa", "x.home.arpa", "resolver.arpa", "ipv4only.arpa"):
        found = special(name)
        assert found is not None
        assert found.denial is None


def test_the_question_for_the_proof_goes_to_the_dns() -> None:
    for name in ("www.test", "test", "printer"):
        found = special(name)
        assert found is not None
        assert found.denial is not None
        assert SpecialNames().answer(found.denial) is None


@pytest.mark.parametrize("name", ["a.www.test", "test", "printer"])
def test_a_secure_denial_by_the_root_proves_the_answer(name: str) -> None:
    found = special(name)
    assert found is not None
    assert found.denial is not None
    denial = root_says(found.denial)
    proven = found.proven(denial)
    assert proven.question == question(name)
    assert proven.rcode == rcodes.NXDOMAIN
    assert proven.verdict is denial.verdict
    assert proven.authority == denial.authority
    assert proven.ttl == denial.ttl
    assert [ede.code for ede in proven.edes] == [EdeCode.SYNTHESIZED]


def test_nothing_but_a_secure_denial_of_that_very_name_proves_it() -> None:
    found = special("www.test")
    assert found is not None
    assert found.denial is not None
    others = [
        root_says(found.denial, rcode=rcodes.NOERROR),
        root_says(found.denial, rcode=rcodes.SERVFAIL),
        *(
            root_says(found.denial, status=status)
            for status in Status
            if status is not Status.SECURE
        ),
        root_says(question("invalid", rdtypes.DS)),
        root_says(question("test", rdtypes.A)),
    ]
    for denial in others:
        assert found.proven(denial) is found.answer


def test_a_top_level_domain_that_exists_is_never_said_not_to() -> None:
    found = special("com")
    assert found is not None
    assert found.denial is not None
    assert found.proven(root_says(found.denial, rcode=rcodes.NOERROR)).rcode == rcodes.NOERROR


# ------------ Properties ------------

LABELS = st.sampled_from(
    ["a", "www", "test", "local", "localhost", "arpa", "home", "in-addr", "10"]
)
NAMES = st.lists(LABELS, max_size=5).map(lambda parts: names.from_text(".".join(parts) or "."))


@given(name=NAMES, rdtype=st.sampled_from([*ALL_TYPES, rdtypes.DS, rdtypes.ANY, rdtypes.PTR]))
def test_what_is_below_a_name_that_does_not_exist_does_not_exist_either(
    name: Name, rdtype: int
) -> None:
    specials = SpecialNames()
    found = specials.answer(Question(name, rdtype))
    if found is None or found.answer.rcode != rcodes.NXDOMAIN:
        return
    below = specials.answer(Question(names.join([b"x", *names.labels(name)]), rdtype))
    assert below is not None
    assert below.answer.rcode == rcodes.NXDOMAIN


@given(name=NAMES, zone=NAMES)
def test_names_of_configured_zones_are_never_answered_here(name: Name, zone: Name) -> None:
    """But for `resolver.arpa`, which the strategy does not make."""
    if names.is_at_or_below(name, zone):
        for rdtype in (rdtypes.A, rdtypes.SOA):
            assert SpecialNames([zone]).answer(Question(name, rdtype)) is None


# ------------ The documentation ------------


def documented() -> set[tuple[str, str, str]]:
    """The rows of the table: names, meaning and reference; ranges of names written out."""
    rows: set[tuple[str, str, str]] = set()
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        listed = re.findall(r"`([^`]+)`", cells[0]) if len(cells) == 3 else []
        if " to " in cells[0] and len(listed) == 2:
            (first, rest), (last, _) = (name.split(".", 1) for name in listed)
            listed = [f"{number}.{rest}" for number in range(int(first), int(last) + 1)]
        rows.update((name, cells[1].replace("`", ""), cells[2]) for name in listed)
    return rows


def test_the_documentation_and_the_list_agree() -> None:
    listed = {
        (names.to_text(entry.name), entry.meaning, entry.reference) for entry in SPECIAL_NAMES
    }
    assert documented() == listed
    assert {entry.treatment for entry in SPECIAL_NAMES} == set(Treatment)
