import socket
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from anchord.model.errors import AnchordError
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.bootstrap import Dialer, addresses_of
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse
from support.certificates import make
from support.peers import StreamPeer, address_in, answer_everything, query_for


@pytest.mark.parametrize("url", ["udp://127.0.0.1", "tcp://[::1]:5353"])
async def test_plaintext_is_refused_unless_it_is_allowed(url: str, nursery: trio.Nursery) -> None:
    with pytest.raises(AnchordError) as caught:
        build_upstreams([parse(url)], nursery)
    assert str(caught.value) == (
        f"{url}: {url[:3]}:// is plaintext, which anybody on the way can read; "
        "use tls://, or set forward.allow_plaintext = true"
    )
    assert caught.value.exit_status == 2
    (upstream,) = build_upstreams([parse(url)], nursery, allow_plaintext=True)
    assert not upstream.is_encrypted


@pytest.mark.parametrize("scheme", ["https", "h3", "quic"])
async def test_what_is_not_built_says_so(scheme: str, nursery: trio.Nursery) -> None:
    with pytest.raises(AnchordError, match=f"{scheme}:// is not built yet; use tls://"):
        build_upstreams([parse(f"{scheme}://dns.example")], nursery)


async def test_every_endpoint_gives_an_upstream_in_order(nursery: trio.Nursery) -> None:
    urls = ["tls://dns.example", "tls://[2620:fe::fe]", "udp://127.0.0.1", "tcp://127.0.0.1"]
    upstreams = build_upstreams([parse(url) for url in urls], nursery, allow_plaintext=True)
    assert list(map(str, upstreams)) == urls
    assert [upstream.is_encrypted for upstream in upstreams] == [True, True, False, False]


async def test_a_ca_file_that_is_missing_is_told_before_anything_is_asked(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    endpoint = parse("tls://dns.example", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(AnchordError, match="the CA file cannot be used: no such file"):
        build_upstreams([endpoint], nursery)


async def test_a_name_with_addresses_is_authenticated_as_the_name(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    ca = make(["Test CA"], is_ca=True)
    peer = StreamPeer(
        answer_everything, tls=make(["dns.example"], issuer=ca).server_context(tmp_path)
    )
    await peer.start(nursery)
    ca_file = str(ca.write(tmp_path))
    upstream, other = build_upstreams(
        [
            parse(f"tls://{host}:{peer.port}", addresses=["127.0.0.1"], ca_file=ca_file)
            for host in ("dns.example", "other.example")
        ],
        nursery,
    )
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    with pytest.raises(UpstreamError, match=r"is for dns\.example, not for other\.example"):
        await other.exchange(query_for())
    await upstream.aclose()
    await other.aclose()


# ------------ Addresses ------------


async def test_addresses_come_from_the_table_or_the_host_without_asking_anybody() -> None:
    given = parse("tls://dns.example", addresses=["192.0.2.1", "2001:db8::1"])
    assert await addresses_of(given) == ("192.0.2.1", "2001:db8::1")
    assert await addresses_of(parse("tls://[2620:fe::fe]")) == ("2620:fe::fe",)
    both = parse("tls://192.0.2.9", addresses=["192.0.2.1"])
    assert await addresses_of(both) == ("192.0.2.1",)


async def test_a_bare_name_is_looked_up_by_the_system() -> None:
    assert "127.0.0.1" in await addresses_of(parse("tls://localhost"))


async def test_a_name_that_the_system_does_not_know_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_arguments: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(UpstreamError) as caught:
        await addresses_of(parse("tls://dns.example"))
    assert caught.value.kind is Kind.NETWORK
    assert str(caught.value) == (
        "tls://dns.example: the name dns.example cannot be looked up "
        "(Name or service not known); give its addresses"
    )


async def test_the_address_that_answered_last_is_tried_first(nursery: trio.Nursery) -> None:
    peer = StreamPeer(answer_everything)
    await peer.start(nursery)
    dial = Dialer(parse(f"tcp://dns.example:{peer.port}", addresses=["127.0.0.2", "127.0.0.1"]))
    first = await dial()
    assert first.address == "127.0.0.1"
    first.close()
    other = StreamPeer(answer_everything, host="127.0.0.2")
    await other.start(nursery, peer.port)
    again = await dial()
    assert again.address == "127.0.0.1"
    again.close()
