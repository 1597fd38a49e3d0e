"""The record for a certificate: rule 72, and what a zone file wants to see."""

import hashlib
import json
from pathlib import Path

import dns.rdata
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anchord.cli.main import main
from anchord.dane.make import (
    first_host,
    generic_line,
    make_record,
    read_source,
    update_script,
    zone_line,
)
from anchord.dane.tlsa import Tlsa
from anchord.lab.chains import CHAINS, Holder
from anchord.model import names
from anchord.model.errors import AnchordError

CHAIN = CHAINS["good"]("www.example.org")
HOST = names.from_text("www.example.org")


def record(holder: Holder, usage: int = 3, selector: int = 1, matching: int = 1) -> Tlsa:
    source = read_source(holder.pem, "a.pem")
    return make_record(source, usage=usage, selector=selector, matching=matching, where="a.pem")


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_rule_72_the_record_holds_what_the_three_numbers_say(selector: int, matching: int) -> None:
    whole = CHAIN.leaf.spki if selector else CHAIN.leaf.der
    digest = {
        0: whole,
        1: hashlib.sha256(whole).digest(),
        2: hashlib.sha512(whole).digest(),
    }[matching]
    assert record(CHAIN.leaf, 3, selector, matching) == Tlsa(3, selector, matching, digest)


@pytest.mark.parametrize("usage", [0, 2])
def test_rule_72_a_server_is_refused_where_a_ca_is_meant(usage: int) -> None:
    with pytest.raises(AnchordError, match="no CA's"):
        record(CHAIN.leaf, usage)
    assert record(CHAIN.parts["root"], usage).usage == usage


@pytest.mark.parametrize("usage", [1, 3])
def test_rule_72_a_ca_is_refused_where_a_server_is_meant(usage: int) -> None:
    with pytest.raises(AnchordError, match="is a CA's"):
        record(CHAIN.parts["root"], usage)
    assert record(CHAIN.leaf, usage).usage == usage


def test_a_key_and_a_request_make_the_same_record_as_the_certificate() -> None:
    key = CHAIN.leaf.key
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    expected = record(CHAIN.leaf)
    for data in (public, request, CHAIN.leaf.der, CHAIN.pem):
        source = read_source(data, "x")
        assert make_record(source, usage=3, selector=1, matching=1, where="x") == expected
    with pytest.raises(AnchordError, match="this is a key"):
        make_record(read_source(public, "x"), usage=3, selector=0, matching=1, where="x")


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_of_something_else_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(AnchordError, match="certificate"):
        read_source(data, "x.pem")


def test_rule_72_every_form_says_the_same() -> None:
    made = record(CHAIN.leaf)
    line = zone_line(HOST, 443, "tcp", made)
    generic = generic_line(HOST, 443, "tcp", made)
    assert line == f"_443._tcp.www.example.org. 3600 IN TLSA 3 1 1 {made.data.hex()}"
    assert generic.startswith("_443._tcp.www.example.org. 3600 IN TYPE52 \\# 35 030101")
    for text in (line, generic):
        _, _, _, rdtype, data = text.split(maxsplit=4)
        rdata = dns.rdata.from_text("IN", "TLSA", data)
        assert rdata.to_wire() == made.rdata, rdtype
    assert update_script(HOST, 443, "tcp", [made]) == [
        "update delete _443._tcp.www.example.org. TLSA",
        f"update add _443._tcp.www.example.org. 3600 IN TLSA {made}",
        "send",
    ]


def test_the_host_is_the_certificate_s_first_name_that_is_no_wildcard() -> None:
    assert first_host(read_source(CHAIN.pem, "x")) == "www.example.org"
    assert first_host(read_source(CHAINS["wildcard"]("www.example.org").pem, "x")) == ""


def test_the_command_prints_what_a_zone_file_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cert.pem"
    file.write_bytes(CHAIN.pem)
    assert main(["dane", "make", str(file), "--port", "25"]) == 0
    line, advice = capsys.readouterr().out.splitlines()
    assert line.startswith("_25._tcp.www.example.org. 3600 IN TLSA 3 1 1 ")
    assert advice.startswith("; ")
    assert main(["dane", "make", str(file), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["records"][0]["data"] == record(CHAIN.leaf).data.hex()
    assert main(["dane", "make", str(file), "--form", "nsupdate"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "send"
    assert main(["dane", "make", str(file), "--usage", "2"]) == 2
    assert capsys.readouterr().err.startswith(f"anchord: {file}: usage 2 is for a CA")
    assert main(["dane", "make", str(tmp_path / "none.pem")]) == 2
