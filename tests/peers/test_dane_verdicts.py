"""Verdicts over one set of chains and records: anchord's, OpenSSL's, and danetool's (GnuTLS).

Where one of them decides otherwise, the case is listed with its reason: no other may differ.
"""

import ctypes
import ctypes.util
import itertools
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchord.dane.certificate import Certificate
from anchord.dane.match import judge
from anchord.dane.pkix import Trust
from anchord.dane.tlsa import Tlsa
from anchord.lab.chains import CHAINS, Chain, records_of
from support.programs import free_ports, needs, path_of, server, skip_unless_installed

HOST = "host.example.org"

RECORDS = (
    "3 1 1 leaf",
    "3 0 2 leaf",
    "3 0 1 issuer",
    "2 1 1 root",
    "2 0 1 issuer",
    "2 1 2 leaf",
    "2 0 0 root",
    "2 1 0 root",
    "2 1 0 issuer",
    "3 1 2 issuer; 3 1 1 leaf",
    "3 1 1 issuer; 2 1 1 root",
    "9 9 9 aa; 3 1 1 leaf",
)
"""The records that each chain is tried with."""

PKIX_RECORDS = ("1 1 1 leaf", "0 1 1 root", "0 0 1 issuer", "0 1 1 leaf")
"""Those that need PKIX as well: the chain's own root is trusted for them."""

KINDS = tuple(CHAINS)


def cases(kind: str, records: Sequence[str]) -> Iterator[str]:
    """The records that have all their parts in the chains of this kind."""
    parts = CHAINS[kind](HOST).parts
    for text in records:
        names = {record.split()[3] for record in text.split(";")}
        if names <= {*parts, "aa"}:
            yield text


@pytest.fixture(scope="module")
def chains() -> dict[str, Chain]:
    return {kind: CHAINS[kind](HOST) for kind in KINDS}


def our_verdict(chain: Chain, records: list[Tlsa], *, with_pkix: bool = False) -> bool:
    roots = [chain.parts["root"].certificate] if with_pkix else []
    judgement = judge(
        [Certificate(der) for der in chain.ders],
        records,
        names=[HOST],
        now=datetime.now(UTC),
        trust=Trust(roots, "the test's roots"),
    )
    return judgement.fit is not None


# ------------ OpenSSL ------------


@pytest.fixture(scope="module")
def servers(
    chains: dict[str, Chain], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[int, Path]]]:
    """An `openssl s_server` for each chain: its port, and the folder with its files."""
    skip_unless_installed("openssl")
    found = {}
    with ExitStack() as stack:
        for (kind, chain), port in zip(chains.items(), free_ports(len(chains)), strict=True):
            folder = tmp_path_factory.mktemp(kind)
            (folder / "key.pem").write_bytes(chain.leaf.key_pem)
            (folder / "leaf.pem").write_bytes(chain.leaf.pem)
            above = b"".join(holder.pem for holder in chain.presented[1:])
            (folder / "above.pem").write_bytes(above)
            (folder / "root.pem").write_bytes(chain.parts.get("root", chain.leaf).pem)
            rest = ["-cert_chain", "above.pem"] if above else []
            command = [
                "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem",
                "-cert", "leaf.pem", *rest, "-cipher", "DEFAULT:@SECLEVEL=0", "-quiet",
            ]  # fmt: skip
            stack.enter_context(server(command, folder, port=port))
            found[kind] = port, folder
        yield found


def openssl_verdict(port: int, folder: Path, records: list[Tlsa], *, with_pkix: bool) -> bool:
    trusted = ["-CAfile", "root.pem"] if with_pkix else ["-no-CAfile"]
    texts = itertools.chain.from_iterable(("-dane_tlsa_rrdata", str(one)) for one in records)
    command = [
        path_of("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST,
        "-dane_tlsa_domain", HOST, "-dane_ee_no_namechecks", *texts, *trusted,
        "-no-CApath", "-no-CAstore", "-cipher", "DEFAULT:@SECLEVEL=0", "-auth_level", "1",
    ]  # fmt: skip
    ran = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20
    )
    text = ran.stdout.decode(errors="replace")
    assert "Verify return code" in text, (text, ran.stderr)
    return "Verify return code: 0 (ok)" in text


_COMMON_NAME = "OpenSSL takes the common name where there is no other name; anchord never does"
_CARRIER = (
    "the bare key has signed the chain, which is enough; OpenSSL looks no further than the "
    "certificate that carries it, and objects to that"
)
_ALGORITHM = "PKIX is the library's business here, and that knows no Ed25519 issuers"
EXPLAINED = {
    ("common-name-only", "2 1 1 root"): _COMMON_NAME,
    ("common-name-only", "2 0 1 issuer"): _COMMON_NAME,
    ("common-name-only", "2 0 0 root"): _COMMON_NAME,
    ("common-name-only", "2 1 0 root"): _COMMON_NAME,
    ("common-name-only", "2 1 0 issuer"): _COMMON_NAME,
    ("common-name-only", "3 1 1 issuer; 2 1 1 root"): _COMMON_NAME,
    ("common-name-only", "1 1 1 leaf"): _COMMON_NAME,
    ("common-name-only", "0 1 1 root"): _COMMON_NAME,
    ("common-name-only", "0 0 1 issuer"): _COMMON_NAME,
    ("no-authority", "2 1 0 issuer"): _CARRIER,
    ("too-long", "2 1 0 root"): _CARRIER,
    ("constrained", "2 1 0 issuer"): _CARRIER,
    ("ed25519-authority", "1 1 1 leaf"): _ALGORITHM,
    ("ed25519-authority", "0 1 1 root"): _ALGORITHM,
    ("ed25519-authority", "0 0 1 issuer"): _ALGORITHM,
}
"""Every case in which OpenSSL decides otherwise, and why."""


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_says_the_same_about_every_chain(
    kind: str, chains: dict[str, Chain], servers: dict[str, tuple[int, Path]]
) -> None:
    chain = chains[kind]
    port, folder = servers[kind]
    differences = {}
    pkix = PKIX_RECORDS if "root" in chain.parts else ()
    for text, with_pkix in [
        *((text, False) for text in cases(kind, RECORDS)),
        *((text, True) for text in cases(kind, pkix)),
    ]:
        if text.startswith("9"):
            continue  # the command line refuses what cannot be used
        records = records_of(text, chain)
        ours = our_verdict(chain, records, with_pkix=with_pkix)
        theirs = openssl_verdict(port, folder, records, with_pkix=with_pkix)
        if ours != theirs:
            differences[kind, text] = f"anchord {ours}, OpenSSL {theirs}"
    explained = {case for case in EXPLAINED if case[0] == kind}
    assert differences.keys() == explained, differences


@needs("openssl")
def test_there_are_more_than_a_hundred_cases() -> None:
    count = sum(len(list(cases(kind, (*RECORDS, *PKIX_RECORDS)))) for kind in KINDS)
    assert count > 100


# ------------ danetool's library ------------


class _Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_uint))


X509 = 1
NO_QUERIES = 0


@pytest.fixture(scope="module")
def danetool() -> ctypes.CDLL:
    """libgnutls-dane, by which danetool judges: the command itself takes records from DNS alone."""
    name = ctypes.util.find_library("gnutls-dane")
    if name is None:
        pytest.skip("not installed: libgnutls-dane")
    return ctypes.CDLL(name)


def danetool_verdict(library: ctypes.CDLL, chain: Chain, records: list[Tlsa]) -> bool | None:
    """Whether it finds the chain to fit; None where it gives no verdict."""
    state, query = ctypes.c_void_p(), ctypes.c_void_p()
    assert library.dane_state_init(ctypes.byref(state), NO_QUERIES) == 0
    rdatas = [record.rdata for record in records]
    data = (ctypes.c_char_p * (len(rdatas) + 1))(*rdatas, None)
    lengths = (ctypes.c_int * len(rdatas))(*map(len, rdatas))
    secure, bogus = ctypes.c_int(1), ctypes.c_int(0)
    ours = (_Datum * len(chain.ders))(*(_Datum(der, len(der)) for der in chain.ders))
    status = ctypes.c_uint(0)
    try:
        if library.dane_raw_tlsa(state, ctypes.byref(query), data, lengths, secure, bogus):
            return None
        code = library.dane_verify_crt_raw(
            state, ours, len(chain.ders), X509, query, 0, 0, ctypes.byref(status)
        )
        return None if code else status.value == 0
    finally:
        if query:
            library.dane_query_deinit(query)
        library.dane_state_deinit(state)


def why_danetool_differs(kind: str, text: str) -> str:
    """The reason of the case; empty where it must agree."""
    if text == "3 1 2 issuer; 3 1 1 leaf":
        return "it has no digest agility: any record that fits is enough"
    if text.startswith("3"):
        text = text.rpartition("; ")[2]
    if not text.startswith("2"):
        return ""
    if kind in {"leaf-only", "orphan", "self-signed"}:
        return "usage 2 needs two certificates, else it gives no verdict"
    if kind in {"without-root", "cross-signed"} and text in {"2 0 0 root", "2 1 0 root"}:
        return "it takes anchors from what is presented, and never from the record"
    return {
        "other-name": "it leaves the names to its caller",
        "for-domain": "it leaves the names to its caller",
        "common-name-only": "it leaves the names to its caller",
        "for-clients": "it leaves the purpose to its caller",
        "too-long": "it does not look at path lengths",
        "expired-issuer": "it looks at the dates of the anchor as well",
        "no-authority": "it looks at the certificate that carries a bare key",
        "constrained": "it looks at the certificate that carries a bare key",
    }.get(kind, "")


@pytest.mark.parametrize("kind", KINDS)
def test_danetool_differs_only_where_the_reason_is_known(
    kind: str, chains: dict[str, Chain], danetool: ctypes.CDLL
) -> None:
    chain = chains[kind]
    for text in cases(kind, RECORDS):
        records = records_of(text, chain)
        theirs = danetool_verdict(danetool, chain, records)
        if our_verdict(chain, records) != theirs:
            assert why_danetool_differs(kind, text), (text, theirs)


# ------------ Making records ------------


@needs("danetool")
@pytest.mark.parametrize("text", ["3 1 1 leaf", "3 0 1 leaf", "3 1 2 leaf", "3 0 2 leaf"])
def test_danetool_makes_the_same_record(text: str, tmp_path: Path) -> None:
    chain = CHAINS["good"](HOST)
    file = tmp_path / "leaf.pem"
    file.write_bytes(chain.leaf.pem)
    _, selector, matching, _ = text.split()
    command = [
        "danetool", "--tlsa-rr", "--host", HOST, "--load-certificate", str(file),
        "--hash", {"1": "sha256", "2": "sha512"}[matching],
        *(["--x509"] if selector == "0" else []),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    (record,) = records_of(text, chain)
    assert record.data.hex() in ran.stdout.replace(" ", "").lower(), ran.stdout
