"""Plaintext upstreams that designate an encrypted way to themselves."""

import dns.rdata
import pytest
import trio

from anchord.model import rcodes
from anchord.model.response import Response, RRset
from anchord.upstream.designated import DISCOVERY, DesignatedUpstream
from support.certificates import make
from support.peers import address_in, query_for, reply_to
from support.stubborn import answer
from support.walk import Heard, MemoryUpstream, Said
from unit.upstream.conftest import Stage


def designating(*texts: str) -> MemoryUpstream:
    """Answers in plaintext that it is 192.0.2.9, and designates this."""

    async def conduct(heard: Heard) -> Said:
        if heard.query.question != DISCOVERY:
            return reply_to(heard.wire, octet=9)
        rdatas = tuple(dns.rdata.from_text("IN", "SVCB", text).to_wire() or b"" for text in texts)
        rrset = RRset(DISCOVERY.name, DISCOVERY.rdtype, 300, rdatas)
        return Response(DISCOVERY, rcodes.NOERROR, answer=(rrset,) if rdatas else ())

    return MemoryUpstream(conduct, "udp://127.0.0.1", is_encrypted=False)


async def settled(upstream: DesignatedUpstream) -> str:
    """Who answers once the discovery is over: 192.0.2.1 is behind the encrypted way."""
    await upstream.exchange(query_for())
    for _ in range(300):
        if upstream.is_encrypted:
            break
        await trio.sleep(0.01)
    return address_in(await upstream.exchange(query_for()))


@pytest.mark.parametrize(
    ("scheme", "parameters"),
    [
        ("tls", "alpn=dot"),
        ("https", "alpn=h2 key7=/dns-query{{?dns}}"),
        ("quic", "alpn=doq"),
        ("h3", "alpn=h3 key7=/dns-query{{?dns}}"),
    ],
)
async def test_the_designated_way_is_used_when_it_proves_to_lead_there(
    stage: Stage, scheme: str, parameters: str
) -> None:
    server = await stage.server(scheme, answer)
    plain = designating(f"1 dns.example. {parameters.format()} port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert not upstream.is_encrypted
    assert await settled(upstream) == "192.0.2.1"
    assert plain.asked == ["www.example. A", "_dns.resolver.arpa. SVCB"]
    await upstream.aclose()


async def test_a_certificate_for_another_address_is_not_accepted(stage: Stage) -> None:
    """Somebody on the way designates a server of theirs, with a good certificate for its name."""
    wrong = make(["dns.example", "127.0.0.2"], issuer=stage.ca)
    server = await stage.server("tls", answer, certificate=wrong)
    plain = designating(f"1 dns.example. alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    with trio.move_on_after(1):
        assert await settled(upstream) == "192.0.2.9"
    assert not upstream.is_encrypted
    assert server.heard == []
    await upstream.aclose()


async def test_the_way_that_is_preferred_is_tried_first(stage: Stage) -> None:
    server = await stage.server("tls", answer)
    plain = designating(
        f"2 . alpn=dot port={server.port}",
        "1 . alpn=h2 port=1",  # without a path it is none
        "1 . mandatory=alpn,key99 alpn=dot key99=x",
        "1 . alpn=imap",
        "0 alias.example.",
    )
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    await upstream.aclose()


async def test_where_the_encrypted_way_ends_the_configured_one_is_used(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    assert upstream._encrypted is not None
    await upstream._encrypted.aclose()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"
    assert not upstream.is_encrypted
    assert "is asked in plaintext again" in caplog.text
    await upstream.aclose()


async def test_another_network_may_have_another_resolver_there(stage: Stage) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    await settled(upstream)
    upstream.forget_network()
    assert not upstream.is_encrypted
    assert await settled(upstream) == "192.0.2.1"
    assert plain.asked.count("_dns.resolver.arpa. SVCB") == 2
    await upstream.aclose()


async def test_an_upstream_that_designates_nothing_is_asked_once(stage: Stage) -> None:
    plain = designating()
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery)
    for _ in range(3):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"
        await trio.sleep(0.01)
    assert plain.asked.count("_dns.resolver.arpa. SVCB") == 1
    await upstream.aclose()
