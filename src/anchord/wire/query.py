"""Queries to upstreams: written once for all transports, and what each adds to them."""

from anchord.model.question import Question

from .message import CD, RD
from .options import OPTION_COOKIE, OPTION_KEEPALIVE, padding, write_opt, write_option

QUERY_PADDING = 128
"""Encrypted queries are padded to a multiple of this many octets (RFC 8467 section 4.1)."""


def write_query(
    question: Question, *, checking_disabled: bool = True, padded: bool = False
) -> bytes:
    """A query for an upstream: RD and DO set, CD as told, id 0 (the transport chooses the id)."""
    flags = RD | (CD if checking_disabled else 0)
    head = _head(question, flags, additionals=1)
    bare = write_opt(dnssec_ok=True)
    if not padded:
        return head + bare
    return head + write_opt(dnssec_ok=True, options=padding(len(head) + len(bare), QUERY_PADDING))


def write_plain_query(question: Question) -> bytes:
    """The same without EDNS, for servers from before it: neither DO nor CD."""
    return _head(question, RD, additionals=0)


def with_keepalive(query: bytes) -> bytes:
    """A query that `write_query` has written, asking for the idle timeout too (RFC 7828).

    What it had of padding gives way to the option. Only for connections that can be kept, and not
    for QUIC (RFC 9250 section 5.5.2).
    """
    is_padded = bool(_options_of(query))
    return _with_option(query, write_option(OPTION_KEEPALIVE, b""), is_padded=is_padded)


def with_cookie(query: bytes, cookie: bytes) -> bytes:
    """The same with a cookie (RFC 7873) and without padding."""
    return _with_option(query, write_option(OPTION_COOKIE, cookie), is_padded=False)


def with_padding(query: bytes, *, is_padded: bool) -> bytes:
    """The same with padding, and no other option, or without it."""
    return _with_option(query, b"", is_padded=is_padded)


def _with_option(query: bytes, option: bytes, *, is_padded: bool) -> bytes:
    """A query of ours with these options; one without EDNS stays as it is."""
    start = query.rfind(_OPT_HEAD)
    if not query[11] or start < 0:
        return query
    options_at = start + len(_OPT_HEAD) + 2
    head = query[:options_at] + option
    options = option + (padding(len(head), QUERY_PADDING) if is_padded else b"")
    return query[: options_at - 2] + len(options).to_bytes(2) + options


def _options_of(query: bytes) -> bytes:
    start = query.rfind(_OPT_HEAD)
    return query[start + len(_OPT_HEAD) + 2 :] if start >= 0 else b""


_OPT_HEAD = write_opt(dnssec_ok=True)[:-2]
"""An OPT record of ours, up to the length of its options."""


def _head(question: Question, flags: int, *, additionals: int) -> bytes:
    """The header, with the id 0, and the question, of class IN."""
    counts = b"\0\1\0\0\0\0" + additionals.to_bytes(2)
    return (
        b"\0\0" + flags.to_bytes(2) + counts + question.name + question.rdtype.to_bytes(2) + b"\0\1"
    )
