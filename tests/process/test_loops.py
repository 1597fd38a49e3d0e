"""A forwarder beside the daemon, which the daemon asks and which asks the daemon."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.asking import ask
from support.command import configuration, serving


@contextmanager
def forwarder() -> Iterator[tuple[int, list[int]]]:
    """Its port, and a list that takes the port of the server that it is to ask."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        front.bind(("127.0.0.1", 0))
        front.settimeout(0.1)
        ends = threading.Event()
        servers: list[int] = []

        def pass_on(query: bytes, client: tuple[str, int]) -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
                way.settimeout(8)
                way.sendto(query, ("127.0.0.1", servers[0]))
                with suppress(OSError):
                    front.sendto(way.recv(65536), client)

        def run() -> None:
            while not ends.is_set():
                try:
                    query, client = front.recvfrom(65536)
                except TimeoutError:
                    continue
                threading.Thread(target=pass_on, args=(query, client), daemon=True).start()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield front.getsockname()[1], servers
        finally:
            ends.set()
            thread.join()


def test_a_forwarder_that_asks_us_is_found_and_named(tmp_path: Path) -> None:
    with forwarder() as (port, servers):
        url = f"udp://127.0.0.1:{port}"
        with serving(configuration(tmp_path, url)) as daemon:
            servers.append(daemon.port)
            reply = ask(daemon.port, "www.example.com")
            assert reply.rcode == "SERVFAIL"
            assert f"{url}: it leads back to anchord" in " ".join(str(e.text) for e in reply.edes)
            assert f"{url} leads back to anchord" in daemon.text
