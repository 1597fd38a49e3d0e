"""Zones to which no chain of trust leads, and which prove it."""

from anchord.lab.denial import Nsec3
from anchord.lab.keys import RSASHA1, RSASHA1_NSEC3_SHA1
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import INSECURE, SECURE, three

PLANS = (
    Plan(
        "unsigned.lab",
        "an unsigned zone",
        records="""
            @      A      192.0.2.1
            alias  CNAME  good.lab.
        """,
        algorithms=(),
        asks=(
            Ask("@ A", INSECURE, shows="NSEC proves that there is no DS", in_tour=True),
            Ask("nx A", INSECURE, rcode=NXDOMAIN),
            Ask("@ TXT", INSECURE),
            Ask("alias A", INSECURE, shows="an insecure link, then a secure one"),
            Ask("@ DS", SECURE, shows="the proof that there is no DS is itself secure"),
        ),
    ),
    Plan("island.unsigned.lab", "a signed zone below an unsigned one", asks=three(INSECURE)),
    Plan("unsigned.hashed", "an unsigned zone below NSEC3", algorithms=(), asks=three(INSECURE)),
    Plan("unsigned.optout", "an unsigned zone in an opt-out span", algorithms=(),
         asks=three(INSECURE)),
    Plan("no-ds.lab", "a signed zone without a DS set", faults="no-ds", asks=three(INSECURE)),
    Plan("unknown-algorithm.lab", "only an algorithm that nobody knows", algorithms=(100,),
         asks=three(INSECURE, 1)),
    Plan("rsasha1.lab", "algorithm 5, unsupported by RFC 9905", algorithms=(RSASHA1,),
         asks=three(INSECURE, 1), peers="all: validate SHA-1"),
    Plan("rsasha1-nsec3.lab", "algorithm 7, unsupported by RFC 9905",
         algorithms=(RSASHA1_NSEC3_SHA1,), denial=Nsec3(), asks=three(INSECURE, 1),
         peers="all: validate SHA-1"),
    Plan("unknown-digest.lab", "only a DS digest that nobody knows", faults="ds-digest-type 100",
         asks=three(INSECURE, 2)),
    Plan("iterations.lab", "NSEC3 with 100 iterations: the names that exist are still secure",
         faults="nsec3-iterations 100",
         asks=three(SECURE, denial=INSECURE, denial_codes=(27,))),
    Plan("wild-iterations.lab", "a wildcard's answer whose proof has 100 iterations",
         records="*.w  A  192.0.2.42", faults="nsec3-iterations 100",
         asks=(Ask("any.w A", INSECURE, (27,)), Ask("any.w TXT", INSECURE, (27,)))),
)  # fmt: skip
