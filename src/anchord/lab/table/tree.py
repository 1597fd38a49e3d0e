"""The root and the top-level domains below which most zones are: one for each way of denial."""

from anchord.lab.denial import Nsec3
from anchord.lab.keys import RSASHA256
from anchord.lab.plan import Ask, Plan
from anchord.lab.zones import NAME_SERVER_ADDRESS
from anchord.model.rcodes import NXDOMAIN

from .questions import INSECURE, SECURE

PLANS = (
    Plan(
        ".",
        "the root, signed by the trust anchor",
        records="@ TXT \"the root of anchord's lab\"",
        algorithms=(RSASHA256,),
        asks=(
            Ask("@ DNSKEY", SECURE),
            Ask("@ DS", SECURE, shows="nothing stands above the root"),
            Ask("www.no-such-tld A", SECURE, rcode=NXDOMAIN, shows="the root denies a TLD"),
        ),
    ),
    Plan(
        "lab.",
        "a TLD that is denied by NSEC",
        records=f"ns A {NAME_SERVER_ADDRESS}",
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", SECURE, rcode=NXDOMAIN, shows="NSEC proves that there is no such name",
                in_tour=True),
        ),
    ),
    Plan(
        "hashed.",
        "a TLD that is denied by NSEC3",
        records='@ TXT "hashed"',
        denial=Nsec3(),
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", SECURE, rcode=NXDOMAIN, shows="NSEC3 proves that there is no such name",
                in_tour=True),
        ),
    ),
    Plan(
        "optout.",
        "a TLD that is denied by NSEC3 with opt-out",
        records='@ TXT "opt-out"',
        denial=Nsec3(opt_out=True),
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", INSECURE, rcode=NXDOMAIN,
                shows="an unsigned delegation may lie in the span: no proof"),
        ),
    ),
)  # fmt: skip
