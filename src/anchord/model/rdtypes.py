"""RR types by number and by name (the IANA registry; RFC 3597 section 5 for the rest)."""

A = 1
NS = 2
CNAME = 5
SOA = 6
PTR = 12
HINFO = 13
MX = 15
TXT = 16
AAAA = 28
SRV = 33
NAPTR = 35
DNAME = 39
OPT = 41
DS = 43
SSHFP = 44
RRSIG = 46
NSEC = 47
DNSKEY = 48
NSEC3 = 50
NSEC3PARAM = 51
TLSA = 52
SMIMEA = 53
OPENPGPKEY = 61
SVCB = 64
HTTPS = 65
NXNAME = 128
TKEY = 249
TSIG = 250
IXFR = 251
AXFR = 252
MAILB = 253
MAILA = 254
ANY = 255
CAA = 257

IN = 1
"""The one class anchord knows."""

_NAMES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL",
    11: "WKS", 12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB",
    19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP", 23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX",
    27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT",
    38: "A6", 39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY",
    46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM",
    52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC",
    63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 104: "NID", 105: "L32", 106: "L64",
    107: "LP", 108: "EUI48", 109: "EUI64", 128: "NXNAME", 249: "TKEY", 250: "TSIG", 251: "IXFR",
    252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 261: "RESINFO",
    32768: "TA", 32769: "DLV",
}  # fmt: skip
_NUMBERS = {name: number for number, name in _NAMES.items()}

META = frozenset({OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA})
"""Types that name no data a resolver could look up (RFC 6895 section 3.1), `ANY` aside."""


def to_text(rdtype: int) -> str:
    """The mnemonic, or `TYPE123`."""
    return _NAMES.get(rdtype) or f"TYPE{rdtype}"


def from_text(text: str) -> int:
    """The number of a mnemonic or of `TYPE123`, in any case. Raises ValueError."""
    upper = text.upper()
    if (number := _NUMBERS.get(upper)) is not None:
        return number
    if upper.startswith("TYPE") and upper[4:].isdecimal() and int(upper[4:]) <= 0xFFFF:
        return int(upper[4:])
    raise ValueError(f"{text} is no RR type")
