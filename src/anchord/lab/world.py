"""The lab's little internet: zones from the root down, made and signed when they are first asked.

Everything follows from the plans, a seed and the time `now` around which signatures are made: the
same three give the same world (ML-DSA signatures aside).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from anchord.model import names, rdtypes
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.wire.text import records_to_text

from . import authority, keys, recursive
from .faults import DAY, Stage, spoil
from .keys import SECURE_ENTRY_POINT, ZONE_KEY
from .plan import Plan
from .sign import sign
from .table import PLANS
from .zones import INFRASTRUCTURE_TTL, Reply, Window, Zone, parse

SIGNED_SINCE = DAY
"""Seconds before `now` at which good signatures begin."""
SIGNED_FOR = 30 * DAY
"""Seconds after `now` at which good signatures end: longer than anybody keeps a lab running."""


class World:
    """An internet of the planned zones, among them the root, as of `now` (seconds since 1970).

    Raises ValueError for two plans of one zone, or none of the root.
    """

    def __init__(
        self, now: int, *, seed: str = "anchord lab", plans: Iterable[Plan] = PLANS
    ) -> None:
        self.now = now
        self._seed = seed
        self._plans: dict[Name, Plan] = {}
        for plan in plans:
            if plan.apex in self._plans:
                raise ValueError(f"{plan.zone} is planned twice")
            self._plans[plan.apex] = plan
        if ROOT not in self._plans:
            raise ValueError("there is no plan of the root zone")
        self._children: dict[Name, list[Name]] = defaultdict(list)
        for apex in self._plans:
            if apex != ROOT:
                self._children[self._enclosing(names.parent(apex))].append(apex)
        self._drafts: dict[Name, Zone] = {}
        self._zones: dict[Name, Zone] = {}

    # ------------ Asking ------------

    def answer(self, question: Question) -> Response | Unanswered:
        """What a recursive resolver that validates nothing says, with all the evidence."""
        return recursive.resolve(self, question)

    def reply(self, wire: bytes, *, over_udp: bool) -> bytes | None:
        """The same over bytes: its message in reply to `wire`, or nothing where none is due."""
        return recursive.reply_to(wire, self.answer, over_udp=over_udp)

    def authoritative_answer(self, question: Question) -> Response | Unanswered:
        """What the servers of the deepest zone that holds the name say; no alias is followed."""
        return recursive.authoritative(self, question)

    def authoritative_reply(self, wire: bytes, *, over_udp: bool) -> bytes | None:
        """The same over bytes, for a recursive resolver that iterates over this world."""
        return recursive.reply_to(
            wire, self.authoritative_answer, over_udp=over_udp, authoritative=True
        )

    def anchor(self, *, as_dnskey: bool = False) -> RRset:
        """What is to be trusted for the root: a DS set, or the keys themselves."""
        root = self._draft(ROOT)
        if as_dnskey:
            rdatas = tuple(key.rdata for key in root.key_signers)
            return RRset(ROOT, rdtypes.DNSKEY, INFRASTRUCTURE_TTL, rdatas)
        return RRset(ROOT, rdtypes.DS, INFRASTRUCTURE_TTL, tuple(root.ds))

    def trust_anchors(self, *, as_dnskey: bool = False) -> str:
        """The same as the text of a trust anchor file, in zone file syntax."""
        return "".join(line + "\n" for line in records_to_text(self.anchor(as_dnskey=as_dnskey)))

    # ------------ Zones ------------

    def zones(self) -> Iterator[Zone]:
        """Every zone, signed and spoilt."""
        return map(self.zone, self._plans)

    def ask(self, question: Question) -> Reply | None:
        """What the servers say that are in charge of the name; None where they are unreachable."""
        zone = self.zone_for(question)
        if zone is None:
            return None
        reply = authority.answer(zone, question)
        if question.rdtype == rdtypes.DS and question.name in self._plans:
            for fault in self._draft(question.name).ds_faults:
                reply = fault(question, reply)
        return reply

    def zone_for(self, question: Question) -> Zone | None:
        """The zone whose servers answer the question; None where they cannot be reached.

        A DS set belongs to the parent (RFC 4035 section 3.1.4.1). Below servers that do not answer
        nothing can be found.
        """
        name = question.name
        if question.rdtype == rdtypes.DS and name in self._plans:
            name = names.parent(name)
        apex = self._enclosing(name)
        above = [zone for zone in names.ancestors(apex) if zone in self._plans]
        return self.zone(apex) if all(self._draft(zone).is_reachable for zone in above) else None

    def zone(self, apex: Name) -> Zone:
        """The zone of that name, signed and spoilt. Raises KeyError."""
        if apex not in self._zones:
            zone = self._draft(apex)
            for child in map(self._draft, self._children[apex]):
                if child.is_delegated:
                    zone.delegate(child)
            sign(zone)
            spoil(zone, self._plans[apex].faults, Stage.AFTER_SIGNING)
            self._zones[apex] = zone
        return self._zones[apex]

    def _enclosing(self, name: Name) -> Name:
        return next(above for above in names.ancestors(name) if above in self._plans)

    def _draft(self, apex: Name) -> Zone:
        """The zone before it is signed: records, keys, and what its parent is to publish."""
        if apex not in self._drafts:
            plan = self._plans[apex]
            zone = Zone(
                apex,
                self.now,
                parse(apex, plan.records),
                Window(self.now - SIGNED_SINCE, self.now + SIGNED_FOR),
                denial=plan.denial,
                neighbour=self.zone,
            )
            self._give_keys(zone, plan)
            spoil(zone, plan.faults, Stage.BEFORE_SIGNING)
            zone.ds = [
                keys.ds_rdata(apex, key, digest_type)
                for key in zone.key_signers
                for digest_type in plan.digest_types
            ]
            spoil(zone, plan.faults, Stage.IN_PARENT)
            self._drafts[apex] = zone
        return self._drafts[apex]

    def _give_keys(self, zone: Zone, plan: Plan) -> None:
        for algorithm in plan.algorithms:
            key_signer = keys.derive(
                self._seed,
                zone.apex,
                algorithm,
                flags=ZONE_KEY | SECURE_ENTRY_POINT,
                bits=plan.rsa_bits,
            )
            zone_signer = key_signer
            if not plan.has_combined_key:
                zone_signer = keys.derive(self._seed, zone.apex, algorithm, bits=plan.rsa_bits)
            zone.published += dict.fromkeys((key_signer, zone_signer))
            zone.key_signers.append(key_signer)
            zone.zone_signers.append(zone_signer)
