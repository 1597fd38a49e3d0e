"""What works here is found out by trying: a policy that forbids an algorithm must be noticed."""

import base64
import hashlib

import pytest

from anchord.dnssec import crypto, probe
from anchord.dnssec.algorithms import Supported, algorithm_text, digest_text
from anchord.dnssec.anchors import Anchor, TrustAnchors
from anchord.dnssec.crypto import UnsupportedKeyError, load_key
from anchord.model.names import ROOT
from anchord.wire.rdata import Ds
from support.denials import name

pytestmark = pytest.mark.usefixtures("keys_loaded_anew")

EVERYTHING = {8, 10, 13, 14, 15, 16, 18}


def forbid(algorithm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a crypto policy does not let the algorithm be used."""

    def refuse(_: bytes) -> crypto.Verify:
        raise UnsupportedKeyError

    monkeypatch.setitem(crypto._LOADERS, algorithm, refuse)


def anchors(*of: tuple[str, int, int]) -> TrustAnchors:
    return TrustAnchors(
        Anchor(name(zone), (Ds(1, algorithm, digest_type, b""),))
        for zone, algorithm, digest_type in of
    )


ROOTED = anchors((".", 8, 2))


def test_everything_works_here() -> None:
    found = probe.probe()
    assert found.algorithms == EVERYTHING
    assert found.digests == {1, 2, 4}
    assert probe.missing(found, ROOTED) == ""


def test_sha1_signatures_work_where_they_are_asked_for() -> None:
    assert probe.probe(with_sha1=True).algorithms == EVERYTHING | {5, 7}


@pytest.mark.parametrize("algorithm", sorted(EVERYTHING))
def test_what_is_forbidden_is_unsupported(algorithm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(algorithm, monkeypatch)
    found = probe.probe()
    assert found.algorithms == EVERYTHING - {algorithm}
    is_needed = algorithm in {8, 13}
    assert bool(probe.missing(found, anchors((".", 10, 2), (".", 8, 2)))) is is_needed


@pytest.mark.parametrize("algorithm", sorted(EVERYTHING - {18}))
def test_what_verifies_anything_does_not_work(
    algorithm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(crypto._LOADERS, algorithm, lambda _: lambda *_: False)
    assert algorithm not in probe.probe().algorithms


@pytest.mark.parametrize("algorithm", sorted(EVERYTHING - {18} | {5, 7}))
def test_each_vector_is_a_signature_over_the_message_and_nothing_else(algorithm: int) -> None:
    key, signature = map(base64.b64decode, probe._VECTORS[algorithm])
    verify = load_key(algorithm, key)
    assert verify(signature, probe.MESSAGE)
    assert not verify(signature, probe.MESSAGE + b"\0")


def test_a_digest_that_is_forbidden_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: bytes) -> "hashlib._Hash":
        raise ValueError("disabled for FIPS")

    monkeypatch.setitem(crypto._DIGESTS, 2, refuse)
    found = probe.probe()
    assert found.digests == {1, 4}
    assert probe.missing(found, ROOTED) == "digest type 2 (SHA-256)"


@pytest.mark.parametrize(
    ("algorithm", "text"), [(8, "8 (RSASHA256)"), (13, "13 (ECDSAP256SHA256)")]
)
def test_without_what_the_internet_is_signed_with_nothing_is_proven(
    algorithm: int, text: str
) -> None:
    found = Supported(frozenset(EVERYTHING - {algorithm}))
    assert probe.missing(found, ROOTED) == f"algorithm {text}"


def test_the_roots_own_algorithm_is_needed() -> None:
    found = Supported(frozenset({8, 13}))
    assert probe.missing(found, anchors((".", 16, 2))) == "algorithm 16 (ED448) of the root"
    assert probe.missing(found, anchors(("z.lab.", 16, 2))) == ""
    several = TrustAnchors([Anchor(ROOT, (Ds(1, 16, 2, b""), Ds(2, 15, 2, b"")))])
    assert probe.missing(found, several) == "algorithm 15 (ED25519), 16 (ED448) of the root"
    one_of_two = TrustAnchors([Anchor(ROOT, (Ds(1, 16, 2, b""), Ds(2, 8, 2, b"")))])
    assert probe.missing(found, one_of_two) == ""


def test_anchors_that_nothing_supports_are_named() -> None:
    found = Supported()
    several = anchors((".", 8, 2), ("a.", 100, 2), ("b.", 8, 100), ("c.", 13, 4))
    assert probe.unsupported_anchors(found, several) == [name("a."), name("b.")]
    one_of_two = TrustAnchors([Anchor(ROOT, (Ds(1, 100, 2, b""), Ds(2, 8, 2, b"")))])
    assert probe.unsupported_anchors(found, one_of_two) == []


def test_algorithms_and_digests_have_names() -> None:
    assert algorithm_text(13) == "13 (ECDSAP256SHA256)"
    assert algorithm_text(200) == "200"
    assert digest_text(2) == "2 (SHA-256)"
    assert digest_text(200) == "200"
