"""What holds today and should be mended: weak keys, old digests, signatures about to expire.

Advice is for people and changes no verdict. It is read off an answer and its chain when somebody
asks for it, so that no other query pays for it.
"""

from collections.abc import Iterator

from anchord.model import names, rdtypes
from anchord.model.chain import Link
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Status
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_nsec3, read_rrsig

from . import algorithms as alg
from . import times
from .crypto import rsa_bits
from .keys import read_ds_set, read_key_set

SHORTEST_RSA = 2048
"""Bits of an RSA key that are enough for now (NIST SP 800-57 part 1)."""

SOON = 86_400
"""Seconds before the end of a signature at which it should have been renewed: a day."""

_RSA = frozenset(
    {alg.RSASHA1, alg.RSASHA1_NSEC3_SHA1, alg.RSASHA256, alg.RSASHA512},
)


def advice(answer: Answer, now: int) -> tuple[str, ...]:
    """One sentence for each thing to mend, about secure parts only; each once."""
    sentences: list[str] = []
    for link in answer.verdict.chain:
        if link.status is Status.SECURE:
            sentences += _about_link(link, now)
    for checked in (*answer.answer, *answer.authority):
        if checked.status is Status.SECURE:
            sentences += _about_signatures(checked.rrset, now)
            sentences += _about_nsec3(checked.rrset)
    return tuple(dict.fromkeys(sentences))


def _about_link(link: Link, now: int) -> Iterator[str]:
    zone = names.to_text(link.zone)
    if link.ds:
        ds_set = read_ds_set(link.ds)
        if any(ds.digest_type == alg.SHA1 for ds in ds_set):
            yield f"{zone} has a DS record of digest type {alg.digest_text(alg.SHA1)}"
        yield from _about_signatures(link.ds, now)
    if link.dnskey:
        for key in read_key_set(link.dnskey):
            if key.algorithm in _RSA and 0 < rsa_bits(key.key) < SHORTEST_RSA:
                yield f"{zone}: key {key.key_tag} is RSA with {rsa_bits(key.key)} bits only"
        yield from _about_signatures(link.dnskey, now)


def _about_signatures(rrset: RRset, now: int) -> Iterator[str]:
    what = f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)}"
    for rdata in rrset.signatures:
        try:
            rrsig = read_rrsig(rdata)
        except FormError:
            continue
        if rrsig.algorithm in alg.SHA1_SIGNATURES:
            algorithm = alg.algorithm_text(rrsig.algorithm)
            yield f"{what} is signed with {algorithm}, which rests on SHA-1"
        left = times.until(rrsig.expiration, now)  # a lifetime where it has ended
        if left < SOON:
            yield f"the RRSIG of {what} by key {rrsig.key_tag} expires in {times.ago_text(left)}"


def _about_nsec3(rrset: RRset) -> Iterator[str]:
    if rrset.rdtype != rdtypes.NSEC3:
        return
    try:
        nsec3 = read_nsec3(rrset.rdatas[0])
    except FormError:  # signed as it is, for whoever asks for it by type
        return
    zone = names.to_text(names.parent(rrset.name))
    if nsec3.iterations:
        yield f"{zone}: NSEC3 with {nsec3.iterations} iterations (RFC 9276 wants 0)"
    if nsec3.salt:
        yield f"{zone}: NSEC3 with a salt (RFC 9276 wants none)"
