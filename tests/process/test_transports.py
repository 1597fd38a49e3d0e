"""Which libraries a daemon loads for its upstreams."""

from pathlib import Path

from support.asking import ask
from support.command import configuration, environment, serving
from support.served import Served


def test_a_daemon_with_tls_upstreams_loads_neither_quic_nor_http(
    lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec)
    with serving(file, env=environment(PYTHONPROFILEIMPORTTIME="1")) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        loaded = {line.rpartition("|")[2].strip() for line in daemon.text.splitlines()}
    assert "anchord.upstream.shared" in loaded
    assert not {"aioquic", "h2", "OpenSSL", "hpack", "pylsqpack"} & loaded
