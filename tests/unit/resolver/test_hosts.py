"""The hosts file: what it answers, what it leaves to the DNS, and that changes are seen."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.question import Question
from anchord.model.verdict import Answer, Status
from anchord.resolver.hosts import HOSTS_TTL, LONGEST_REASON, MAX_FILE, HostsFile, hosts_path, parse

FILE = """\
# the usual beginning
127.0.0.1   localhost localhost.localdomain
::1         localhost ip6-localhost

192.0.2.7   NAS.example nas   # two names
192.0.2.8   nas.example
2001:db8::7 nas.example
fe80::1%lo0 scoped.example
0.0.0.0     ads.example
192.0.2.7   other.example
"""


def question(text: str, rdtype: int = rdtypes.A) -> Question:
    return Question(names.from_text(text), rdtype)


def answer(text: str, rdtype: int = rdtypes.A, file: str = FILE) -> Answer | None:
    return parse(file).answer(question(text, rdtype))


def rdatas(text: str, rdtype: int = rdtypes.A, file: str = FILE) -> list[bytes] | None:
    """The data of the answer; nothing where the file has nothing to say."""
    found = answer(text, rdtype, file)
    if found is None:
        return None
    assert found.rcode == rcodes.NOERROR
    return [rdata for checked in found.answer for rdata in checked.rrset.rdatas]


# ------------ What a file says ------------


def test_a_listed_name_has_the_addresses_of_all_its_lines() -> None:
    assert rdatas("nas.example") == [bytes((192, 0, 2, 7)), bytes((192, 0, 2, 8))]
    assert rdatas("nas.example", rdtypes.AAAA) == [bytes.fromhex("20010db8") + bytes(11) + b"\x07"]


def test_every_name_on_a_line_counts_up_to_the_comment() -> None:
    assert rdatas("nas") == [bytes((192, 0, 2, 7))]
    assert rdatas("two") is None


def test_a_name_that_is_listed_in_one_family_has_no_data_in_the_other() -> None:
    assert rdatas("ads.example", rdtypes.AAAA) == []
    assert rdatas("ip6-localhost", rdtypes.A) == []


@pytest.mark.parametrize("rdtype", [rdtypes.MX, rdtypes.TXT, rdtypes.HTTPS, rdtypes.ANY])
def test_other_types_of_a_listed_name_are_left_to_the_dns(rdtype: int) -> None:
    assert answer("nas.example", rdtype) is None


def test_names_that_are_not_listed_are_left_to_the_dns() -> None:
    assert answer("www.example") is None
    assert answer("sub.nas.example") is None
    assert answer("example") is None


def test_an_address_points_to_the_first_name_that_has_it_in_its_own_spelling() -> None:
    assert rdatas("7.2.0.192.in-addr.arpa", rdtypes.PTR) == [names.from_text("NAS.example")]
    nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    assert rdatas(nibbles, rdtypes.PTR) == [names.from_text("nas.example")]
    assert answer("9.2.0.192.in-addr.arpa", rdtypes.PTR) is None


def test_localhost_cannot_be_moved_by_the_file() -> None:
    moved = "192.0.2.1 localhost evil.localhost good.example\n"
    assert answer("localhost", file=moved) is None
    assert answer("evil.localhost", file=moved) is None
    assert rdatas("good.example", file=moved) == [bytes((192, 0, 2, 1))]


def test_addresses_with_a_zone_id_are_skipped_and_not_called_malformed() -> None:
    assert answer("scoped.example", rdtypes.AAAA) is None
    assert parse(FILE).malformed == ()


def test_an_answer_of_the_file_is_insecure_and_says_where_it_comes_from() -> None:
    found = answer("nas.example")
    assert found is not None
    assert found.verdict.status is Status.INSECURE
    assert [checked.status for checked in found.answer] == [Status.INSECURE]
    assert [ede.code for ede in found.edes] == [EdeCode.SYNTHESIZED]
    assert "nas.example. is in the hosts file" in found.edes[0].text
    assert found.ttl == found.answer[0].rrset.ttl == HOSTS_TTL


def test_the_same_line_twice_gives_one_record() -> None:
    assert rdatas("a.example", file="192.0.2.1 a.example A.EXAMPLE\n192.0.2.1 a.example\n") == [
        bytes((192, 0, 2, 1))
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("example.com 192.0.2.1", "example.com"),
        ("192.0.2.256 a.example", "192.0.2.256"),
        ("192.0.2.1", "no name"),
        ("192.0.2.1 " + "a" * 64 + ".example", "63 octets"),
        ("192.0.2.1 a..example", "empty"),
        ("192.0.2.1 b\ufffdd.example", "name"),
    ],
)
def test_a_malformed_line_is_told_and_skipped_and_the_others_count(line: str, reason: str) -> None:
    file = parse(f"192.0.2.9 before.example\n{line}\n192.0.2.9 after.example\n")
    assert [number for number, _ in file.malformed] == [2]
    assert reason in file.malformed[0][1]
    assert set(file.addresses) == {
        names.from_text("before.example"),
        names.from_text("after.example"),
    }


def test_a_complaint_about_a_line_quotes_no_more_than_its_beginning() -> None:
    ((_, reason),) = parse("x" * 10_000 + " a.example").malformed
    assert reason.startswith("'xxx")
    assert len(reason) == LONGEST_REASON


def test_windows_line_ends_and_names_of_all_languages_are_read() -> None:
    assert rdatas("xn--bcher-kva.example", file="192.0.2.1\tbücher.example\r\n") == [
        bytes((192, 0, 2, 1))
    ]


@given(st.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    file = parse(text)
    lines = text.split("\n")
    assert all(1 <= number <= len(lines) for number, _ in file.malformed)


# ------------ The file ------------


def write(path: Path, text: str, *, mtime: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (mtime, mtime))


def asks(file: HostsFile, text: str, now: float) -> bool:
    return file.answer(question(text), now) is not None


def test_a_change_is_seen_within_a_second_and_the_file_is_not_looked_at_more_often(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hosts"
    write(path, "192.0.2.1 one.example\n", mtime=1000)
    file = HostsFile(path)
    assert asks(file, "one.example", 50.0)
    write(path, "192.0.2.1 two.example\n", mtime=2000)
    assert not asks(file, "two.example", 50.9)
    assert asks(file, "two.example", 51.0)
    assert not asks(file, "one.example", 51.0)


def test_a_file_put_in_place_of_the_old_one_is_seen_whatever_its_time_and_size(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hosts"
    write(path, "192.0.2.1 one.example\n", mtime=1000)
    file = HostsFile(path)
    assert asks(file, "one.example", 0)
    write(tmp_path / "new", "192.0.2.1 two.example\n", mtime=1000)
    (tmp_path / "new").replace(path)
    assert asks(file, "two.example", 1)


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    write(path, "192.0.2.1 one.example\n", mtime=1000)
    file = HostsFile(path)
    assert asks(file, "one.example", 0)
    with path.open("r+", encoding="utf-8") as opened:  # same inode, size and time
        opened.write("192.0.2.1 two.example\n")
    os.utime(path, (1000, 1000))
    assert asks(file, "one.example", 1)


def test_a_byte_order_mark_and_odd_bytes_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"\xef\xbb\xbf192.0.2.1 one.example\n192.0.2.2 \xff.example\n")
    assert asks(HostsFile(path), "one.example", 0)


def test_a_missing_file_says_nothing_is_told_once_and_counts_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hosts"
    file = HostsFile(path)
    for now in range(3):
        assert not asks(file, "one.example", now)
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    assert "No such file" in caplog.text
    write(path, "192.0.2.1 one.example\n", mtime=1000)
    assert asks(file, "one.example", 3)
    path.unlink()
    assert not asks(file, "one.example", 4)
    assert len(caplog.records) == 2


def test_malformed_lines_are_told_in_one_line_with_file_and_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hosts"
    write(path, "192.0.2.1 one.example\nnonsense\n192.0.2.300 x\n", mtime=1000)
    file = HostsFile(path)
    for now in range(3):
        assert asks(file, "one.example", now)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{path}:2: 'nonsense'" in caplog.text
    assert "and 1 more" in caplog.text


def test_what_is_no_regular_file_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not asks(HostsFile(tmp_path), "one.example", 0)
    assert "not a regular file" in caplog.text


def test_a_file_larger_than_the_limit_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hosts"
    write(path, "192.0.2.1 one.example\n", mtime=1000)
    os.truncate(path, MAX_FILE + 1)
    assert not asks(HostsFile(path), "one.example", 0)
    assert "larger than 64 MiB" in caplog.text


def test_no_file_is_looked_at_where_none_is_configured() -> None:
    assert hosts_path("") is None
    assert HostsFile(None).answer(question("localhost"), 0) is None


def test_the_setting_names_the_systems_file_or_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosts_path("system", "linux") == Path("/etc/hosts")
    assert hosts_path("system", "darwin") == Path("/etc/hosts")
    assert hosts_path("/srv/hosts") == Path("/srv/hosts")
    monkeypatch.setenv("SYSTEMROOT", r"D:\Win")
    windows = hosts_path("system", "win32")
    assert windows is not None
    assert str(windows).replace("/", "\\") == r"D:\Win\System32\drivers\etc\hosts"
