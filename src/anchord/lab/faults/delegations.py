"""What the parent says of a zone: its DS set, and how the question for it is answered."""

from msgspec.structs import replace

from anchord.lab import authority
from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Reply, Zone
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import RRset

from .registry import before_signing, in_parent
from .signatures import flip

# ------------ The DS set ------------


@in_parent
def no_ds(zone: Zone) -> None:
    """The parent has no DS set: the zone is signed, and no chain leads to it."""
    zone.ds = []


@in_parent
def wrong_ds(zone: Zone, *digest_types: str) -> None:
    """The digest of each DS, or of those of these digest types, is another one."""
    wanted = set(map(int, digest_types))
    zone.ds = [ds if wanted and ds[3] not in wanted else flip(ds, -1) for ds in zone.ds]


@in_parent
def ds_key_tag(zone: Zone, key_tag: str) -> None:
    """Each DS has this key tag."""
    zone.ds = [int(key_tag).to_bytes(2) + ds[2:] for ds in zone.ds]


@in_parent
def ds_algorithm(zone: Zone, algorithm: str) -> None:
    """Each DS has this algorithm."""
    zone.ds = [ds[:2] + bytes((int(algorithm),)) + ds[3:] for ds in zone.ds]


@in_parent
def ds_digest_type(zone: Zone, digest_type: str) -> None:
    """Each DS has this digest type; the digest stays what it was."""
    zone.ds = [ds[:3] + bytes((int(digest_type),)) + ds[4:] for ds in zone.ds]


@in_parent
def ds_only(zone: Zone, algorithm: str) -> None:
    """The DS set has the records of this algorithm only."""
    zone.ds = [ds for ds in zone.ds if ds[2] == int(algorithm)]


@in_parent
def another_ds(zone: Zone, algorithm: str, digest_type: str) -> None:
    """The DS set has one more record, of this algorithm and digest type, that matches no key."""
    zone.ds.append(bytes((0, 1, int(algorithm), int(digest_type))) + bytes(32))


@in_parent
def undelegated(zone: Zone) -> None:
    """The parent has taken the delegation back; the zone's servers answer as if nothing was."""
    zone.is_delegated = False


# ------------ The answer to the question for it ------------


@before_signing
def answers_ds(zone: Zone) -> None:
    """The zone's own servers answer the question for its DS set, which is the parent's."""
    zone.ds_faults.append(lambda question, _: authority.answer(zone.neighbour(zone.apex), question))


@before_signing
def ds_alias(zone: Zone) -> None:
    """The answer to the question for the DS set holds the zone's own CNAME, and then the proof."""
    alias = zone.records[zone.apex, rdtypes.CNAME]
    zone.ds_faults.append(lambda _, reply: replace(reply, answer=(alias, *reply.answer)))


@before_signing
def ds_signed_by_child(zone: Zone) -> None:
    """The DS set is signed by the zone itself instead of its parent."""

    def sign_anew(_: Question, reply: Reply) -> Reply:
        return replace(reply, answer=tuple(_signed_by(rrset, zone) for rrset in reply.answer))

    zone.ds_faults.append(sign_anew)


def _signed_by(rrset: RRset, zone: Zone) -> RRset:
    signatures = [sign_rrset(rrset, key, zone.apex, zone.window) for key in zone.zone_signers]
    return replace(rrset, signatures=tuple(signatures))


@before_signing
def ds_denied_by_wildcard(zone: Zone) -> None:
    """The DS set is denied by the NSEC of the parent's wildcard, under this zone's name."""

    def deny(question: Question, _: Reply) -> Reply:
        parent = zone.neighbour(names.parent(zone.apex))
        denial = parent.chain.matching(names.wildcard_of(parent.apex))
        assert denial, "the parent has a wildcard at its apex"
        soa = parent.records[parent.apex, rdtypes.SOA]
        return Reply(authority=(soa, replace(denial, name=question.name)))

    zone.ds_faults.append(deny)
