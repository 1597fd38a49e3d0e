"""Plain client libraries, as their documentation shows them: one question after another.

dnspython for DNS over TLS, over QUIC and over HTTP/3, h2 for HTTP/2. Over QUIC dnspython takes up
sessions again, without early data; over TLS neither does. It is told to keep no address tokens,
which Knot DNS 3.4 would take for those of a Retry.
"""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import dns.message
import dns.query
import dns.quic
import h2.connection
import h2.events

from anchord.lab.certificates import SERVER_NAME

NAME = "www.example"
"""What is asked for: its address."""

RESUMES = frozenset({"quic", "h3"})
"""Schemes over which a library resumes sessions."""

Connected: TypeAlias = tuple[Callable[[], object], Callable[[], None]]
"""Asks once, and closes."""


def opener(scheme: str, port: int, ca_file: Path) -> Callable[[], Connected]:
    """Opens connections, and knows no session at first."""
    if scheme in RESUMES:
        return _over_quic(port, ca_file, is_h3=scheme == "h3")
    context = ssl.create_default_context(cafile=ca_file)
    if scheme == "tls":
        return lambda: _over_tls(port, context)
    context.set_alpn_protocols(["h2"])
    return lambda: _over_h2(port, context)


def _over_quic(port: int, ca_file: Path, *, is_h3: bool) -> Callable[[], Connected]:
    make: Any = dns.quic.SyncQuicManager  # without types
    manager = make(verify_mode=str(ca_file), server_name=SERVER_NAME, h3=is_h3)
    query = dns.message.make_query(NAME, "A", want_dnssec=True)
    url = f"https://{SERVER_NAME}:{port}/dns-query"

    def connect() -> Connected:
        connection = manager.connect("127.0.0.1", port, want_token=False)

        def ask_doq() -> object:
            return dns.query.quic(query, "127.0.0.1", port=port, connection=connection)

        def ask_doh() -> object:
            return dns.query.https(
                query,
                url,
                port=port,
                bootstrap_address="127.0.0.1",
                http_version=dns.query.HTTPVersion.H3,
                session=connection,
            )

        return ask_doh if is_h3 else ask_doq, connection.close

    return connect


def _connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port)), server_hostname=SERVER_NAME
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _over_tls(port: int, context: ssl.SSLContext) -> Connected:
    query = dns.message.make_query(NAME, "A", want_dnssec=True)
    sock = _connected(port, context)
    sock.setblocking(False)
    return lambda: dns.query.tls(query, "127.0.0.1", port=port, sock=sock), sock.close


def _over_h2(port: int, context: ssl.SSLContext) -> Connected:
    """As the example of a client in h2's documentation."""
    query = dns.message.make_query(NAME, "A", want_dnssec=True, id=0).to_wire()
    sock = _connected(port, context)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    head = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", f"{SERVER_NAME}:{port}"),
        (":path", "/dns-query"),
        ("accept", "application/dns-message"),
        ("content-type", "application/dns-message"),
        ("content-length", str(len(query))),
    ]

    def ask() -> object:
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, head)
        connection.send_data(stream, query, end_stream=True)
        sock.sendall(connection.data_to_send())
        body = b""
        while True:
            for event in connection.receive_data(sock.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    return dns.message.from_wire(body)
            sock.sendall(connection.data_to_send())

    def close() -> None:
        with suppress(OSError):
            sock.close()

    return ask, close
