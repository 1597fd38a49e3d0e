"""RDATA in presentation form, both ways. The only importer of dnspython on these floors.

dnspython costs a tenth of a second to import: nothing on a query's path imports this module.
"""

from typing import TYPE_CHECKING

from anchord.model import names, rdtypes
from anchord.model.names import Name

if TYPE_CHECKING:
    from anchord.model.response import RRset


def rdata_to_text(rdtype: int, rdata: bytes) -> str:
    """RDATA for people; RDATA that do not fit their type in the form of RFC 3597 section 5."""
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    try:
        return dns.rdata.from_wire(
            dns.rdataclass.IN, dns.rdatatype.RdataType.make(rdtype), rdata, 0, len(rdata)
        ).to_text()
    except (dns.exception.DNSException, ValueError):
        return f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def rdata_from_text(rdtype: int, text: str, origin: Name = names.ROOT) -> bytes:
    """RDATA out of a zone file's notation, names relative to `origin`. Raises ValueError."""
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    try:
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.RdataType.make(rdtype),
            text,
            origin=dns.name.from_wire(origin, 0)[0],
            relativize=False,
        )
        return rdata.to_wire() or b""
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from error


def records_to_text(rrset: "RRset") -> list[str]:
    """The records of a set as lines of a zone file, RRSIGs not included."""
    head = f"{names.to_text(rrset.spelling)}\t{rrset.ttl}\tIN\t{rdtypes.to_text(rrset.rdtype)}\t"
    return [head + rdata_to_text(rrset.rdtype, rdata) for rdata in rrset.rdatas]
