"""The lab's services, and what DANE must say about each: one table for tests, tour and documents.

A `Scenario` is a host with a service on a port of its own: what the server presents and how it
behaves, which records the zone publishes, the result that must come of it, and the numbers of the
rules that it shows (`docs/dane.md`). Ports are chosen when the services start; `{host}` in a text
stands for the port of that host's service, with `_` for each hyphen.
"""

from dataclasses import dataclass

from anchord.dane.results import Policy, Result

ZONE = "tls.lab"
"""Where the services are, unless their zone must be a bad one."""
UNSIGNED = "tls-unsigned.lab"
FORGED = "tls-forged.lab"
STRIPPED = "tls-stripped.lab"
SILENT = "tls-silent.lab"
NO_DENIAL = "tls-no-denial.lab"
UNSUPPORTED = "tls-unsupported.lab"

FAULTS = {
    ZONE: "",
    UNSIGNED: "",
    FORGED: "forged TLSA MX",
    STRIPPED: "denies-type _tcp.stripped _mta-sts.filtered",
    SILENT: "unanswered TLSA _{silent}._tcp.silent",
    NO_DENIAL: "no-denial",
    UNSUPPORTED: "ds-algorithm 200",
}
"""The zones, and what is wrong with each."""

MATCH, MISMATCH, NO_TLSA, INSECURE, BOGUS, UNREACHABLE = Result


@dataclass(frozen=True, slots=True)
class Scenario:
    """A host, its service and its records.

    `records` are texts for `chains.records_of`; they stand below `base`, the host itself unless
    told, or at `owner` where that is told; `more` are further owners with theirs. `lines` are what
    the zone says about the host beside them; its address unless told. `other` is the chain that the
    server has for who names the host, its leaf the part `other` of records. `is_public`: the
    chain's root is among those that PKIX trusts. `starttls` and `conduct` are as in `services`.
    `is_offered`: `anchord lab` prints a command that shows it.
    """

    host: str
    rules: tuple[int, ...]
    result: Result
    shows: str
    chain: str = "good"
    records: str = "3 1 1 leaf"
    starttls: str = ""
    conduct: str = ""
    zone: str = ZONE
    base: str = ""
    owner: str = ""
    lines: str = ""
    more: tuple[tuple[str, str], ...] = ()
    other: str = ""
    is_public: bool = False
    is_offered: bool = False

    @property
    def full_name(self) -> str:
        """The host, without the final dot."""
        return f"{self.host}.{self.zone}"

    @property
    def base_name(self) -> str:
        """The name that good certificates are for: where the records are."""
        return f"{self.base or self.host}.{self.zone}"


def _digests(count: int) -> str:
    return ";".join(f"3 1 1 {number:064x}" for number in range(count))


SCENARIOS = (
    # ------------ Usage 3: the server's own certificate or key, and nothing else ------------
    Scenario("ee", (17, 22, 25, 26, 44), MATCH, "the server's own key", is_offered=True),
    Scenario("ee-302", (25,), MATCH, "its whole certificate, by SHA-512", records="3 0 2 leaf"),
    Scenario("ee-300", (17, 25), MATCH, "its whole certificate, in the record itself",
             records="3 0 0 leaf"),
    Scenario("ee-310", (25,), MATCH, "its whole key, in the record itself", records="3 1 0 leaf"),
    Scenario("ee-expired", (27, 29), MATCH, "expired: nothing to usage 3", chain="expired",
             is_offered=True),
    Scenario("ee-other-name", (27, 29), MATCH, "for another name: nothing to usage 3",
             chain="other-name"),
    Scenario("ee-nobody", (27,), MATCH, "by nobody, for nobody, and expired: nothing to usage 3",
             chain="self-signed", records="3 0 1 leaf"),
    Scenario("ee-other-key", (22, 26), MISMATCH, "the record is about another key",
             chain="with-next", records="3 1 1 next", is_offered=True),
    Scenario("ee-issuer", (26,), MISMATCH, "usage 3 about the issuer: it looks at the first only",
             records="3 1 1 issuer"),
    Scenario("ee-rollover", (22, 67), MATCH, "the current key and the next one",
             chain="with-next", records="3 1 1 next; 3 1 1 leaf"),
    Scenario("ee-weak", (45,), MATCH, "a key too weak for ordinary clients is heard all the same",
             chain="weak-key"),
    Scenario("ee-pem", (73,), MISMATCH, "the digest of the PEM file", records="3 0 1 pem"),
    Scenario("ee-nothing", (73,), MISMATCH, "the digest of nothing", records="3 1 1 nothing"),
    Scenario("hijacked", (38, 48), MISMATCH, "a certificate of a public CA got by a hijacked "
             "address: PKIX says valid, DANE says no", chain="with-next", records="3 1 1 next",
             is_public=True, is_offered=True),
    # ------------ Usage 2: a trust anchor of the zone's own ------------
    Scenario("ta", (30, 31), MATCH, "a private CA that no store knows", records="2 1 1 root",
             is_offered=True),
    Scenario("ta-issuer", (30,), MATCH, "an intermediate is anchor enough", records="2 0 1 issuer"),
    Scenario("ta-not-sent", (32,), MISMATCH, "the root that the record is about is not presented",
             chain="without-root", records="2 1 1 root"),
    Scenario("ta-in-record", (33,), MATCH, "… but the record itself holds it",
             chain="without-root", records="2 0 0 root"),
    Scenario("ta-cross", (33,), MATCH, "a cross-certificate is presented; the record has the root",
             chain="cross-signed", records="2 0 0 root"),
    Scenario("ta-cross-key", (30, 36), MATCH, "the key of the root, under another certificate",
             chain="cross-signed", records="2 1 1 root"),
    Scenario("ta-bare-key", (34,), MATCH, "a bare key that no certificate comes with",
             chain="leaf-only", records="2 1 0 root"),
    Scenario("ta-bare-above", (34,), MATCH, "a bare key that has signed the issuer",
             chain="without-root", records="2 1 0 root"),
    Scenario("ta-other-name", (31, 42), MISMATCH, "names count under usage 2", chain="other-name",
             records="2 1 1 root", is_offered=True),
    Scenario("ta-wildcard", (43,), MATCH, "a wildcard is one whole label", chain="wildcard",
             records="2 1 1 root"),
    Scenario("ta-common-name", (43,), MISMATCH, "the common name is no name",
             chain="common-name-only", records="2 1 1 root"),
    Scenario("ta-expired", (31,), MISMATCH, "dates count under usage 2", chain="expired",
             records="2 1 1 root"),
    Scenario("ta-early", (31,), MISMATCH, "… and beginnings as well", chain="not-yet-valid",
             records="2 1 1 root"),
    Scenario("ta-expired-issuer", (31,), MISMATCH, "those of the issuer, too",
             chain="expired-issuer", records="2 1 1 root"),
    Scenario("ta-no-authority", (31,), MISMATCH, "an issuer that is no CA", chain="no-authority",
             records="2 1 1 root"),
    Scenario("ta-too-long", (31,), MISMATCH, "more CAs than the root allows", chain="too-long",
             records="2 1 1 root"),
    Scenario("ta-constrained", (31,), MISMATCH, "an issuer for other names only",
             chain="constrained", records="2 1 1 root"),
    Scenario("ta-clients", (31,), MISMATCH, "a certificate that is meant for clients",
             chain="for-clients", records="2 1 1 root"),
    Scenario("ta-stapled", (35,), MISMATCH, "the CA is presented, and has signed nothing",
             chain="stapled", records="2 1 1 root", is_offered=True),
    Scenario("ta-impostor", (35,), MISMATCH, "the issuer's name with another key",
             chain="impostor", records="2 1 1 root"),
    Scenario("ta-out-of-order", (36,), MATCH, "certificates in the wrong order",
             chain="out-of-order", records="2 1 1 root"),
    Scenario("ta-strangers", (36,), MATCH, "strangers in between", chain="among-strangers",
             records="2 1 1 root"),
    Scenario("ta-leaf", (37,), MISMATCH, "usage 2 never means the server's own certificate",
             records="2 1 1 leaf"),
    Scenario("ta-ed25519", (30,), MATCH, "a private CA of Ed25519", chain="ed25519-authority",
             records="2 1 1 root"),
    # ------------ Usages 0 and 1: PKIX as well ------------
    Scenario("pkix-ee", (38,), MATCH, "a public CA, and the server's own key", records="1 1 1 leaf",
             is_public=True),
    Scenario("pkix-ee-private", (38,), MISMATCH, "the right key, but no public CA",
             records="1 1 1 leaf"),
    Scenario("pkix-ee-expired", (38,), MISMATCH, "the right key, but expired", chain="expired",
             records="1 1 1 leaf", is_public=True),
    Scenario("pkix-ee-other-name", (38, 42), MISMATCH, "the right key, but another name",
             chain="other-name", records="1 1 1 leaf", is_public=True),
    Scenario("pkix-ta", (39,), MATCH, "a public CA, and the one that the record is about",
             records="0 1 1 issuer", is_public=True),
    Scenario("pkix-ta-root", (39,), MATCH, "a public root that is not presented",
             chain="without-root", records="0 0 1 root", is_public=True),
    Scenario("pkix-ta-stranger", (39,), MISMATCH, "a CA that is presented, but not on the path",
             chain="among-strangers", records="0 1 1 stranger", is_public=True),
    Scenario("pkix-no-issuer", (40,), MISMATCH, "the intermediate is missing", chain="orphan",
             records="1 1 1 leaf", is_public=True),
    Scenario("mixed", (41,), MATCH, "any one that succeeds is enough", chain="with-next",
             records="3 1 1 next; 2 1 1 root; 1 1 1 leaf"),
    # ------------ Which records count ------------
    Scenario("unusable", (17, 19, 20), NO_TLSA, "no record can be used",
             records="3 1 1 aabb; 255 1 1 leaf; 3 7 1 leaf; 3 1 9 leaf; 3 0 0 aabb",
             is_offered=True),
    Scenario("unusable-and-good", (17, 18), MATCH, "what cannot be used spoils nothing",
             records="3 1 2 aabb; 4 1 1 leaf; 3 1 1 leaf"),
    Scenario("agility", (23,), MISMATCH, "SHA-512 is there and wrong: SHA-256 is ignored",
             chain="with-next", records="3 1 2 next; 3 1 1 leaf", is_offered=True),
    Scenario("agility-apart", (23,), MATCH, "… but not for another selector", chain="with-next",
             records="3 0 2 next; 3 1 1 leaf"),
    Scenario("agility-full", (23,), MATCH, "… and a whole key is no digest", chain="with-next",
             records="3 1 2 next; 3 1 0 leaf"),
    Scenario("many", (12,), MATCH, "more records than fit into a datagram",
             records=f"{_digests(30)}; 3 1 1 leaf"),
    # ------------ The DNS side ------------
    Scenario("absent", (4,), NO_TLSA, "proven: there are none", records="", is_offered=True),
    Scenario("unsigned", (2, 5), INSECURE, "the host is not signed, so TLSA is not asked for",
             zone=UNSIGNED, is_offered=True),
    Scenario("forged", (3,), BOGUS, "the records were changed on the way", zone=FORGED,
             is_offered=True),
    Scenario("stripped", (4,), BOGUS, "the records were left out on the way", zone=STRIPPED,
             is_offered=True),
    Scenario("silent", (3,), UNREACHABLE, "the question for TLSA fails", zone=SILENT,
             is_offered=True),
    Scenario("one-family", (6,), MATCH, "the denial of AAAA is broken: A is enough",
             zone=NO_DENIAL),
    Scenario("unsupported", (13,), INSECURE, "the zone's algorithm is not known here",
             zone=UNSUPPORTED),
    Scenario("alias", (7, 44), MATCH, "records at the end of a secure alias", base="alias-end",
             lines="alias CNAME alias-end\nalias-end A 127.0.0.1", is_offered=True),
    Scenario("origin", (7,), MATCH, "none at its end, but at the alias itself",
             lines="origin CNAME origin-end\norigin-end A 127.0.0.1"),
    Scenario("both-ends", (9,), MISMATCH, "the first set decides, though the second would fit",
             chain="with-next", records="3 1 1 next", base="both-ends-end",
             lines="both-ends CNAME both-ends-end\nboth-ends-end A 127.0.0.1",
             more=(("_{both_ends}._tcp.both-ends", "3 1 1 leaf"),)),
    Scenario("into-unsigned", (8,), MATCH, "a secure alias into an unsigned zone: its own records",
             lines=f"into-unsigned CNAME unsigned.{UNSIGNED}."),
    Scenario("from-unsigned", (5, 7), INSECURE, "an alias that nobody has signed", zone=UNSIGNED,
             lines=f"from-unsigned CNAME ee.{ZONE}."),
    Scenario("shared", (10,), MATCH, "the records themselves are an alias", owner="_dane.shared",
             lines="shared A 127.0.0.1\n_{shared}._tcp.shared CNAME _dane.shared"),
    Scenario("loose", (10,), INSECURE, "… into an unsigned zone: of no worth", records="",
             lines=f"loose A 127.0.0.1\n_{{loose}}._tcp.loose CNAME "
             f"_{{unsigned}}._tcp.unsigned.{UNSIGNED}."),
    Scenario("hosted", (11,), MATCH, "records from a wildcard", owner="*._tcp.hosted"),
    Scenario("moved", (11,), MATCH, "records below a DNAME", owner="_{moved}._moved",
             lines="moved A 127.0.0.1\n_tcp.moved DNAME _moved"),
    Scenario("upper-Case", (16,), MATCH, "names in any case"),
    Scenario("homeless", (59,), UNREACHABLE, "a host without an address",
             lines='homeless TXT "no address"'),
    # ------------ TLS ------------
    Scenario("sni", (44,), MATCH, "the right certificate only for who names the host",
             chain="other-name", other="good", records="3 1 1 other"),
    Scenario("tls12", (47,), MATCH, "TLS 1.2 only", conduct="tls12"),
    Scenario("tls13", (47,), MATCH, "TLS 1.3 only", conduct="tls13"),
    Scenario("hangs", (52,), UNREACHABLE, "it accepts, and says nothing", conduct="hangs"),
    Scenario("alerts", (45, 53), UNREACHABLE, "it refuses the handshake", conduct="alerts"),
    Scenario("babbles", (53,), UNREACHABLE, "it does not speak TLS", conduct="babbles"),
    Scenario("hangs-up", (53,), UNREACHABLE, "it hangs up", conduct="hangs-up"),
    # ------------ STARTTLS ------------
    *(
        Scenario(protocol, (50,), MATCH, f"STARTTLS of {protocol}", starttls=protocol)
        for protocol in (
            "submission", "lmtp", "imap", "pop3", "sieve", "nntp", "ftp", "xmpp-client",
            "xmpp-server", "ldap", "postgres", "mysql",
        )
    ),
    Scenario("smtp", (50, 54), MATCH, "a mail server", starttls="smtp", is_offered=True),
    Scenario("smtp-strips", (50,), MISMATCH, "STARTTLS is gone: who honours DANE sends nothing",
             starttls="smtp", conduct="strips", is_offered=True),
    Scenario("smtp-refuses", (50,), MISMATCH, "STARTTLS is offered, and refused", starttls="smtp",
             conduct="refuses"),
    Scenario("smtp-strips-without", (50, 64), NO_TLSA, "STARTTLS is gone; DANE asks for nothing",
             starttls="smtp", conduct="strips", records=""),
    Scenario("smtp-injects", (51,), UNREACHABLE, "something follows the go-ahead in clear",
             starttls="smtp", conduct="injects"),
    Scenario("smtp-in-clear", (51, 53), UNREACHABLE, "it goes on in clear after the go-ahead",
             starttls="smtp", conduct="goes-on-in-clear"),
    Scenario("smtp-pieces", (52,), MATCH, "octet by octet", starttls="smtp", conduct="in-pieces"),
    Scenario("smtp-hangs", (52,), UNREACHABLE, "no greeting", starttls="smtp", conduct="hangs"),
    Scenario("smtp-crawls", (52,), UNREACHABLE, "one octet a second", starttls="smtp",
             conduct="crawls"),
    Scenario("smtp-rambles", (52,), UNREACHABLE, "a greeting without end", starttls="smtp",
             conduct="rambles"),
    Scenario("smtp-roars", (52,), UNREACHABLE, "a line without end", starttls="smtp",
             conduct="roars"),
    Scenario("smtp-pkix", (21,), NO_TLSA, "usage 1 counts for nothing in mail", starttls="smtp",
             records="1 1 1 leaf", is_public=True),
    Scenario("smtp-pkix-strips", (20, 50), MISMATCH, "… but TLS is mandatory all the same",
             starttls="smtp", conduct="strips", records="1 1 1 leaf"),
)  # fmt: skip
"""Every service, with the result that it must get."""


# ------------ Mail domains ------------


@dataclass(frozen=True, slots=True)
class MailHost:
    """An MX host of a domain. `name` is relative to the domain's zone."""

    name: str
    result: Result
    records: str = "3 1 1 leaf"
    chain: str = "good"


@dataclass(frozen=True, slots=True)
class MailDomain:
    """A domain, its MX hosts, and what a mail server must make of it.

    All its hosts are one service that tells them apart by name. `lines` are what the zone says
    beside them; its MX records unless told. `port_of` is the domain whose port its hosts have.
    `sts` is the policy that its web server has for MTA-STS, with semicolons for the ends of lines,
    and `sts_conduct` how that behaves.
    `is_public`: the chains of its hosts are from CAs that PKIX trusts, as the web server's is.
    """

    name: str
    rules: tuple[int, ...]
    policy: Policy
    shows: str
    hosts: tuple[MailHost, ...] = ()
    mx_security: str = "secure"
    zone: str = ZONE
    lines: str = ""
    conduct: str = ""
    port_of: str = ""
    sts: str = ""
    sts_conduct: str = ""
    is_public: bool = False
    is_offered: bool = False

    @property
    def full_name(self) -> str:
        """The domain, without the final dot."""
        return f"{self.name}.{self.zone}"


def _mx(*names: str) -> str:
    return "\n".join(f"{{domain}} MX {10 * n} {name}" for n, name in enumerate(names, 1))


ANNOUNCED = '_mta-sts.{domain} TXT "v=STSv1; id=20260101T000000;"\nmta-sts.{domain} A 127.0.0.1'
ENFORCED = "version: STSv1;mode: enforce;mx: mx1.{domain};max_age: 86400"
"""MTA-STS as a domain has it (RFC 8461)."""

GOOD_HOST = MailHost("mx1.{domain}", MATCH)

MAIL = (
    MailDomain("mail", (54, 58, 60, 61), Policy.DANE_ONLY, "every host is authenticated",
               (GOOD_HOST, MailHost("mx2.{domain}", MATCH)), is_offered=True),
    MailDomain("mail-one-bad", (48, 58, 61), Policy.DANE_ONLY, "one host fails, the other is fine",
               (GOOD_HOST, MailHost("mx2.{domain}", MISMATCH, "3 1 1 next", "with-next")),
               is_offered=True),
    MailDomain("mail-one-without", (58, 61, 71), Policy.DANE, "one host has no records",
               (GOOD_HOST, MailHost("mx2.{domain}", NO_TLSA, "")), is_offered=True),
    MailDomain("mail-unusable", (20, 21, 61), Policy.DANE, "records of no use: TLS, with whomever",
               (MailHost("mx1.{domain}", NO_TLSA, "1 1 1 leaf"),)),
    MailDomain("mail-names", (42,), Policy.DANE_ONLY, "the certificate is for the mail domain",
               (MailHost("mx1.{domain}", MATCH, "2 1 1 root", "for-domain"),)),
    MailDomain("mail-none", (64,), Policy.NONE, "no records: mail goes as ever",
               (MailHost("mx1.{domain}", NO_TLSA, ""),)),
    MailDomain("mail-null", (56,), Policy.NONE, "a domain that takes no mail",
               lines="{domain} MX 0 .", is_offered=True),
    MailDomain("mail-implicit", (57,), Policy.DANE_ONLY, "no MX records, proven: the domain itself",
               (MailHost("{domain}", MATCH),), lines="{domain} A 127.0.0.1"),
    MailDomain("mail-strips", (50, 61, 63), Policy.DANE_ONLY, "STARTTLS is gone on the way",
               (MailHost("mx1.{domain}", MISMATCH),), conduct="strips"),
    MailDomain("mail-homeless", (59, 61), Policy.DANE_ONLY, "an MX host without address is no host",
               (GOOD_HOST,), lines=_mx("mx1.{domain}", "gone.{domain}")),
    MailDomain("mail-loose", (55, 61), Policy.DANE, "the MX records are not signed",
               (), "insecure", UNSIGNED, f"{{domain}} MX 10 mx1.mail.{ZONE}.", port_of="mail"),
    MailDomain("mail-forged", (54, 61), Policy.TEMP, "the MX records were changed on the way",
               (), "bogus", FORGED, "{domain} MX 10 mx1.{domain}", is_offered=True),
    MailDomain("mail-sts", (62,), Policy.DANE_ONLY, "MTA-STS beside DANE: both let it through",
               (GOOD_HOST,), lines=f"{_mx('mx1.{domain}')}\n{ANNOUNCED}"
               '\n_smtp._tls.{domain} TXT "v=TLSRPTv1; rua=mailto:reports@mail.tls.lab"',
               sts=ENFORCED, is_public=True, is_offered=True),
    MailDomain("mail-sts-alone", (62, 64), Policy.NONE, "MTA-STS alone: it may apply",
               (MailHost("mx1.{domain}", NO_TLSA, ""),),
               lines=f"{_mx('mx1.{domain}')}\n{ANNOUNCED}", sts=ENFORCED, is_public=True),
    MailDomain("mail-hijacked", (62, 64), Policy.DANE_ONLY, "a hijacked address with a public CA's "
               "certificate: MTA-STS lets it through, DANE does not",
               (MailHost("mx1.{domain}", MISMATCH, "3 1 1 next", "with-next"),),
               lines=f"{_mx('mx1.{domain}')}\n{ANNOUNCED}", sts=ENFORCED, is_public=True,
               is_offered=True),
    MailDomain("filtered", (62,), Policy.DANE_ONLY,
               "the announcement of MTA-STS is filtered: DANE stays", (GOOD_HOST,), zone=STRIPPED,
               lines=f"{_mx('mx1.{domain}')}\n{ANNOUNCED}", sts=ENFORCED, is_public=True,
               is_offered=True),
    MailDomain("blocked", (62,), Policy.DANE_ONLY,
               "the server with the policy of MTA-STS is blocked: DANE stays", (GOOD_HOST,),
               lines=f"{_mx('mx1.{domain}')}\n{ANNOUNCED}", sts=ENFORCED, is_public=True,
               sts_conduct="hangs-up", is_offered=True),
)  # fmt: skip
"""Every mail domain, with the policy that it must get."""
