"""Certification paths below a zone's own trust anchor, and chains that are made to wear one out."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from anchord.dane.certificate import Certificate, is_within_constraints
from anchord.dane.flaws import Failure, Flaw
from anchord.dane.path import LONGEST_PATH, MOST_SIGNATURES, Walker
from anchord.dane.path import Path as Way
from anchord.lab.chains import CHAINS, Chain, Holder, issue
from support.programs import needs

HOST = "host.example.org"


def walk(presented: Sequence[Holder], anchor: Holder, name: str = HOST) -> Way | Flaw:
    chain = [Certificate(holder.der) for holder in presented]
    return Walker(chain, [name], datetime.now(UTC)).find([Certificate(anchor.der)])


def line_of(count: int) -> list[Holder]:
    """A leaf below so many authorities, the leaf first."""
    holders = [issue("ca 0", is_ca=True)]
    for number in range(1, count):
        holders.append(issue(f"ca {number}", holders[-1], is_ca=True))
    return [issue(HOST, holders[-1], names=[HOST]), *reversed(holders)]


def test_a_path_may_be_as_long_as_the_limit_and_no_longer() -> None:
    fine, long = line_of(LONGEST_PATH - 1), line_of(LONGEST_PATH)
    found = walk(fine, fine[-1])
    assert isinstance(found, Way)
    assert found.depth == LONGEST_PATH - 1
    assert isinstance(walk(long, long[-1]), Flaw)


def test_certificates_that_all_seem_to_have_issued_each_other_cost_little(
    signature_checks: list[None],
) -> None:
    """One name and one key, a hundred certificates: every pair of them is a link that holds."""
    key = ec.generate_private_key(ec.SECP256R1())
    mesh = [issue("mesh", is_ca=True, key=key) for _ in range(100)]
    leaf = issue(HOST, mesh[0], names=[HOST])
    chain = [Certificate(holder.der) for holder in (leaf, *mesh)]
    walker = Walker(chain, [HOST], datetime.now(UTC))
    found = walker.find([Certificate(issue("stranger", is_ca=True).der)])
    assert isinstance(found, Flaw)
    assert "seem to have issued each other" in found.text
    assert 0 in (walker.steps_left, walker.signatures_left)
    assert len(signature_checks) == MOST_SIGNATURES - walker.signatures_left


def test_signatures_that_do_not_verify_are_counted() -> None:
    names = [issue("issuer", is_ca=True) for _ in range(MOST_SIGNATURES + 1)]
    leaf = issue(HOST, names[-1], names=[HOST])
    assert isinstance(walk([leaf, *names[1:]], names[-1]), Way)
    late = walk([leaf, *names], issue("other", is_ca=True))
    assert isinstance(late, Flaw)
    assert late.failure is Failure.VALIDATION_FAILURE


def test_a_second_path_serves_where_the_first_one_is_flawed() -> None:
    """The issuer is presented twice: expired, and renewed with the same key."""
    root = issue("root", is_ca=True)
    renewed = issue("issuer", root, is_ca=True)
    old = issue("issuer", root, is_ca=True, key=renewed.key, ends=-timedelta(days=1))
    leaf = issue(HOST, renewed, names=[HOST])
    assert isinstance(walk([leaf, old, renewed, root], root), Way)
    assert isinstance(walk([leaf, old, root], root), Flaw)


@needs("openssl")
@pytest.mark.parametrize(("digest", "counts"), [("sha256", True), ("sha1", False)])
def test_a_signature_by_sha_1_proves_nothing(tmp_path: Path, digest: str, *, counts: bool) -> None:
    root = issue("root", is_ca=True)
    extensions = f"subjectAltName=DNS:{HOST}".encode()
    files = {"root.pem": root.pem, "root.key": root.key_pem, "ext": extensions}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for command in (
        "req -new -newkey rsa:2048 -nodes -subj /CN=host -keyout key -out csr",
        f"x509 -req -in csr -CA root.pem -CAkey root.key -{digest} -extfile ext -out leaf.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    leaf = x509.load_pem_x509_certificate((tmp_path / "leaf.pem").read_bytes())
    chain = [Certificate(leaf.public_bytes(Encoding.DER)), Certificate(root.der)]
    found = Walker(chain, [HOST], datetime.now(UTC)).find([chain[1]])
    assert isinstance(found, Way) is counts
    if isinstance(found, Flaw):
        assert "SHA1" in found.text


def test_an_rsa_key_of_1024_bits_is_enough_to_sign_with() -> None:
    root = issue("root", is_ca=True, key=rsa.generate_private_key(65537, 1024))
    leaf = issue(HOST, root, names=[HOST])
    assert isinstance(walk([leaf, root], root), Way)


def test_an_unknown_critical_extension_ends_the_path() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")
    root = issue("root", is_ca=True)
    for is_critical in (True, False):
        leaf = issue(HOST, root, names=[HOST], extensions=[(odd, is_critical)])
        assert isinstance(walk([leaf, root], root), Flaw) is is_critical


@pytest.mark.parametrize(
    ("permitted", "excluded", "is_within"),
    [
        (["example.org"], [], True),
        ([".example.org"], [], True),
        (["host.example.org"], [], True),
        (["example.com"], [], False),
        (["ample.org"], [], False),
        ([], ["example.org"], False),
        ([], ["example.com"], True),
        (["example.org"], ["host.example.org"], False),
    ],
)
def test_name_constraints_hold_for_the_names_of_the_leaf(
    permitted: list[str], excluded: list[str], *, is_within: bool
) -> None:
    constraints = x509.NameConstraints(
        [x509.DNSName(name) for name in permitted] or None,
        [x509.DNSName(name) for name in excluded] or None,
    )
    root = issue("root", is_ca=True, extensions=[(constraints, True)])
    leaf = issue(HOST, root, names=[HOST])
    above, below = Certificate(root.der).contents, Certificate(leaf.der).contents
    assert above is not None
    assert below is not None
    assert is_within_constraints(below, above) is is_within
    assert isinstance(walk([leaf, root], root), Way) is is_within


OTHERWISE = {"ed25519-authority", "self-signed", "for-clients"}
"""Where they must not agree: an algorithm for leaves only, no name at all, and the extended key
usage, which the library is not told to look at."""


@pytest.mark.parametrize("kind", sorted(set(CHAINS) - OTHERWISE))
def test_the_walk_and_the_library_agree_where_the_library_knows_the_algorithms(kind: str) -> None:
    """With the root, or what is presented in its place, for the anchor."""
    chain: Chain = CHAINS[kind](HOST)
    anchor = chain.parts.get("root", chain.presented[-1])
    theirs = _verified_by_library(chain, anchor)
    assert isinstance(walk(chain.presented, anchor), Way) is theirs


def _verified_by_library(chain: Chain, anchor: Holder) -> bool:
    policy = ExtensionPolicy.permit_all()
    authority = policy.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    server = policy.require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store([anchor.certificate]))
        .extension_policies(ca_policy=authority, ee_policy=server)
        .build_server_verifier(x509.DNSName(HOST))
    )
    certificates = [x509.load_der_x509_certificate(der) for der in chain.ders]
    try:
        verifier.verify(certificates[0], certificates[1:])
    except VerificationError:
        return False
    assert anchor.certificate.public_bytes(Encoding.DER)
    return True
