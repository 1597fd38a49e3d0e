"""The transports against a server that is not ours: Unbound with a zone of its own."""

import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest
import trio

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.net import tls
from anchord.upstream.base import Upstream, UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse
from anchord.wire.message import read_response
from anchord.wire.query import write_query
from support.certificates import make

UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

pytestmark = pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")


@dataclass(frozen=True)
class Server:
    plain_port: int
    tls_port: int
    ca_file: str


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("unbound")
    ca = make(["Test CA"], is_ca=True)
    pem = make(["dns.example"], issuer=ca).write(folder)
    plain_port, tls_port = free_ports(2)
    long_texts = "\n".join(
        f"""  local-data: 'long.example. TXT "{index:03}{"x" * 200}"'""" for index in range(20)
    )
    numbered = "\n".join(
        f'  local-data: "n{index}.example. A 192.0.2.{index}"' for index in range(100)
    )
    configuration = folder / "unbound.conf"
    configuration.write_text(f"""
server:
  interface: 127.0.0.1@{plain_port}
  interface: 127.0.0.1@{tls_port}
  tls-port: {tls_port}
  tls-service-pem: {pem}
  tls-service-key: {pem}
  directory: {folder}
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
  local-zone: "example." static
{numbered}
{long_texts}
remote-control:
  control-enable: no
""")
    assert UNBOUND is not None
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([UNBOUND, "-c", str(configuration)], stderr=log) as process,
    ):
        try:
            _wait_for(process, tls_port)
            yield Server(plain_port, tls_port, str(ca.write(folder)))
        finally:
            process.terminate()


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(200):
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("unbound does not listen")


@pytest.fixture
async def upstream_at(nursery: trio.Nursery) -> AsyncIterator[Callable[..., Upstream]]:
    made = []

    def build(url: str, ca_file: str = "") -> Upstream:
        addresses = ["127.0.0.1"]
        endpoint = parse(url, addresses=addresses, ca_file=ca_file)
        made.extend(build_upstreams([endpoint], nursery, allow_plaintext=True))
        return made[-1]

    with trio.fail_after(10):
        yield build
        for upstream in made:
            await upstream.aclose()


def url_of(server: Server, scheme: str) -> str:
    port = server.tls_port if scheme == "tls" else server.plain_port
    return f"{scheme}://dns.example:{port}"


@pytest.mark.parametrize("scheme", ["tls", "tcp", "udp"])
async def test_a_hundred_questions_at_once_get_their_answers(
    server: Server, upstream_at: Callable[..., Upstream], scheme: str
) -> None:
    upstream = upstream_at(url_of(server, scheme), server.ca_file if scheme == "tls" else "")
    found = {}

    async def ask(index: int) -> None:
        question = Question(names.from_text(f"n{index}.example"), rdtypes.A)
        query = write_query(question, padded=upstream.is_encrypted)
        (rrset,) = read_response(await upstream.exchange(query), question).answer
        found[index] = rrset.rdatas

    async with trio.open_nursery() as nursery:
        for index in range(100):
            nursery.start_soon(ask, index)
    assert found == {index: (bytes((192, 0, 2, index)),) for index in range(100)}
    assert upstream.counters.handshakes == (0 if scheme == "udp" else 1)
    assert upstream.counters.mismatches == 0


async def test_a_truncated_reply_over_udp_is_fetched_over_tcp(
    server: Server, upstream_at: Callable[..., Upstream]
) -> None:
    upstream = upstream_at(url_of(server, "udp"))
    question = Question(names.from_text("long.example"), rdtypes.TXT)
    reply = await upstream.exchange(write_query(question))
    (rrset,) = read_response(reply, question).answer
    assert len(rrset.rdatas) == 20


async def test_a_connection_that_unbound_has_closed_is_resumed(
    server: Server, upstream_at: Callable[..., Upstream]
) -> None:
    upstream = upstream_at(url_of(server, "tls"), server.ca_file)
    question = Question(names.from_text("n1.example"), rdtypes.A)
    await upstream.exchange(write_query(question))
    connection = upstream._current  # type: ignore[attr-defined]
    connection.retire()
    while upstream._current is not None:  # type: ignore[attr-defined]
        await trio.lowlevel.checkpoint()
    await upstream.exchange(write_query(question))
    assert (upstream.counters.handshakes, upstream.counters.resumptions) == (2, 1)


async def test_another_name_than_the_certificates_is_refused(
    server: Server, upstream_at: Callable[..., Upstream]
) -> None:
    upstream = upstream_at(f"tls://other.example:{server.tls_port}", server.ca_file)
    question = Question(names.from_text("n1.example"), rdtypes.A)
    with pytest.raises(UpstreamError, match=r"is for dns\.example, not for other\.example"):
        await upstream.exchange(write_query(question))


async def test_the_plain_port_is_no_tls(
    server: Server, upstream_at: Callable[..., Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_LIMIT", 0.2)
    upstream = upstream_at(f"tls://dns.example:{server.plain_port}", server.ca_file)
    question = Question(names.from_text("n1.example"), rdtypes.A)
    with pytest.raises(UpstreamError, match="no TLS handshake within "):
        await upstream.exchange(write_query(question))
