"""Algorithms and digest types as people read of them."""

import dns.dnssectypes
import pytest

from anchord.dnssec.algorithms import ALGORITHM_NAMES, algorithm_text, digest_text


@pytest.mark.parametrize("known", [*dns.dnssectypes.Algorithm], ids=lambda known: known.name)
def test_mnemonics_are_those_that_others_use(known: dns.dnssectypes.Algorithm) -> None:
    number = known.value
    name = ALGORITHM_NAMES.get(number, "")
    assert name.replace("-", "") in ("", known.name)
    assert algorithm_text(number) == (f"{number} ({name})" if name else str(number))


def test_so_many_algorithms_have_a_name() -> None:
    assert set(ALGORITHM_NAMES) == {1, 3, 5, 6, 7, 8, 10, 12, 13, 14, 15, 16, 17, 18, 23}
    assert (algorithm_text(17), algorithm_text(23)) == ("17 (SM2SM3)", "23 (ECC-GOST12)")
    assert algorithm_text(99) == "99"


def test_digest_types_have_the_names_of_the_registry() -> None:
    named = ["1 (SHA-1)", "2 (SHA-256)", "3 (GOST)", "4 (SHA-384)", "5 (GOST12)", "6 (SM3)"]
    assert [digest_text(number) for number in range(1, 7)] == named
    assert [digest_text(number) for number in (0, 7)] == ["0", "7"]
