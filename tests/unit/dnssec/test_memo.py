"""The memo of signatures: it knows what has verified, and nothing that merely looks like it."""

from hypothesis import given
from hypothesis import strategies as st

from anchord.dnssec.memo import Memo

KEY = Memo.key(b"key", b"signature", b"data")


def test_it_knows_what_it_was_told_and_nothing_else() -> None:
    memo = Memo()
    assert not memo.knows(KEY)
    memo.remember(KEY)
    assert memo.knows(KEY)
    for other in (
        Memo.key(b"kex", b"signature", b"data"),
        Memo.key(b"key", b"signaturf", b"data"),
        Memo.key(b"key", b"signature", b"datb"),
    ):
        assert not memo.knows(other)


TRIPLES = st.tuples(*[st.text("\0\1", max_size=6).map(str.encode)] * 3)


@given(TRIPLES, TRIPLES)
def test_a_key_stands_for_one_triple_whatever_its_parts(
    one: tuple[bytes, bytes, bytes], other: tuple[bytes, bytes, bytes]
) -> None:
    assert (Memo.key(*one) == Memo.key(*other)) is (one == other)


def test_octets_cannot_move_from_a_key_into_the_data_that_another_key_signs() -> None:
    """A key of one's own that begins with another's, and good signatures by it, must not count
    as signatures by the other: RSA keys with chosen octets in front are made in seconds."""
    victim, forged = b"\1\1\3\x08" + bytes(range(200)), b"forged records, and what follows: "
    signature, data = b"a signature by the attacker's key", b"what it was made over"
    for width in (1, 2, 4, 8):
        for order in ("big", "little"):
            lengths = len(victim).to_bytes(width, order) + (0).to_bytes(width, order)
            attacker = victim + lengths + forged
            tail = len(attacker).to_bytes(width, order) + len(signature).to_bytes(width, order)
            genuine = Memo.key(attacker, signature, data)
            assert genuine != Memo.key(victim, b"", forged + tail + signature + data)


def test_a_key_has_the_256_bits_for_which_no_two_triples_are_found() -> None:
    assert len(KEY) == 32


def test_the_least_recently_used_goes_first() -> None:
    memo = Memo(most=2)
    one, two, three = (Memo.key(b"key", b"", bytes((n,))) for n in range(3))
    memo.remember(one)
    memo.remember(two)
    assert memo.knows(one)
    memo.remember(three)
    assert memo.knows(one)
    assert memo.knows(three)
    assert not memo.knows(two)


def test_it_holds_16384_signatures_and_not_one_more() -> None:
    memo = Memo()
    keys = [number.to_bytes(32) for number in range(16385)]
    for key in keys[:-1]:
        memo.remember(key)
    assert memo.knows(keys[0])
    memo.remember(keys[-1])
    assert memo.knows(keys[0])
    assert not memo.knows(keys[1])


def test_it_can_be_emptied() -> None:
    memo = Memo()
    memo.remember(KEY)
    memo.clear()
    assert not memo.knows(KEY)
