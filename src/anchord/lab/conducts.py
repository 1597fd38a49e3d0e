"""What upstreams do besides answering: the table beside that of the zones.

Whoever hands the lab's answers on may do any of this, and the verdicts are those of the table all
the same, unless it leaves nothing to be read. Tests put each between a daemon and the lab.
"""

from dataclasses import dataclass

from .servers import Behaviour

COOKIE = 10
"""The EDNS option of RFC 7873."""
REPORT_CHANNEL = 18
"""The EDNS option of RFC 9567: where reports of errors are wanted."""
LOCAL_USE = 65001
"""An EDNS option that means nothing to anybody (RFC 6891 section 9)."""

AGENT = b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x03lab\x00"
"""The name that reports would go to; below it there is no room for a long name."""


UDP, TLS = "udp", "tls"


@dataclass(frozen=True, slots=True)
class Conduct:
    """A way to treat every question, and whether the verdicts of the table can still be reached.

    `over` are the transports to which that applies.
    """

    name: str
    shows: str
    behaviour: Behaviour
    is_harmless: bool = True
    over: tuple[str, ...] = (UDP, TLS)

    def __str__(self) -> str:
        return self.name


CONDUCTS = (
    Conduct("claims AD", "AD is set on everything; it is never believed",
            Behaviour(claims_authentic=True)),
    Conduct("truncates", "every datagram is cut to its head, and TCP asked for",
            Behaviour(truncates=True)),
    Conduct("takes its time", "every answer is late", Behaviour(delay=0.05)),
    Conduct("sends a thousand options", "… in the OPT record (CVE-2026-41292)",
            Behaviour(options=((LOCAL_USE, b""),) * 1000)),
    Conduct("sends bad cookies", "… of every length that they cannot have (CVE-2026-33262); over"
            " plain UDP such a reply has not come (RFC 7873 section 5.3)", over=(TLS,),
            behaviour=Behaviour(
                options=tuple((COOKIE, bytes(length)) for length in (*range(8), 41)))),
    Conduct("wants reports", "errors are to be reported, below a name that has no room for it"
            " (CVE-2026-55973): nothing is ever reported",
            Behaviour(options=((REPORT_CHANNEL, AGENT),))),
    Conduct("knows no EDNS", "there is an error in place of any answer (CVE-2026-52690): EDNS and"
            " DO stay, and when it has learnt them nothing is remembered",
            Behaviour(knows_no_edns=True), is_harmless=False),
    Conduct("breaks off", "every message ends within its last record (CVE-2024-25583)",
            Behaviour(cuts=3), is_harmless=False),
)  # fmt: skip
"""Every conduct."""
