import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from anchord.model.errors import AnchordError
from anchord.net.certificate import pin
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse
from support.certificates import make
from support.peers import StreamPeer, address_in, answer_everything, query_for
from support.stubborn import answer
from unit.upstream.conftest import NAME, Stage, end


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


async def test_every_endpoint_gives_an_upstream_in_order(nursery: trio.Nursery) -> None:
    urls = [
        "tls://dns.example", "tls://[2620:fe::fe]", "https://dns.example/q", "quic://dns.example",
        "h3://dns.example/dns-query", "udp://127.0.0.1", "tcp://127.0.0.1",
    ]  # fmt: skip
    upstreams = build_upstreams([parse(url) for url in urls], nursery, allow_plaintext=True)
    assert list(map(str, upstreams)) == urls
    assert [upstream.is_encrypted for upstream in upstreams] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("scheme", ["tls", "https", "quic", "h3"])
async def test_a_ca_file_that_is_missing_is_told_before_anything_is_asked(
    nursery: trio.Nursery, tmp_path: Path, scheme: str
) -> None:
    endpoint = parse(f"{scheme}://dns.example", ca_file=str(tmp_path / "none.pem"))
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


# ------------ Hashes of certificates, which come with stamps ------------


@pytest.mark.parametrize("scheme", ["tls", "https", "quic", "h3"])
async def test_a_stamps_hash_is_of_any_certificate_in_the_servers_chain(
    stage: Stage, scheme: str
) -> None:
    middle = make(["Middle CA"], issuer=stage.ca, is_ca=True)
    server = await stage.server(scheme, answer, certificate=make([NAME], issuer=middle))
    for issued in (stage.ca, middle, server.certificate):
        digest = hashlib.sha256(issued.certificate.tbs_certificate_bytes).hexdigest()
        upstream = stage.upstream(scheme, server.port, chain_hashes=["00" * 32, digest])
        for _ in range(2):
            await upstream.exchange(query_for())
            await end(upstream)
        assert upstream.counters.resumptions == 1
    wrong = stage.upstream(scheme, server.port, chain_hashes=["00" * 32])
    with pytest.raises(UpstreamError, match="is one that the stamp names") as caught:
        await wrong.exchange(query_for())
    assert caught.value.kind is Kind.TLS


async def test_a_hash_asks_for_the_chain_though_the_key_is_pinned(stage: Stage) -> None:
    issued = make([NAME])
    digest = hashlib.sha256(issued.certificate.tbs_certificate_bytes).hexdigest()
    server = await stage.server("tls", answer, certificate=issued)
    upstream = stage.upstream(
        "tls", server.port, chain_hashes=[digest], pins=[pin(issued.der)], ca_file=""
    )
    with pytest.raises(UpstreamError, match="self-signed"):
        await upstream.exchange(query_for())


# ------------ Libraries ------------

BUILD = """
import sys, trio
from anchord.upstream.base import UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse

async def main(urls):
    async with trio.open_nursery() as nursery:
        for upstream in build_upstreams([parse(url) for url in urls], nursery):
            try:
                with trio.move_on_after(0.01):
                    await upstream.exchange(b"")
            except (UpstreamError, IndexError) as error:
                print(repr(error))
            await upstream.aclose()
    print(sorted({"aioquic", "h2", "OpenSSL"} & set(sys.modules)))

trio.run(main, sys.argv[1:])
"""


def built(*urls: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a fresh process says that builds these upstreams; libraries in the folder come first."""
    path = os.pathsep.join([*([str(folder)] if folder else []), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", BUILD, *urls],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )


def test_libraries_are_loaded_by_the_upstreams_that_need_them_only() -> None:
    assert built("tls://127.0.0.1").stdout.splitlines()[-1] == "[]"
    assert built("https://127.0.0.1").stdout.splitlines()[-1] == "['h2']"
    assert built("quic://127.0.0.1").stdout.splitlines()[-1] == "['OpenSSL', 'aioquic']"
    assert built("h3://127.0.0.1").stdout.splitlines()[-1] == "['OpenSSL', 'aioquic']"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise ImportError('no such thing')", "no such thing"),
        ("raise OSError('libcrypto.so.99: no such file')", "libcrypto.so.99: no such file"),
        ("", "No module named 'aioquic.quic'"),
    ],
)
def test_a_broken_aioquic_turns_off_what_needs_it_and_nothing_else(
    tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "aioquic").mkdir()
    (tmp_path / "aioquic/__init__.py").write_text(content)
    run = built("quic://127.0.0.1", "h3://127.0.0.1", "https://127.0.0.1", folder=tmp_path)
    problem = f"aioquic cannot be loaded ({reason}), so that all of quic:// and h3:// is off"
    first, second, third, _ = run.stdout.splitlines()
    assert f"quic://127.0.0.1: {problem}" in first
    assert f"h3://127.0.0.1/dns-query: {problem}" in second
    assert "IndexError" in third  # it got as far as looking at the query
    (line,) = run.stderr.splitlines()
    assert line == f"{problem}; install it again, or use tls://"
