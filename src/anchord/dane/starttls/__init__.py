"""STARTTLS: how each protocol gets from clear text to the TLS handshake. One file a protocol."""

from collections.abc import Callable
from dataclasses import dataclass

from . import ftp, imap, ldap, mysql, nntp, pop3, postgres, sieve, smtp, xmpp
from .dialogue import Dialogue, Peer


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol with STARTTLS, and the port that it has where none is named."""

    port: int
    dialogue: Callable[[Peer], Dialogue]


PROTOCOLS = {
    "smtp": Protocol(25, smtp.smtp),
    "submission": Protocol(587, smtp.smtp),
    "lmtp": Protocol(24, smtp.lmtp),
    "imap": Protocol(143, imap.imap),
    "pop3": Protocol(110, pop3.pop3),
    "sieve": Protocol(4190, sieve.sieve),
    "nntp": Protocol(119, nntp.nntp),
    "ftp": Protocol(21, ftp.ftp),
    "xmpp-client": Protocol(5222, xmpp.client),
    "xmpp-server": Protocol(5269, xmpp.server),
    "ldap": Protocol(389, ldap.ldap),
    "postgres": Protocol(5432, postgres.postgres),
    "mysql": Protocol(3306, mysql.mysql),
}
"""Every protocol, under the name that `--starttls` takes."""
