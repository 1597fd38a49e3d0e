"""Keys of the lab: from a seed, of every algorithm, with tags and digests as dnspython has them."""

import dns.dnssec
import dns.name
import pytest

from anchord.lab import keys
from anchord.lab.keys import SECURE_ENTRY_POINT, ZONE_KEY, derive, ds_rdata
from anchord.model import names, rdtypes
from support.lab import dnspython_name, dnspython_rrset

ZONE = names.from_text("z.lab.")
KNOWN = (5, 7, 8, 10, 13, 14, 15, 16, 18)
KSK = ZONE_KEY | SECURE_ENTRY_POINT


@pytest.mark.parametrize("algorithm", [*KNOWN, 100])
def test_the_same_seed_gives_the_same_key(algorithm: int) -> None:
    one, other = (derive("seed", ZONE, algorithm) for _ in range(2))
    assert one.rdata == other.rdata


@pytest.mark.parametrize("algorithm", [13, 14, 15, 16, 18, 100])
def test_another_seed_zone_role_or_number_gives_another_key(algorithm: int) -> None:
    publics = {
        derive("seed", ZONE, algorithm).public,
        derive("other seed", ZONE, algorithm).public,
        derive("seed", names.from_text("y.lab."), algorithm).public,
        derive("seed", ZONE, algorithm, flags=KSK).public,
        derive("seed", ZONE, algorithm, number=1).public,
    }
    assert len(publics) == 5


@pytest.mark.parametrize("algorithm", [5, 7, 8, 10])
def test_the_rsa_keys_of_a_zone_differ(algorithm: int) -> None:
    for text in ("a.lab.", "b.lab.", "c.lab.", "d.lab."):
        zone = names.from_text(text)
        assert (
            derive("seed", zone, algorithm).public
            != derive("seed", zone, algorithm, flags=KSK).public
        )


@pytest.mark.parametrize(
    ("algorithm", "octets"), [(13, 64), (14, 96), (15, 32), (16, 57), (18, 1312)]
)
def test_public_keys_have_the_size_that_the_rfcs_say(algorithm: int, octets: int) -> None:
    assert len(derive("seed", ZONE, algorithm).public) == octets


@pytest.mark.parametrize("bits", [512, 1024, 2048, 3072, 4096])
def test_rsa_keys_come_in_several_sizes(bits: int) -> None:
    public = derive("seed", ZONE, keys.RSASHA256, bits=bits).public
    assert public[:4] == b"\x03\x01\x00\x01"
    assert int.from_bytes(public[4:]).bit_length() == bits


@pytest.mark.parametrize("algorithm", [5, 8, 10, 13, 14, 15, 16])
def test_the_same_data_get_the_same_signature(algorithm: int) -> None:
    key = derive("seed", ZONE, algorithm)
    assert key.sign(b"data") == key.sign(b"data")
    assert key.sign(b"data") != key.sign(b"atad")


@pytest.mark.parametrize("algorithm", KNOWN)
def test_key_tags_are_what_dnspython_computes(algorithm: int) -> None:
    for flags in (ZONE_KEY, KSK, KSK | keys.REVOKE, 0):
        key = derive("seed", ZONE, algorithm, flags=flags)
        rdata = dnspython_rrset(ZONE, rdtypes.DNSKEY, 300, (key.rdata,))[0]
        assert dns.dnssec.key_id(rdata) == key.key_tag
        assert (rdata.flags, rdata.protocol, rdata.algorithm) == (flags, 3, algorithm)


@pytest.mark.parametrize(("algorithm", "size"), [(8, 260), (13, 64), (13, 8), (15, 32), (18, 1312)])
def test_a_forged_key_has_the_tag_of_another_and_signs_nothing(algorithm: int, size: int) -> None:
    key = derive("seed", ZONE, algorithm, flags=KSK)
    forged = [keys.forged_key(key, size, number) for number in range(50)]
    assert len({other.public for other in forged}) == 50
    for other in forged:
        assert (other.key_tag, other.algorithm, other.flags) == (key.key_tag, algorithm, KSK)
        assert len(other.public) == size
    with pytest.raises(ValueError, match="nobody has the private key"):
        forged[0].sign(b"data")


@pytest.mark.parametrize("digest", ["SHA1", "SHA256", "SHA384"])
def test_ds_records_are_what_dnspython_computes(digest: str) -> None:
    key = derive("seed", ZONE, 13, flags=KSK)
    rdata = dnspython_rrset(ZONE, rdtypes.DNSKEY, 300, (key.rdata,))[0]
    expected = dns.dnssec.make_ds(
        dnspython_name(ZONE), rdata, digest, policy=dns.dnssec.allow_all_policy
    )
    assert ds_rdata(ZONE, key, expected.digest_type) == expected.to_wire()


def test_an_unknown_digest_type_gets_a_digest_all_the_same() -> None:
    ds = ds_rdata(ZONE, derive("seed", ZONE, 13), 100)
    assert ds[3] == 100
    assert len(ds) == 4 + 32
