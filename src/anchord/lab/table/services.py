"""Names of services: TLSA records (RFC 6698, RFC 7671) and what mail needs (RFC 7672)."""

from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, UNOBTAINABLE

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TLSA = (
    Plan(
        "dane.lab",
        "TLSA records in the places where they are found",
        records=f"""
            www                A      192.0.2.80
            _443._tcp.www      TLSA   3 1 1 {DIGEST}
            _443._tcp.www      TLSA   2 0 1 {DIGEST}
            _443._tcp.shared   CNAME  _dane.shared
            _dane.shared       TLSA   3 1 1 {DIGEST}
            *._tcp.hosted      TLSA   3 1 1 {DIGEST}
            _443._tcp.loose    CNAME  _443._tcp.loose-dane.lab.
            _443._tcp.broken   CNAME  _443._tcp.forged-dane.lab.
        """,
        asks=(
            Ask("_443._tcp.www TLSA", SECURE),
            Ask("_443._tcp.shared TLSA", SECURE, shows="TLSA records under an alias"),
            Ask("_25._tcp.hosted TLSA", SECURE, shows="TLSA records from a wildcard"),
            Ask("_25._tcp.www TLSA", SECURE, rcode=NXDOMAIN, shows="no TLSA records, proven"),
            Ask("_443._tcp.loose TLSA", INSECURE, shows="an alias to TLSA records of no worth"),
            Ask("_443._tcp.broken TLSA", BOGUS, (6,)),
        ),
    ),
    Plan("loose-dane.lab", "TLSA records that are not signed", algorithms=(),
         records=f"_443._tcp  TLSA  3 1 1 {DIGEST}", asks=(Ask("_443._tcp TLSA", INSECURE),)),
    Plan("forged-dane.lab", "TLSA records that were forged", faults="forged TLSA",
         records=f"_443._tcp  TLSA  3 1 1 {DIGEST}", asks=(Ask("_443._tcp TLSA", BOGUS, (6,)),)),
    Plan("unanswered-dane.lab", "the question for TLSA records fails",
         records=f"@ A 192.0.2.1\n_443._tcp TLSA 3 1 1 {DIGEST}",
         faults="unanswered TLSA _443._tcp",
         asks=(Ask("@ A", SECURE), Ask("_443._tcp TLSA", UNOBTAINABLE, (22, 23)))),
)  # fmt: skip

MAIL = (
    Plan(
        "post.lab",
        "mail for a domain: two hosts with TLSA records, one without any chain of trust",
        records=f"""
            @             MX     10 mx1
            @             MX     20 mx.backup-post.lab.
            @             MX     30 mx.unsigned.lab.
            mx1           A      192.0.2.25
            _25._tcp.mx1  TLSA   3 1 1 {DIGEST}
            alias         CNAME  mx1
        """,
        asks=(
            Ask("@ MX", SECURE),
            Ask("mx1 A", SECURE),
            Ask("_25._tcp.mx1 TLSA", SECURE),
            Ask("mx1 AAAA", SECURE, shows="no such address, proven"),
            Ask("alias A", SECURE, shows="an MX host that is an alias"),
            Ask("_25._tcp.alias TLSA", SECURE, rcode=NXDOMAIN,
                shows="no TLSA records at the alias: those at its target are asked for"),
        ),
    ),
    Plan("backup-post.lab", "an MX host in another zone, its TLSA records under an alias",
         records=f"mx A 192.0.2.26\n_25._tcp.mx CNAME _dane\n_dane TLSA 3 1 1 {DIGEST}",
         asks=(Ask("mx A", SECURE), Ask("_25._tcp.mx TLSA", SECURE))),
    Plan("unusable-post.lab", "TLSA records that are of no use for mail: PKIX usages",
         records=f"@ MX 10 mx\nmx A 192.0.2.27\n_25._tcp.mx TLSA 1 1 1 {DIGEST}",
         asks=(Ask("@ MX", SECURE), Ask("_25._tcp.mx TLSA", SECURE))),
    Plan("no-post.lab", "a domain that takes no mail (RFC 7505)", records="@ MX 0 .",
         asks=(Ask("@ MX", SECURE),)),
    Plan("loose-post.lab", "MX records that are not signed, to a host that is", algorithms=(),
         records="@ MX 10 mx1.post.lab.", asks=(Ask("@ MX", INSECURE),)),
    Plan("denied-post.lab", "TLSA records are denied, but not proven to be missing",
         records="@ MX 10 mx\nmx A 192.0.2.28", faults="no-denial",
         asks=(Ask("@ MX", SECURE), Ask("_25._tcp.mx TLSA", BOGUS, (12,)))),
)  # fmt: skip

PLANS = (*TLSA, *MAIL)
