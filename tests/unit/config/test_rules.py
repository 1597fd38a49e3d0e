from pathlib import Path

import pytest

from anchord.config.errors import ConfigError
from anchord.config.load import load
from anchord.config.rules import NOT_BUILT
from anchord.config.schema import Config


def error_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "anchord.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.exit_status == 2
    return caught.value.one_line().replace(str(tmp_path) + "/anchord.toml:", "")


def warnings_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "anchord.toml"
    file.write_text(text)
    return [line.replace(str(tmp_path) + "/anchord.toml:", "") for line in load(file).warnings]


UPSTREAM = "[[upstream]]\nurl = '{}'\n"
ZONE = "[[zone]]\ndomain = 'corp.example'\nupstream = ['{}']\n"


@pytest.mark.parametrize("key", ["dns", "tls", "https", "quic", "api", "socketmap"])
@pytest.mark.parametrize("address", ["0.0.0.0:53", "[::]:53", "192.0.2.1:53", "[2001:db8::1]:53"])
def test_no_listener_leaves_the_loopback_interface_unasked(
    tmp_path: Path, key: str, address: str
) -> None:
    text = f"[listen]\n{key} = ['127.0.0.1:1',\n'{address}']\n"
    assert error_of(tmp_path, text) == (
        f"3: listen.{key}[1]: {address} can be reached from other machines; use 127.0.0.1 or [::1],"
        " or set listen.allow_non_loopback = true"
    )
    (tmp_path / "anchord.toml").write_text(text + "allow_non_loopback = true\n")
    load(tmp_path / "anchord.toml")


@pytest.mark.parametrize(("given", "lacking"), [("certificate", "key"), ("key", "certificate")])
def test_certificate_and_key_come_together(tmp_path: Path, given: str, lacking: str) -> None:
    assert error_of(tmp_path, f"[listen]\n{given} = 'x.pem'") == (
        f"2: listen.{given}: a {given} without a {lacking}; set listen.{lacking} too, or neither"
    )


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_plaintext_upstreams_need_consent(tmp_path: Path, scheme: str) -> None:
    text = UPSTREAM.format(f"{scheme}://192.0.2.1")
    assert error_of(tmp_path, text) == (
        f"2: upstream[0].url: {scheme}://192.0.2.1 sends every question in the clear;"
        " use tls://, or set allow_plaintext = true in [forward]"
    )
    assert warnings_of(tmp_path, text + "[forward]\nallow_plaintext = true") == []


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_a_zone_consents_to_plaintext_by_itself_and_for_itself(tmp_path: Path, scheme: str) -> None:
    text = ZONE.format(f"{scheme}://192.0.2.1")
    error = (
        f"3: zone[0].upstream[0]: {scheme}://192.0.2.1 sends every question in the clear; use"
        " tls://, or set allow_plaintext = true in its [[zone]]"
    )
    assert error_of(tmp_path, text) == error
    assert error_of(tmp_path, text + "[forward]\nallow_plaintext = true") == error
    assert warnings_of(tmp_path, text + "allow_plaintext = true") == []


@pytest.mark.parametrize(
    "url",
    [
        "https://dns.example",
        "h3://dns.example/q",
        "quic://dns.example",
        "sdns://BAAAAAAAAAAAAAALZG5zLmV4YW1wbGU",
    ],
)
def test_every_encrypted_scheme_will_do(tmp_path: Path, url: str) -> None:
    for text in (UPSTREAM.format(url), ZONE.format(url)):
        assert warnings_of(tmp_path, text) == []


def test_a_stamp_is_held_to_the_same_rules(tmp_path: Path) -> None:
    plain = "sdns://AAAAAAAAAAAACTE5Mi4wLjIuMQ"
    assert f"{plain} sends every question in the clear" in error_of(
        tmp_path, UPSTREAM.format(plain)
    )
    relay = "sdns://gQ8xOTIuMC4yLjE6NDQz"
    assert f"{relay}: this is a stamp for an Anonymized DNSCrypt relay" in error_of(
        tmp_path, UPSTREAM.format(relay)
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("dns.example", "no scheme"),
        ("ftp://dns.example", "ftp:// is no way to an upstream"),
        ("tls://dns.example:0", "a port is a number from 1 to 65535"),
    ],
)
def test_what_is_no_url_of_an_upstream_is_refused(tmp_path: Path, url: str, problem: str) -> None:
    error = f"{url}: {problem}; "
    assert error_of(tmp_path, UPSTREAM.format(url)).startswith(f"2: upstream[0].url: {error}")
    assert error_of(tmp_path, ZONE.format(url)).startswith(f"3: zone[0].upstream[0]: {error}")


def test_a_pin_for_plaintext_is_refused(tmp_path: Path) -> None:
    text = UPSTREAM.format("udp://192.0.2.1") + f"pins = ['sha256/{'A' * 43}=']\n"
    assert error_of(tmp_path, text).startswith(
        "2: upstream[0].url: udp://192.0.2.1: pins and ca_file mean nothing to udp://"
    )


def test_an_upstream_is_named_once(tmp_path: Path) -> None:
    text = UPSTREAM.format("tls://a.example") * 2
    assert error_of(tmp_path, text).startswith("4: upstream[1].url: tls://a.example is there twice")


def test_a_zone_is_named_once_in_whatever_spelling(tmp_path: Path) -> None:
    text = ZONE.format("tls://a.example")
    text += text.replace("corp.example", "Corp.Example.")
    assert error_of(tmp_path, text).startswith("5: zone[1].domain: corp.example. is there twice")


def test_the_root_is_no_zone_of_its_own(tmp_path: Path) -> None:
    text = ZONE.format("tls://a.example").replace("corp.example", ".")
    assert error_of(tmp_path, text).startswith("2: zone[0].domain: the root is not a zone")


def test_the_networks_own_resolvers_are_plaintext_and_need_consent(tmp_path: Path) -> None:
    text = ZONE.format("network")
    assert error_of(tmp_path, text).startswith(
        "3: zone[0].upstream[0]: the network's servers are asked in the clear"
    )
    file = tmp_path / "consent.toml"
    file.write_text(text + "allow_plaintext = true\n")
    assert load(file).config.zone[0].upstream == ("network",)


@pytest.mark.parametrize(
    ("table", "key", "least", "below", "most", "above"),
    [
        ("forward", "timeout", "100ms", "99ms", "60s", "61s"),
        ("cache", "size", "1MiB", "1023KiB", "64GiB", None),
        ("cache", "serve_stale", "0s", None, "7d", "169h"),
    ],
)
def test_a_value_out_of_range_names_its_key(
    tmp_path: Path,
    table: str,
    key: str,
    least: str,
    below: str | None,
    most: str,
    above: str | None,
) -> None:
    for fine in (least, most):
        (tmp_path / "anchord.toml").write_text(f"[{table}]\n{key} = '{fine}'")
        load(tmp_path / "anchord.toml")
    for wrong in filter(None, (below, above)):
        error = error_of(tmp_path, f"[{table}]\n{key} = '{wrong}'")
        assert error.startswith(f"2: {table}.{key}: ")


def test_signatures_over_sha1_are_warned_of(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, "[dnssec]\nsha1 = false") == []
    assert warnings_of(tmp_path, "[dnssec]\n\nsha1 = true") == [
        "3: dnssec.sha1: signatures of algorithms 5 and 7 count, though SHA-1 is broken"
    ]


def test_a_negative_trust_anchor_for_the_root_is_refused(tmp_path: Path) -> None:
    text = "[dnssec]\nnegative_trust_anchors = ['a.example', '.']"
    assert error_of(tmp_path, text).startswith("2: dnssec.negative_trust_anchors[1]: ")


def test_a_negative_trust_anchor_for_a_whole_top_level_domain_is_warned_of(tmp_path: Path) -> None:
    text = "[dnssec]\nnegative_trust_anchors = ['a.example', 'example']"
    assert warnings_of(tmp_path, text) == [
        "2: dnssec.negative_trust_anchors[1]: nothing in the whole of example. is validated"
    ]


@pytest.mark.parametrize(("table", "key"), [("listen", "control"), ("hosts", "file")])
def test_paths_beside_words_are_absolute(tmp_path: Path, table: str, key: str) -> None:
    assert error_of(tmp_path, f"[{table}]\n{key} = 'nobody'").startswith(
        f'2: {table}.{key}: "nobody" is no absolute path; give one, or '
    )
    word = "none" if key == "control" else "system"
    for fine in (word, "", str(tmp_path / "x")):
        (tmp_path / "anchord.toml").write_text(f"[{table}]\n{key} = '{fine}'")
        load(tmp_path / "anchord.toml")


def test_keys_that_have_no_effect_yet_are_warned_of_where_the_file_asks_for_one(
    tmp_path: Path,
) -> None:
    text = """
[listen]
https = ["127.0.0.1:8443"]
tls = []
[forward]
strategy = "ordered"
[dnssec]
sentinel = true
auto_update = false
[cache]
prefetch = false
serve_stale = "0s"
"""
    assert warnings_of(tmp_path, text) == [
        "3: listen.https: not built yet, the key has no effect",
        "8: dnssec.sentinel: not built yet, the key has no effect",
    ]


def test_the_table_of_keys_without_effect_holds_keys_that_exist() -> None:
    for table, key in NOT_BUILT:
        assert hasattr(getattr(Config(), str(table)), str(key))


@pytest.mark.parametrize(
    "origin",
    ["null", "*", "app.example", "https://app.example/", "https://App.example", "https://"],
)
def test_an_origin_is_written_as_browsers_do(tmp_path: Path, origin: str) -> None:
    (tmp_path / "anchord.toml").write_text(f"[api]\nallow_origins = ['{origin}']")
    with pytest.raises(ConfigError, match="is no origin; write it like"):
        load(tmp_path / "anchord.toml")


def test_an_extension_is_not_let_in_before_pairing_is_built(tmp_path: Path) -> None:
    text = "[api]\nallow_origins = ['https://app.example:8443', 'extension']"
    assert warnings_of(tmp_path, text) == [
        '2: api.allow_origins: "extension": pairing is not built yet, nobody is let in'
    ]


def test_a_strategy_that_tells_everybody_of_everything_is_warned_of(tmp_path: Path) -> None:
    for strategy in ("fastest", "ordered"):
        assert warnings_of(tmp_path, f"[forward]\nstrategy = '{strategy}'") == []
    assert warnings_of(tmp_path, "[forward]\nstrategy = 'random'") == [
        "2: forward.strategy: each operator of an upstream learns of every site"
    ]
