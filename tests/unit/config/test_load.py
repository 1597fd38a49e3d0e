import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from anchord.config.errors import ConfigError
from anchord.config.load import Loaded, find, load
from anchord.config.schema import DEFAULT_UPSTREAMS, Config, Upstream

ROOT = Path(__file__).parents[3]
INTERFACE = ROOT.parent / "shared" / "INTERFACE.md"


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("anchord.config.load.SYSTEM_FOLDER", tmp_path / "etc")


def load_text(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "anchord.toml"
    file.write_text(text)
    return load(file)


def error_of(tmp_path: Path, text: str) -> str:
    """What the configuration is refused with, without the path of the file."""
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    assert caught.value.exit_status == 2
    assert "\n" not in caught.value.one_line()
    return caught.value.one_line().removeprefix(f"{tmp_path}/anchord.toml:")


def test_without_a_file_the_defaults_hold_two_operators_over_tls_then_over_https() -> None:
    loaded = load()
    assert loaded == Loaded(Config(), None, DEFAULT_UPSTREAMS, ())
    urls = [urlsplit(upstream.url) for upstream in loaded.upstreams]
    assert [url.scheme for url in urls] == ["tls", "tls", "https", "https"]
    assert [url.hostname for url in urls[:2]] == [url.hostname for url in urls[2:]]
    assert all(upstream.addresses for upstream in loaded.upstreams)


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_text(tmp_path, "").config == Config()


def test_the_documented_configuration_is_the_defaults() -> None:
    loaded = load(ROOT / "docs" / "anchord.toml")
    assert loaded.config == Config()


def test_the_documented_configuration_names_every_key() -> None:
    text = (ROOT / "docs" / "anchord.toml").read_text()
    for table in Config.__struct_fields__:
        fields = type(getattr(Config(), table)) if table not in {"upstream", "zone"} else None
        for key in fields.__struct_fields__ if fields else ():
            assert re.search(rf"^{key} += ", text, re.MULTILINE), key
    assert "# [[upstream]]" in text
    assert "# [[zone]]" in text


@pytest.mark.skipif(not INTERFACE.exists(), reason="the interface's page is not beside the tree")
def test_the_configuration_of_the_interface_is_accepted_and_means_the_defaults(
    tmp_path: Path,
) -> None:
    match = re.search(r"```toml\n(.*?)```", INTERFACE.read_text(), re.DOTALL)
    assert match is not None
    config = load_text(tmp_path, match[1]).config
    defaults = Config(upstream=config.upstream, zone=config.zone)
    assert config == defaults
    assert [zone.upstream for zone in config.zone] == [("tls://10.0.0.53",)]


def test_the_file_of_the_user_comes_before_that_of_the_system(tmp_path: Path) -> None:
    user, system = tmp_path / "home" / "anchord", tmp_path / "etc"
    assert find() is None
    for folder in (system, user):
        folder.mkdir(parents=True)
        (folder / "anchord.toml").write_text("")
        assert find() == folder / "anchord.toml"


def test_a_file_that_cannot_be_looked_for_is_an_error_and_no_reason_for_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/" + "x" * 300)
    with pytest.raises(
        ConfigError, match=r"x/anchord/anchord\.toml: cannot be read: File name too"
    ):
        load()


def test_a_file_that_is_named_but_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such file"):
        load(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a = ", "1: not TOML: Invalid value; see https://toml.io"),
        ("\n\n[listen]\ndns = [\n", "4: not TOML: Invalid value; see https://toml.io"),
        (
            "[listen]\ndsn = []\n",
            "2: listen.dsn: unknown key; did you mean dns?",
        ),
        (
            "[hosts]\n\nxyzzy = 1",
            "3: hosts.xyzzy: unknown key; known here are file",
        ),
        ("# x\n[dnsec]\n", "2: dnsec: unknown key; did you mean dnssec?"),
        ("[tls.x]\n", ("1: tls: unknown key; known here are listen, upstream, forward,"
            " zone, dnssec, cache, hosts, api, dane, log")),
        (
            '[[upstream]]\nurl = "tls://a.example"\n[[upstream]]\nurl = "tls://b.example"\nx = 1',
            ("5: upstream[1].x: unknown key; known here are url, addresses, ca_file,"
            " pins"),
        ),
        ("[[upstream]]\n", "1: upstream[0].url: the key is missing; add url = …"),
        (
            "[[zone]]\ndomain = 'corp.example'\n",
            "1: zone[0].upstream: the key is missing; add upstream = …",
        ),
        (
            "[[zone]]\ndomain = 'corp.example'\nupstream = []",
            "3: zone[0].upstream: the list is empty; name at least one",
        ),
        ("listen = 3", "1: listen: expected a table, found a whole number"),
        ("[[listen]]", "1: listen: expected a table, found a list in [ ]"),
        (
            "[listen]\ndns = '127.0.0.1:53'",
            "2: listen.dns: expected a list in [ ], found a text in quotes",
        ),
        (
            "[listen]\ndns = [\n '127.0.0.1:53',\n 53]",
            "4: listen.dns[1]: expected a text in quotes, found a whole number",
        ),
        (
            "[listen]\nallow_non_loopback = 'yes'",
            ("2: listen.allow_non_loopback: expected true or false, found a text in"
            " quotes"),
        ),
        (
            "[forward]\ntimeout = 4",
            "2: forward.timeout: expected a text in quotes, found a whole number",
        ),
        (
            "[forward]\ntimeout = '4 seconds'",
            ('2: forward.timeout: "4 seconds" is no duration; write it like 500ms, 4s,'
            " 5m, 2h or 1d"),
        ),
        (
            "[forward]\nstrategy = 'quickest'",
            ('2: forward.strategy: "quickest" is not known here; give one of "fastest",'
            ' "ordered", "random"'),
        ),
        (
            "[log]\nfields = ['name', 'client']",
            ('2: log.fields[1]: "client" is not known here; give one of "time", "name",'
            ' "type", "status", "ede", "ms"'),
        ),
        (
            "[dnssec]\nnsec3_iterations = 501",
            "2: dnssec.nsec3_iterations: the number is out of range; give at most 500",
        ),
        (
            "[dnssec]\nnsec3_iterations = -1",
            "2: dnssec.nsec3_iterations: the number is out of range; give at least 0",
        ),
        (
            "[dnssec]\ntime = 2024-07-01T00:00:00Z",
            "2: dnssec.time: expected a text in quotes, found a time without quotes",
        ),
        (
            "[dnssec]\nnegative_trust_anchors = ['x.example until tomorrow']",
            ('2: dnssec.negative_trust_anchors[0]: "tomorrow" is no time; write it like'
            " 2024-07-01T00:00:00Z"),
        ),
        (
            "[[upstream]]\nurl = 'tls://a.example'\naddresses = ['a.example']",
            ('3: upstream[0].addresses[0]: "a.example" is no IP address; write it like'
            " 9.9.9.9 or 2620:fe::fe"),
        ),
        (
            "[log]\nlevel = \"it's - at `$.x`\"",
            (
                "2: log.level: \"it's - at `$.x`\" is not known here; give one of \"debug\","
                ' "info", "warning", "error"'
            ),
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_line_key_and_remedy(
    tmp_path: Path, text: str, error: str
) -> None:
    assert error_of(tmp_path, text) == error


def test_a_text_of_two_lines_is_still_told_in_one(tmp_path: Path) -> None:
    error = error_of(tmp_path, '[forward]\nstrategy = """a\nb"""')
    assert error.startswith("2: forward.strategy: ")


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_bytes(b"[hosts]\nfile = '/etc/h\xf6sts'\n")
    with pytest.raises(ConfigError, match=r"anchord\.toml:2: is not UTF-8; save the file as UTF-8"):
        load(file)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_relative_paths_are_seen_from_the_folder_of_the_file(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "[dnssec]\ntrust_anchors = 'anchors.zone'")
    assert loaded.config.dnssec.trust_anchors == str(tmp_path / "anchors.zone")


def test_listen_on_the_command_line_takes_the_place_of_listen_dns(tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text("[listen]\ndns = ['127.0.0.1:5300']\napi = []")
    config = load(file, listen=["127.0.0.1:5301", "[::1]:5302"]).config
    assert config.listen.dns == (("127.0.0.1", 5301), ("::1", 5302))
    assert config.listen.api == ()


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("5300", '--listen: "5300" is no address with a port; write it like'),
        ("192.0.2.1:53", "--listen: 192.0.2.1:53 can be reached from other machines; use"),
    ],
)
def test_a_wrong_listen_option_is_named(option: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(listen=[option])
    assert caught.value.one_line().startswith(error)


def test_upstream_on_the_command_line_takes_the_place_of_the_tables(tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text(
        "[[upstream]]\nurl = 'tls://a.example'\naddresses = ['192.0.2.1']\n"
        "[[zone]]\ndomain = 'corp.example'\nupstream = ['tls://a.example']\n"
    )
    loaded = load(file, upstreams=["tls://b.example"])
    assert loaded.upstreams == (Upstream(url="tls://b.example"),)
    assert loaded.config.upstreams_of(loaded.config.zone[0]) == loaded.config.upstream
    assert load(file, upstreams=["tls://a.example"]).upstreams == loaded.config.upstream
    assert load(file, upstreams=[DEFAULT_UPSTREAMS[0].url]).upstreams == DEFAULT_UPSTREAMS[:1]


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("9.9.9.9", "--upstream: 9.9.9.9: no scheme; write tls:// before the host"),
        ("udp://192.0.2.1", "--upstream: udp://192.0.2.1 sends every question in the clear; use"),
        ("doh://dns.example", "--upstream: doh://dns.example: doh:// is no way to an upstream"),
    ],
)
def test_a_wrong_upstream_option_is_named(option: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(upstreams=[option])
    assert caught.value.one_line().startswith(error)


def test_plaintext_consent_in_the_file_holds_for_the_option_too(tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text("[forward]\nallow_plaintext = true\n")
    assert load(file, upstreams=["udp://192.0.2.1"]).upstreams == (Upstream(url="udp://192.0.2.1"),)
