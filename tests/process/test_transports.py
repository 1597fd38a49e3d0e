"""Which libraries a daemon loads for its upstreams, and what these hear of its clients."""

from pathlib import Path

import dns.edns
import dns.message
import dns.query
import pytest

from anchord.wire.options import OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_PADDING
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


CLIENTS = [
    dns.edns.ECSOption("192.0.2.0", 24),
    dns.edns.CookieOption(b"8 octets", b""),
    dns.edns.NSIDOption(b""),
    dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(40)),
    dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"who I am"),
]
"""Options that a client may send, the first of which tells where it is (RFC 7871)."""


@pytest.mark.parametrize(
    ("is_encrypted", "sent"),
    [(True, {OPTION_KEEPALIVE, OPTION_PADDING}), (False, {OPTION_COOKIE})],
)
def test_nothing_that_a_client_adds_reaches_an_upstream(
    lab: Served, tmp_path: Path, *, is_encrypted: bool, sent: set[int]
) -> None:
    """An encrypted one gets padding and is asked for its idle time, a plain one gets a cookie."""
    upstream = lab.tls if is_encrypted else lab.udp
    with serving(configuration(tmp_path, upstream, dnssec=lab.dnssec)) as daemon:
        lab.log.clear()
        query = dns.message.make_query("www.good.lab", "A", use_edns=0, options=CLIENTS)
        reply = dns.query.udp(query, "127.0.0.1", 5, daemon.port)
        assert reply.answer
        assert reply.options == ()
    asked = [dns.message.from_wire(each.wire) for each in lab.log]
    assert {int(option.otype) for each in asked for option in each.options} == sent
    assert not any(option in CLIENTS for each in asked for option in each.options)
    assert all(len(each.wire) % 128 == 0 for each in lab.log) is is_encrypted
