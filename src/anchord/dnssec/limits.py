"""How much work anybody can make us do: the limits of a validation, and the budget spent.

The numbers are settled in one place for the project; each has its reason beside it. Past a limit
the question fails with Extended DNS Error 6 and a text that names the limit, and nothing but that
question is touched: a limit never becomes the state of a zone or of an RRset.
"""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """The limits of one validation."""

    signatures: int = 128
    """Signature checks per client query: 11 aliases into three cold zones each need 77."""
    failed_signatures: int = 16
    """… of them failed ones: failures are what KeyTrap (CVE-2023-50387) lives on. Those of costly
    algorithms count several times (`algorithms.COSTLY`)."""
    zone_signatures: int = 16
    """Signature checks per step of a zone proof, which is shared work with a budget of its own."""
    zone_failed_signatures: int = 8
    """… of them failed ones."""
    signatures_per_rrset: int = 8
    """RRSIGs per RRset that are usable. With more, none is tried: an upstream may put the records
    of a set in any order, so that the first few are no choice of the zone's."""
    records_per_set: int = 128
    """DS, DNSKEY or RRSIG records of one set, usable or not (BIND: 100); with more, none is looked
    at: each costs some work, if only to say what is wrong with it."""
    keys_per_tag: int = 4
    """Keys of one tag and algorithm (as Unbound and Technitium); with more, none is tried."""
    ds_per_zone: int = 8
    """Usable DS records per zone (as PowerDNS); with more, none is looked at."""
    denial_records: int = 8
    """NSEC or NSEC3 RRsets checked per denial (as Knot Resolver)."""
    nsec3_iterations: int = 50
    """Above: insecure with Extended DNS Error 27 (RFC 9276 section 3.2)."""
    hash_blocks: int = 2048
    """SHA-1 blocks hashed per client query, about 2 ms: `_25._tcp.` below six labels at 50
    iterations must pass (CVE-2023-50868)."""
    aliases: int = 11
    """Aliases followed (as Unbound)."""
    effort: int = 2048
    """Records, of whatever kind, that are looked at in proofs per client query, each as often as it
    is: about 10 ms. The longest legitimate chain needs a quarter. It is what bounds all together
    that no other limit counts: thousands of records that are of no use, and walks past them."""
    upstream_queries: int = 64
    """Upstream queries per client query: a DS walk down 34 labels of ip6.arpa must pass."""
    repeated_queries: int = 16
    """… and as many more for asking again where evidence is missing."""
    upstream_records: int = 4096
    """Records in the replies to them that are read, 10 to 20 ms: as many addresses as a reply of 64
    KiB has room for, if not with a chain; half of that with any chain there is."""

    @property
    def evidence_records(self) -> int:
        """NSEC or NSEC3 RRsets in a response; with more, none is looked at.

        They are as many as the denials need of all the aliases that it may hold, and of its end.
        """
        return self.denial_records * (self.aliases + 1)


_SIGNATURES = "too many signature checks"
_FAILURES = "too many signatures that do not verify"
_HASHING = "too much NSEC3 hashing"
_EFFORT = "too many records to look at"


class Budget:
    """What is left of the limits: one object per client query, or per step of a zone proof.

    A zone proof is shared between queries and has limits of its own. The query that it is made for
    pays for it as well (`payer`): else a query could cause any amount of work by naming zones.
    `exhausted` names the limit that was hit first, and is empty until then; from then on nothing
    more is granted.
    """

    __slots__ = ("_left", "_payer", "exhausted")

    def __init__(self, limits: Limits, payer: "Budget | None" = None) -> None:
        is_query = payer is None
        self._payer = payer
        self._left = {
            _SIGNATURES: limits.signatures if is_query else limits.zone_signatures,
            _FAILURES: limits.failed_signatures if is_query else limits.zone_failed_signatures,
            _HASHING: limits.hash_blocks,
            _EFFORT: limits.effort,
        }
        self.exhausted = ""

    def spend_signature(self) -> bool:
        """Take one signature check; False when there is none left."""
        return self._spend(_SIGNATURES)

    def spend_failure(self, cost: int = 1) -> bool:
        """Count a failed signature check, or what costs as much as several; False if too much."""
        return self._spend(_FAILURES, cost)

    def spend_hash(self, blocks: int) -> bool:
        """Take so many SHA-1 blocks; False when there are not as many left."""
        return self._spend(_HASHING, blocks)

    def spend_effort(self, records: int) -> bool:
        """Look at so many records; False when there are not as many left."""
        return self._spend(_EFFORT, records)

    def _spend(self, share: str, amount: int = 1) -> bool:
        if self.exhausted:
            return False
        if self._left[share] < amount:
            self.exhausted = share
        else:
            self._left[share] -= amount
            if self._payer and not self._payer._spend(share, amount):  # noqa: SLF001 - its own kind
                self.exhausted = self._payer.exhausted
        return not self.exhausted
