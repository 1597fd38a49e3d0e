"""Every call against the lab's world and its services, and against the description of the API."""

import base64
import json
import ssl
from collections.abc import Iterator
from typing import Any, get_args

import dns.message
import dns.rcode
import pytest
import trio

from anchord.api.calls import CALLS, Api
from anchord.api.limits import Limits
from anchord.api.private import forbidden
from anchord.api.questions import Starttls
from anchord.dane import check
from anchord.dane.probe import Prober
from anchord.dane.roots import load_roots
from anchord.dane.starttls import PROTOCOLS
from anchord.lab.dane_table import MAIL, SCENARIOS
from anchord.lab.dane_world import Running, running
from anchord.lab.plan import Plan
from support import background
from support.api import Answered, Client, open_api
from support.dane import LIMITS, lab_trust, resolver_over, world_of_now
from support.doors import PreparedResolver

COUSINS = f"""
    @                   SSHFP       4 2 {"ab" * 32}
    hash._smimecert     SMIMEA      3 1 1 {"cd" * 32}
    hash._openpgpkey    OPENPGPKEY  AAECAwQ=
    @                   CAA         0 issue "ca.example"
"""

ZONES = (
    Plan("good.lab.", "signed", records="@ A 192.0.2.1"),
    Plan("loose.lab.", "unsigned", records="@ A 192.0.2.2", algorithms=()),
    Plan("expired.lab.", "out of date", records="@ A 192.0.2.3", faults="expired"),
    *(
        Plan(f"{name}.lab.", "other records that rest on DNSSEC", records=COUSINS, faults=faults)
        for name, faults in (("cousins", ""), ("forged-cousins", "forged SSHFP SMIMEA CAA"))
    ),
)

HOSTS = ("ee", "ta", "hijacked", "absent", "unsigned", "forged", "imap", "smtp-strips")


@pytest.fixture(scope="module")
def lab() -> Iterator[Running]:
    scenarios = [scenario for scenario in SCENARIOS if scenario.host in HOSTS]
    with background.running(running(scenarios, MAIL)) as started:
        yield started


@pytest.fixture
async def client(lab: Running) -> Any:
    async with (
        resolver_over(world_of_now(*lab.plans, *ZONES)) as resolver,
        open_api(resolver, trust=lab_trust(lab)) as client,
    ):
        yield client


def where(host: str, lab: Running) -> dict[str, Any]:
    (scenario,) = (one for one in SCENARIOS if one.host == host)
    place = {"host": scenario.full_name, "port": lab.ports[host]}
    return place | ({"starttls": scenario.starttls} if scenario.starttls else {})


# ------------ Names ------------


async def test_a_name_in_the_common_json(client: Client) -> None:
    answered = await client.get("/v1/resolve?name=good.lab&type=A")
    assert answered.headers["content-type"] == "application/json"
    assert answered.json == {
        "Status": 0,
        "TC": False,
        "RD": True,
        "RA": True,
        "AD": True,
        "CD": False,
        "Question": [{"name": "good.lab.", "type": 1}],
        "Answer": [
            {
                "name": "good.lab.",
                "type": 1,
                "TTL": 300,
                "data": "192.0.2.1",
                "dnssec_status": "secure",
            }
        ],
        "Authority": [],
        "Comment": "",
        "security": "secure",
        "extended_dns_errors": [],
    }


async def test_with_do_the_signatures_and_proofs_come_along(client: Client) -> None:
    answered = await client.get("/v1/resolve?name=nx.good.lab&type=28&do=1")
    assert (answered.json["Status"], answered.json["AD"]) == (3, True)
    types = {record["type"] for record in answered.json["Authority"]}
    assert {6, 46} < types
    without = await client.get("/v1/resolve?name=nx.good.lab&type=AAAA")
    assert {record["type"] for record in without.json["Authority"]} == {6}


@pytest.mark.parametrize(
    ("name", "rdtype", "data"),
    [
        ("", "SSHFP", f"4 2 {'ab' * 32}"),
        ("hash._smimecert.", "SMIMEA", f"3 1 1 {'cd' * 32}"),
        ("hash._openpgpkey.", "OPENPGPKEY", "AAECAwQ="),
        ("", "CAA", '0 issue "ca.example"'),
    ],
)
async def test_the_cousins_of_tlsa_come_with_the_same_verdict(
    client: Client, name: str, rdtype: str, data: str
) -> None:
    asked = f"/v1/resolve?name={name}cousins.lab&type={rdtype}"
    found = (await client.get(asked)).json
    assert (found["security"], found["AD"]) == ("secure", True)
    (record,) = found["Answer"]
    assert (record["data"], record["dnssec_status"]) == (data, "secure")
    unsigned = (await client.get(f"/v1/resolve?name=loose.lab&type={rdtype}")).json
    assert (unsigned["security"], unsigned["AD"], unsigned["Answer"]) == ("insecure", False, [])
    if rdtype != "OPENPGPKEY":
        forged = (await client.get(asked.replace("cousins", "forged-cousins"))).json
        assert (forged["Status"], forged["security"], forged["Answer"]) == (2, "bogus", [])


async def test_a_bogus_name_has_no_records_but_a_reason(client: Client) -> None:
    answered = await client.get("/v1/resolve?name=expired.lab")
    assert (answered.status, answered.json["Status"], answered.json["AD"]) == (200, 2, False)
    assert (answered.json["security"], answered.json["Answer"]) == ("bogus", [])
    (first, *_) = answered.json["extended_dns_errors"]
    assert (first["code"], first["name"]) == (7, "Signature Expired")
    assert first["text"] in answered.json["Comment"]


async def test_with_cd_the_records_come_with_the_reason(client: Client) -> None:
    answered = await client.get("/v1/resolve?name=expired.lab&cd=true")
    assert (answered.json["Status"], answered.json["CD"], answered.json["AD"]) == (0, True, False)
    assert [record["dnssec_status"] for record in answered.json["Answer"]] == ["bogus"]


async def test_parameters_of_other_services_change_nothing(client: Client) -> None:
    more = "&ct=application/dns-json&edns_client_subnet=0.0.0.0/0&random_padding=XXXX"
    plain = await client.get("/v1/resolve?name=good.lab")
    assert (await client.get(f"/v1/resolve?name=good.lab{more}")).json == plain.json


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "name"),
        ("type=A", "name"),
        ("name=a&name=b", "twice"),
        ("name=a&nmae=b", "nmae"),
        ("name=a..b", "label"),
        ("name=" + "a" * 64, "63"),
        ("name=a&type=XYZZY", "XYZZY"),
        ("name=a&type=0", "no type"),
        ("name=a&type=65536", "no type"),
        ("name=a&type=OPT", "no type"),
        ("name=a&type=AXFR", "no type"),
        ("name=a&do=maybe", "bool"),
        ("name=%ff", "cannot be read"),
        ("&".join(f"name{n}=a" for n in range(40)), "cannot be read"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(client: Client, query: str, detail: str) -> None:
    status, text = (await client.get(f"/v1/resolve?{query}")).problem
    assert status == 400
    assert detail in text


# ------------ DNS messages ------------


async def over_get(client: Client, wire: bytes) -> Answered:
    text = base64.urlsafe_b64encode(wire).rstrip(b"=").decode()
    return await client.get(f"/dns-query?dns={text}", accept="application/dns-message")


async def over_post(client: Client, wire: bytes) -> Answered:
    headers = {"content-type": "application/dns-message"}
    return await client.request("POST", "/dns-query", wire, headers)


@pytest.mark.parametrize("exchange", [over_get, over_post])
async def test_a_dns_message_is_answered(client: Client, exchange: Any) -> None:
    query = dns.message.make_query("good.lab", "A", want_dnssec=True, id=0)
    answered = await exchange(client, query.to_wire())
    assert answered.headers["content-type"] == "application/dns-message"
    reply = dns.message.from_wire(answered.body)
    assert query.is_response(reply)
    assert reply.flags & dns.flags.AD
    seconds = int(answered.headers["cache-control"].removeprefix("max-age="))
    assert 0 < seconds <= min(rrset.ttl for rrset in reply.answer)


async def test_a_failure_is_not_kept(client: Client) -> None:
    query = dns.message.make_query("expired.lab", "A")
    answered = await over_post(client, query.to_wire())
    assert dns.message.from_wire(answered.body).rcode() == dns.rcode.SERVFAIL
    assert answered.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("text", ["", "===", "a=b", "A" * 5, "%00", "////"])
async def test_what_is_no_message_is_a_problem(client: Client, text: str) -> None:
    assert (await client.get(f"/dns-query?dns={text}")).problem[0] == 400


# ------------ Services ------------


async def test_the_records_of_a_service(client: Client, lab: Running) -> None:
    place = where("ee", lab)
    answered = await client.get("/v1/tlsa?host={host}&port={port}".format(**place))
    (record,) = answered.json["records"]
    assert answered.json["security"] == "secure"
    assert answered.json["ttl"] > 0
    assert [record[key] for key in ("usage", "selector", "matching_type")] == [3, 1, 1]
    assert (len(record["data"]), record["usable"], record["reason"]) == (64, True, "")


@pytest.mark.parametrize(
    ("host", "result"),
    [
        ("ee", "match"),
        ("ta", "match"),
        ("hijacked", "mismatch"),
        ("absent", "no-tlsa"),
        ("unsigned", "insecure"),
        ("forged", "bogus"),
        ("imap", "match"),
        ("smtp-strips", "mismatch"),
    ],
)
async def test_a_check_by_get_and_by_post(
    client: Client, lab: Running, host: str, result: str
) -> None:
    place = where(host, lab)
    query = "&".join(f"{key}={value}" for key, value in place.items())
    by_get = await client.get(f"/v1/dane?{query}", user_agent="curl/8.0")
    by_post = await client.post("/v1/dane", place, sec_fetch_site="same-origin")
    assert by_get.json["result"] == by_post.json["result"] == result
    assert by_get.json["host"] == place["host"]


async def test_a_mail_domain(client: Client, lab: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    (domain,) = (one for one in MAIL if one.name == "mail-sts")
    ports = {"port": lab.ports[domain.name], "sts_port": lab.sts_ports[domain.name]}
    monkeypatch.setattr("anchord.dane.smtp.check_domain.__kwdefaults__", ports)
    answered = await client.get(f"/v1/dane/smtp?domain={domain.full_name}")
    assert answered.json["domain"] == domain.full_name
    assert answered.json["policy"] == domain.policy
    assert [mx["host"] for mx in answered.json["mx"]]
    assert answered.json["mta_sts"]["mode"] == "enforce"


async def test_a_chain_that_the_caller_has_received(client: Client, lab: Running) -> None:
    for host, result in (("ee", "match"), ("hijacked", "mismatch")):
        place = where(host, lab)
        shown = (await client.post("/v1/dane", place)).json["chain"]
        asked = {**place, "chain": [one["pem"] for one in shown]}
        assert (await client.post("/v1/dane/verify", asked)).json["result"] == result


async def test_several_certificates_may_stand_in_one_text(client: Client, lab: Running) -> None:
    place = where("ta", lab)
    shown = (await client.post("/v1/dane", place)).json["chain"]
    assert len(shown) > 1
    asked = {**place, "chain": ["".join(one["pem"] for one in shown)]}
    assert (await client.post("/v1/dane/verify", asked)).json["result"] == "match"


@pytest.mark.parametrize(
    "chain",
    [
        [],
        ["no certificate"],
        ["-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"],
        "x",
        [1],
    ],
)
async def test_what_is_no_chain_is_a_problem(client: Client, chain: object) -> None:
    asked = {"host": "ee.tls.lab", "port": 443, "chain": chain}
    assert (await client.post("/v1/dane/verify", asked)).problem[0] == 400


async def test_a_certificate_of_junk_is_judged_not_refused(client: Client, lab: Running) -> None:
    pem = ssl.DER_cert_to_PEM_cert(b"junk")
    asked = {**where("ee", lab), "chain": [pem]}
    assert (await client.post("/v1/dane/verify", asked)).json["result"] == "mismatch"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"host": 1}', b'{"host": "a.example", "port": 0}',
        b'{"host": "a.example", "port": 65536}', b'{"host": "a.example", "starttls": "gopher"}',
        b'{"host": "192.0.2.1"}', b'{"host": "."}', b'{"host": ""}',
        b'{"host": "a.example", "more": 1}', b"\xff", b"[" * 60_000,
        b'{"host": "' + b".".join([b"a" * 61] * 4) + b'"}',
    ],
)  # fmt: skip
async def test_what_cannot_be_checked_is_a_problem(client: Client, body: bytes) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    answered = await client.request("POST", "/v1/dane", body, headers)
    assert answered.problem[0] == 400


async def test_a_post_with_a_query_is_a_problem(client: Client) -> None:
    assert (await client.post("/v1/dane?host=a.lab", {"host": "b.lab"})).problem[0] == 400


# ------------ What may be connected to ------------


async def test_private_addresses_are_not_connected_to(lab: Running) -> None:
    world = world_of_now(*lab.plans, *ZONES)
    prober = Prober(LIMITS, forbids=forbidden)
    async with resolver_over(world) as resolver, open_api(resolver, prober=prober) as client:
        answered = await client.post("/v1/dane", where("ee", lab))
    (address,) = answered.json["addresses"]
    assert (answered.json["result"], address["chain"]) == ("unreachable", [])
    assert address["reason"].endswith("is not an address of the Internet; see dane.api_private")


async def test_without_leave_nothing_is_connected_to(lab: Running) -> None:
    async with (
        resolver_over(world_of_now(*lab.plans, *ZONES)) as resolver,
        open_api(resolver, may_connect=False) as client,
    ):
        for path, asked in (("/v1/dane", where("ee", lab)), ("/v1/dane/smtp", {"domain": "a.lab"})):
            status, detail = (await client.post(path, asked)).problem
            assert status == 403
            assert "dane.api_connect" in detail


async def test_checks_wait_for_their_turn_and_not_for_ever() -> None:
    resolver = PreparedResolver()
    limits = Limits(checks=2, patience=0.3)
    async with open_api(resolver, limits=limits) as client:
        done, statuses = trio.open_memory_channel[int](5)

        async def check() -> None:
            await done.send((await client.post("/v1/dane", {"host": "a.slow"})).status)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(check)
            assert [await statuses.receive() for _ in range(3)] == [503] * 3
            resolver.released.set()
            assert [await statuses.receive() for _ in range(2)] == [200] * 2


async def test_an_answer_that_would_be_too_long_comes_without_certificates(lab: Running) -> None:
    world = world_of_now(*lab.plans, *ZONES)
    limits = Limits(answer=5000)
    async with resolver_over(world) as resolver, open_api(resolver, limits=limits) as client:
        check = (await client.post("/v1/dane", where("ee", lab))).json
        mail = (await client.post("/v1/dane/smtp", {"domain": "mail-null.tls.lab"})).json
    assert (check["result"], check["addresses"][0]["result"]) == ("match", "match")
    assert [one["pem"] for one in check["chain"]] == ["", "", ""]
    assert len(check["chain"][0]["sha256"]) == 64
    assert (check["addresses"][0]["chain"], check["addresses"][0]["records"]) == ([], [])
    assert "too long" in check["warnings"][-1]
    assert not any("too long" in warning for warning in mail["warnings"])


async def test_roots_that_cannot_be_used_are_told(lab: Running) -> None:
    async with (
        resolver_over(world_of_now(*lab.plans, *ZONES)) as resolver,
        open_api(resolver) as client,
    ):
        client.api.roots = lambda: load_roots("/nowhere/roots.pem")
        status, detail = (await client.post("/v1/dane", where("ee", lab))).problem
    assert status == 503
    assert detail.startswith("/nowhere/roots.pem: the file of CA certificates cannot be read")


def test_the_protocols_of_the_api_are_those_that_there_are() -> None:
    assert set(get_args(Starttls)) == {"", check.DIRECT, *PROTOCOLS}


# ------------ The description ------------


async def test_every_answer_is_as_the_description_says(client: Client, lab: Running) -> None:
    description = (await client.get("/openapi.json")).json
    ee, hijacked = where("ee", lab), where("hijacked", lab)
    shown = (await client.post("/v1/dane", ee)).json["chain"]
    asked: list[tuple[str, str, Answered]] = [
        ("get", "/v1/resolve", await client.get(f"/v1/resolve?name={name}&do=1"))
        for name in ("good.lab", "expired.lab", "nx.good.lab", "loose.lab")
    ]
    asked += [
        ("get", "/v1/resolve", await client.get("/v1/resolve")),
        ("get", "/v1/tlsa", await client.get("/v1/tlsa?host={host}&port={port}".format(**ee))),
        ("post", "/v1/dane", await client.post("/v1/dane", ee)),
        ("post", "/v1/dane", await client.post("/v1/dane", hijacked)),
        ("post", "/v1/dane", await client.post("/v1/dane", where("absent", lab))),
        ("post", "/v1/dane/smtp", await client.post("/v1/dane/smtp", {"domain": "good.lab"})),
        (
            "post",
            "/v1/dane/verify",
            await client.post("/v1/dane/verify", {**ee, "chain": [one["pem"] for one in shown]}),
        ),
        ("get", "/healthz", await client.get("/healthz")),
    ]
    assert {path for _, path, _ in asked} | {"/openapi.json", "/dns-query"} == set(
        description["paths"]
    )
    for method, path, answered in asked:
        responses = description["paths"][path][method]["responses"]
        response = responses["200" if answered.status == 200 else "default"]
        ((media_type, content),) = response["content"].items()
        assert answered.headers["content-type"] == media_type
        assert list(faults(answered.json, content["schema"], description, path)) == []


def test_the_judge_of_shapes_sees_what_does_not_fit() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        "required": ["a"],
    }
    assert not list(faults({"a": None}, schema, {}, ""))
    wrongs: list[Any] = [{}, {"a": "x"}, {"a": True}, {"a": 1, "b": 2}, []]
    for wrong in wrongs:
        assert list(faults(wrong, schema, {}, ""))


def faults(value: Any, schema: Any, whole: Any, place: str) -> Iterator[str]:
    """Where a value is not as its schema says, which may use what ours use and nothing more."""
    known = {"$ref", "type", "properties", "required", "title", "description", "anyOf", "enum",
             "items", "default", "minimum", "maximum", "minItems"}  # fmt: skip
    assert schema.keys() <= known, schema.keys() - known
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from faults(value, whole["components"]["schemas"][name], whole, place)
        return
    if "anyOf" in schema:
        if all(list(faults(value, one, whole, place)) for one in schema["anyOf"]):
            yield f"{place}: none of {schema['anyOf']}"
        return
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{place}: {value}"
        return
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
             "null": type(None)}  # fmt: skip
    if type(value) is not kinds[schema["type"]]:
        yield f"{place}: {value} is no {schema['type']}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, schema["items"], whole, f"{place}[{number}]")
    elif isinstance(value, dict) and "properties" in schema:
        if value.keys() != set(schema["properties"]):
            yield f"{place}: {value.keys() ^ set(schema['properties'])}"
        for key, item in value.items():
            if key in schema["properties"]:
                yield from faults(item, schema["properties"][key], whole, f"{place}.{key}")


async def test_the_description_has_every_call_with_its_parameters(client: Client) -> None:
    description = (await client.get("/openapi.json")).json
    assert description["openapi"] == "3.1.0"
    for path, operations in description["paths"].items():
        assert {method.upper() for method in operations} == set(CALLS[path].methods)
    parameters = description["paths"]["/v1/tlsa"]["get"]["parameters"]
    assert [(one["name"], one["required"]) for one in parameters] == [
        ("host", True),
        ("port", True),
        ("proto", False),
    ]
    text = json.dumps(description)
    assert "#/components/schemas/CheckResult" in text
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in description["components"]["schemas"]


async def test_how_the_daemon_is(client: Client) -> None:
    assert (await client.get("/healthz")).json == {"status": "ok", "version": "0"}
    assert isinstance(client.api, Api)
