"""How much work anybody can make us do: the limits of a validation, and the budget spent.

The numbers are settled in one place for the project; each has its reason beside it. Past a limit
the question fails with Extended DNS Error 6 and a text that names the limit, and nothing but that
question is touched: a limit never becomes the state of a zone or of an RRset.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one validation."""

    signatures: int = 128
    """Signature checks per client query: 11 aliases into three cold zones each need 77."""
    failed_signatures: int = 16
    """… of them failed ones: failures are what KeyTrap (CVE-2023-50387) lives on."""
    zone_signatures: int = 16
    """Signature checks per zone proof, which is shared work with a budget of its own."""
    zone_failed_signatures: int = 8
    """… of them failed ones."""
    signatures_per_rrset: int = 8
    """RRSIGs tried per RRset: usable ones, not the first on the wire (as Unbound)."""
    keys_per_tag: int = 4
    """Keys of one tag and algorithm tried per RRSIG (as Unbound and Technitium)."""
    ds_per_zone: int = 8
    """Usable DS records looked at per zone (as PowerDNS)."""
    denial_records: int = 8
    """NSEC or NSEC3 RRsets checked per denial (as Knot Resolver)."""
    nsec3_iterations: int = 50
    """Above: insecure with Extended DNS Error 27 (RFC 9276 section 3.2)."""
    hash_blocks: int = 2048
    """SHA-1 blocks hashed per client query, about 2 ms: `_25._tcp.` below six labels at 50
    iterations must pass (CVE-2023-50868)."""
    aliases: int = 11
    """Aliases followed (as Unbound)."""
    upstream_queries: int = 64
    """Upstream queries per client query: a DS walk down 34 labels of ip6.arpa must pass."""
    repeated_queries: int = 16
    """… and as many more for asking again where evidence is missing."""


class Budget:
    """What is left of the limits: one object per client query, or per zone proof.

    `exhausted` names the limit that was hit first, and is empty until then.
    """

    __slots__ = ("_blocks", "_failures", "_limits", "_signatures", "exhausted")

    def __init__(self, limits: Limits, *, for_zone: bool = False) -> None:
        self._limits = limits
        self._signatures = limits.zone_signatures if for_zone else limits.signatures
        self._failures = limits.zone_failed_signatures if for_zone else limits.failed_signatures
        self._blocks = limits.hash_blocks
        self.exhausted = ""

    def spend_signature(self) -> bool:
        """Take one signature check; False when there is none left."""
        if self._signatures <= 0:
            self.exhausted = self.exhausted or "too many signature checks"
            return False
        self._signatures -= 1
        return True

    def spend_failure(self) -> bool:
        """Count a failed signature check; False when that was one too many."""
        self._failures -= 1
        if self._failures < 0:
            self.exhausted = self.exhausted or "too many signatures that do not verify"
            return False
        return True

    def spend_hash(self, blocks: int) -> bool:
        """Take so many SHA-1 blocks; False when there are not as many left."""
        if self._blocks < blocks:
            self.exhausted = self.exhausted or "too much NSEC3 hashing"
            return False
        self._blocks -= blocks
        return True
