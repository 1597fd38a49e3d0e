"""XMPP: STARTTLS (RFC 6120 section 5), for clients and between servers.

The stream is read tag by tag, which is all the XML that is needed: nothing in it is believed, and
what cannot be understood ends the dialogue.
"""

import html

from .dialogue import Dialogue, NonsenseError, Peer, RefusedError, Say, Until, in_words

TLS = b"urn:ietf:params:xml:ns:xmpp-tls"
TAG = Until(b">")


def client(peer: Peer) -> Dialogue:
    """From a client, to the domain's service."""
    yield from _dialogue("jabber:client", peer)


def server(peer: Peer) -> Dialogue:
    """From another server."""
    yield from _dialogue("jabber:server", peer)


def _dialogue(namespace: str, peer: Peer) -> Dialogue:
    to = html.escape(peer.domain, quote=True)
    yield Say(
        f"<?xml version='1.0'?><stream:stream to='{to}' version='1.0' xmlns='{namespace}' "
        "xmlns:stream='http://etherx.jabber.org/streams'>".encode()
    )
    is_offered = False
    tag = yield TAG
    while not _is_end_of_features(tag):
        if b"error" in tag:
            raise NonsenseError(f"it answers with {in_words(tag)!r}")
        is_offered |= b"starttls" in tag and TLS in tag
        tag = yield TAG
    if not is_offered:
        raise RefusedError("STARTTLS is not offered")
    yield Say(b"<starttls xmlns='%s'/>" % TLS)
    tag = yield TAG
    if b"proceed" not in tag:
        raise RefusedError(f"STARTTLS is refused: {in_words(tag)}")
    if not tag.rstrip(b">").endswith(b"/"):
        yield TAG


def _is_end_of_features(tag: bytes) -> bool:
    return b"features" in tag and (b"</" in tag or tag.endswith(b"/>"))
