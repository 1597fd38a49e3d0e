"""What went wrong in validators, forwarders and servers before us, and where the lab shows it.

One table, from what has been published to what shows it here: rows of the lab's table, conducts of
an upstream, or, for what stands in no answer, a few words (clients, connections, time). Tests go
through it; each number is told by a test, and those of the rows are asked here under their numbers.
"""

from dataclasses import dataclass

from .table.delegations import REVERSE
from .table.hostile import DEEP


@dataclass(frozen=True, slots=True)
class Lesson:
    """Something that went wrong once.

    `numbers` are what it is known by, `seen` tells in whose software. `rows` are questions of the
    table as in `good.lab. A`, `conducts` names of those. `beyond` says what shows it where neither
    can.
    """

    what: str
    numbers: tuple[str, ...]
    seen: str
    rows: tuple[str, ...] = ()
    conducts: tuple[str, ...] = ()
    beyond: str = ""

    def __str__(self) -> str:
        return ", ".join(self.numbers)


WORK = (
    Lesson("keys of one tag, times signatures by it", ("CVE-2023-50387",), "every validator",
           ("keytrap.hostile. A", "keytrap-keys.hostile. A", "many-keys.hostile. A")),
    Lesson("keys that are none are skipped, and not counted", ("CVE-2025-8677",), "BIND",
           ("malformed-keys.hostile. A",)),
    Lesson("hashing for a closest encloser, label after label",
           ("CVE-2023-50868", "CVE-2026-42923"), "every validator, Unbound again",
           ("nx.long-salt.hostile. A", f"{DEEP}.long-salt.hostile. A")),
    Lesson("iterations without a limit where a delegation is proven to be insecure",
           ("CVE-2026-1519",), "BIND", ("unsigned.iterations.hostile. A",)),
    Lesson("more denials than a proof needs", ("CVE-2026-11605",), "BIND, Knot Resolver",
           ("nx.padded.hostile. A", "nx.padded-nsec3.hostile. A")),
    Lesson("a budget that begins anew with each question on the way", ("CVE-2026-50045",),
           "Unbound", ("x.w4.wildcards.hostile. A", "x.w5.wildcards.hostile. A")),
    Lesson("more records at a name than anybody needs", ("CVE-2024-1737", "CVE-2024-25590"),
           "BIND, PowerDNS", ("many-addresses.lab. A", "many-types.hostile. ANY",
                              "many-types.hostile. TYPE65300")),
    Lesson("names that take long to compress",
           ("CVE-2024-8508", "CVE-2026-44390", "CVE-2026-52682"), "Unbound, PowerDNS",
           ("tangled.hostile. MX",)),
    Lesson("one question that causes any number of others",
           ("CVE-2020-12662", "CVE-2022-3204", "CVE-2024-33655"), "every resolver",
           (f"{REVERSE}. PTR",), beyond="a name below more labels than may be asked for"),
    Lesson("aliases that lead to themselves", ("CVE-2022-48256",), "Technitium",
           ("loop.links.lab. A", "self.links.lab. A", "x.grow.trees.lab. A")),
)  # fmt: skip

PROOFS = (
    Lesson("signatures by a wildcard above the zone that signed",
           ("CVE-2026-11721", "CVE-2026-44690", "CVE-2026-52688"),
           "BIND, Unbound, PowerDNS, Knot Resolver", ("labels-above-zone.lab. A",)),
    Lesson("spans that reach beyond the zone", ("CVE-2026-13321",), "BIND, Unbound, Knot Resolver",
           ("nx.overreaching.lab. A",)),
    Lesson("NSEC3 records that are another zone's", ("CVE-2026-10723",), "BIND, Unbound",
           ("nx.parent.hashed. A", "nx.misplaced.hashed. A")),
    Lesson("denials that were expanded from a wildcard", ("CVE-2017-15105", "CVE-2017-15107"),
           "Unbound, dnsmasq, hickory", ("out.w.expanded-denial.lab. MX", "child.maze.lab. A")),
    Lesson("the proof beside a wildcard's alias is not looked at", ("CVE-2026-52686",), "PowerDNS",
           ("any.to.bad-wildcard-proof.lab. A", "any.to.bad-wildcard-proof.hashed. A")),
    Lesson("a wildcard's answer that is over, told for another name", ("CVE-2026-46582",),
           "Unbound", ("any.wildcard.lab. A",), beyond="upstreams fall silent"),
    Lesson("all keys are trusted for one that is", ("RUSTSEC-2025-0006",), "hickory",
           ("keys-by-zsk.lab. A",)),
    Lesson("what is not signed is believed in a signed zone", ("CVE-2023-7008",),
           "systemd-resolved", ("stripped.lab. A", "rewritten.lab. A", "host.spoofed.lab. A")),
    Lesson("signatures of an unknown algorithm make a zone insecure", ("dnssec-downgrade",),
           "Technitium and others", ("downgraded.lab. A", "unknown-signatures.lab. A")),
    Lesson("a window of no octets in a type bitmap is read for ever; names and records that are"
           " longer than they say", ("CVE-2026-2291", "CVE-2026-4890", "CVE-2026-4891",
                                     "CVE-2026-4892", "CVE-2026-4893", "CVE-2026-5172"), "dnsmasq",
           ("nx.empty-window.lab. A", "nx.empty-window.hashed. A"), ("breaks off",)),
)  # fmt: skip

CACHES = (
    Lesson("a zone that turns to NSEC3 is denied by what it was", ("CVE-2026-33261",), "PowerDNS",
           ("nx.signed-anew.lab. A", "later.signed-anew.lab. TXT", "nx.later.signed-anew.lab. A",
            "other.signed-anew.lab. A")),
    Lesson("a denial covers zones that are configured below it", ("CVE-2026-44687",), "Unbound",
           ("nx.lab. A",), beyond="a zone of the configuration below a name that does not exist"),
    Lesson("a delegation lives on after the parent has ended it",
           ("CVE-2022-30698", "CVE-2022-30699", "CVE-2026-40622", "CVE-2026-42955"), "Unbound",
           ("ghost.lab. A",), beyond="a child that goes on answering while time passes"),
    Lesson("records that nobody asked for are remembered",
           ("CVE-2025-40778", "CVE-2025-59023", "CVE-2025-59024"), "BIND, PowerDNS, Technitium",
           ("extras.lab. A", "loose-extras.lab. A")),
    Lesson("a filter makes an answer of what is bogus", ("CVE-2026-50243",), "Unbound",
           ("filtered.lab. A", "rewritten.lab. A")),
    Lesson("a guess about an upstream that lasts until the restart", ("systemd #38401",
                                                                      "systemd #6490"),
           "systemd-resolved", beyond="an upstream that strips signatures for a while"),
)  # fmt: skip

MESSAGES = (
    Lesson("ids and ports that can be guessed", ("CVE-2025-40780", "CVE-2026-50252"),
           "BIND, Unbound", beyond="queries over plain UDP"),
    Lesson("one question is asked many times at once, and any reply will do",
           ("CVE-2024-56089", "CVE-2025-5994", "CVE-2025-30192"), "Technitium, Unbound, PowerDNS",
           beyond="clients that ask the same, and a flood of replies"),
    Lesson("reasons that do not fit are trimmed for ever", ("CVE-2024-1931",), "Unbound",
           beyond="clients that take 512 octets"),
    Lesson("options without end", ("CVE-2026-41292", "CVE-2026-42944"), "Unbound",
           conducts=("sends a thousand options",)),
    Lesson("names within records that end beyond them", ("CVE-2026-10822", "CVE-2026-56416"),
           "BIND, Unbound", conducts=("breaks off",)),
    Lesson("replies of a forwarder that are not as they should be", ("CVE-2024-25583",), "PowerDNS",
           conducts=("breaks off",)),
    Lesson("an error from nowhere turns EDNS off", ("CVE-2026-52690",), "PowerDNS",
           conducts=("knows no EDNS",)),
    Lesson("cookies that are none", ("CVE-2026-33262",), "PowerDNS",
           conducts=("sends bad cookies",)),
    Lesson("reports of errors that do not fit into a name", ("CVE-2026-55973",), "Unbound",
           conducts=("wants reports",)),
    Lesson("messages that nobody should send, at which a server dies",
           ("CVE-2025-59030", "CVE-2026-3119", "CVE-2026-3591", "CVE-2026-5946"), "BIND, PowerDNS",
           beyond="clients that say anything"),
)  # fmt: skip

CONNECTIONS = (
    Lesson("floods of frames, streams that are reset, windows that stay shut",
           ("CVE-2024-56946", "CVE-2026-3593", "CVE-2026-14586", "CVE-2026-32665",
            "CVE-2026-41637", "CVE-2026-55991"), "Technitium, BIND, Unbound, Knot Resolver",
           beyond="upstreams over HTTP/2, HTTP/3 and QUIC"),
    Lesson("an API that reads without a limit, or works before it has looked who asks",
           ("CVE-2026-33256", "CVE-2026-33257", "CVE-2026-33260", "CVE-2026-42005"), "PowerDNS",
           beyond="clients of the API"),
)  # fmt: skip

LESSONS = (*WORK, *PROOFS, *CACHES, *MESSAGES, *CONNECTIONS)
"""Every lesson."""
