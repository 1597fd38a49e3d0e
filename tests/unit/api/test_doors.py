"""Who may ask: over real sockets, and nothing is looked up for those who may not."""

from collections.abc import AsyncIterator

import pytest

from support.api import Client, open_api
from support.doors import PreparedResolver

RESOLVE = "/v1/resolve?name=www.example"


@pytest.fixture
async def resolver() -> PreparedResolver:
    return PreparedResolver()


@pytest.fixture
async def client(resolver: PreparedResolver) -> AsyncIterator[Client]:
    allowed = frozenset({"https://app.example"})
    async with open_api(resolver, allowed_origins=allowed) as client:
        yield client


# ------------ Host ------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.3.2.1", "localhost", "LocalHost", "localhost.", "[::1]", "[0:0::1]"]
)
async def test_a_loopback_host_with_our_port_is_let_in(client: Client, host: str) -> None:
    assert (await client.get(RESOLVE, host=f"{host}:{client.port}")).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example", "localhost.rebound.example", "127.0.0.1.rebound.example", "127.0.0.1",
        "127.0.0.1:1", "2130706433", "0177.0.0.1", "0x7f.1", "0.0.0.0", "192.0.2.1", "[::]",
        "[::ffff:127.0.0.1]", "[::1%25lo]", "[fe80::1]", "user@127.0.0.1", "127.0.0.1:99999", "",
        "localhost/", "localhost, localhost", "127.0.0.1:", "xn--lcalhost-n4a",
    ],
)  # fmt: skip
async def test_any_other_host_is_refused_before_a_look_up(
    client: Client, resolver: PreparedResolver, host: str
) -> None:
    is_whole = ":" in host.removeprefix("[") or host in ("", "127.0.0.1")
    answered = await client.get(RESOLVE, host=host if is_whole else f"{host}:{client.port}")
    assert answered.problem[0] in (400, 403)
    assert not resolver.asked


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_no_host_is_refused(client: Client, resolver: PreparedResolver, version: str) -> None:
    (answered,) = await client.raw(f"GET {RESOLVE} HTTP/{version}\r\n\r\n".encode())
    assert answered.problem[0] == 400
    assert not resolver.asked


async def test_two_hosts_are_refused(client: Client, resolver: PreparedResolver) -> None:
    lines = [f"GET {RESOLVE} HTTP/1.1", *[f"Host: {client.host}"] * 2, "", ""]
    (answered,) = await client.raw("\r\n".join(lines).encode())
    assert answered.problem[0] == 400
    assert not resolver.asked


async def test_a_target_that_is_no_path_is_refused(client: Client) -> None:
    for target in ("http://elsewhere.example/healthz", "*"):
        assert (await client.get(target)).problem[0] == 400


# ------------ Pages ------------


@pytest.mark.parametrize("site", ["cross-site", "same-site", "SAME-ORIGIN", "none, cross-site", ""])
async def test_what_another_page_causes_is_refused(
    client: Client, resolver: PreparedResolver, site: str
) -> None:
    answered = await client.get(RESOLVE, sec_fetch_site=site)
    assert answered.problem == (403, "a page of another site may not ask")
    assert not resolver.asked


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_what_our_own_page_or_the_user_causes_is_let_in(client: Client, site: str) -> None:
    answered = await client.get(RESOLVE, sec_fetch_site=site)
    assert answered.status == 200
    assert answered.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answered.headers


@pytest.mark.parametrize(
    "origin",
    ["null", "https://evil.example", "http://app.example", "https://app.example.evil.example",
     "https://app.example:8443", "http://localhost", ""],
)  # fmt: skip
@pytest.mark.parametrize("site", [{}, {"sec_fetch_site": "same-origin"}], ids=["", "same-origin"])
async def test_other_origins_are_refused(
    client: Client, resolver: PreparedResolver, origin: str, site: dict[str, str]
) -> None:
    answered = await client.get(RESOLVE, origin=origin, **site)
    assert answered.problem == (403, "this origin may not ask; see api.allow_origins")
    assert "access-control-allow-origin" not in answered.headers
    assert not resolver.asked


async def test_null_is_refused_even_where_somebody_allows_it(resolver: PreparedResolver) -> None:
    async with open_api(resolver, allowed_origins=frozenset({"null"})) as client:
        assert (await client.get(RESOLVE, origin="null")).status == 403


async def test_an_allowed_origin_may_ask_and_read(client: Client) -> None:
    origin = "https://app.example"
    answered = await client.get(RESOLVE, origin=origin, sec_fetch_site="cross-site")
    assert answered.status == 200
    assert answered.headers["access-control-allow-origin"] == origin
    assert answered.headers["vary"] == "Origin"


async def test_our_own_origin_may_ask_without_a_word_to_others(client: Client) -> None:
    answered = await client.get(RESOLVE, origin=f"http://{client.host}")
    assert answered.status == 200
    assert "access-control-allow-origin" not in answered.headers


async def test_an_allowed_origin_may_ask_beforehand_and_others_not(client: Client) -> None:
    headers = {"access_control_request_method": "POST", "origin": "https://app.example"}
    answered = await client.request("OPTIONS", "/v1/dane", headers=headers)
    assert (answered.status, answered.body) == (200, b"")
    assert answered.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert answered.headers["access-control-allow-headers"] == "content-type"
    headers["origin"] = "https://evil.example"
    assert (await client.request("OPTIONS", "/v1/dane", headers=headers)).problem[0] == 403
    assert (await client.request("OPTIONS", "/v1/dane")).problem[0] == 405


# ------------ What opens connections ------------


@pytest.mark.parametrize("path", ["/v1/dane?host=a.example", "/v1/dane/smtp?domain=a.example"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "none"},
        {"sec_fetch_mode": "no-cors"},
        {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/52.0"},
    ],
    ids=["Sec-Fetch-Site", "Sec-Fetch-Mode", "User-Agent"],
)
async def test_a_browser_causes_no_check_by_get(
    client: Client, resolver: PreparedResolver, path: str, method: str, headers: dict[str, str]
) -> None:
    answered = await client.request(method, path, headers=headers)
    assert answered.status == 403
    assert not resolver.asked


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize("path", ["/v1/dane", "/v1/dane/smtp", "/v1/dane/verify"])
async def test_a_form_causes_no_check(
    client: Client, resolver: PreparedResolver, path: str, media_type: str
) -> None:
    answered = await client.post(path, {"host": "a.example"}, content_type=media_type)
    assert answered.problem[0] == 415
    assert not resolver.asked


# ------------ Methods and paths ------------


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/resolve", "GET, HEAD"),
        ("PUT", "/v1/dane", "GET, HEAD, POST"),
        ("GET", "/v1/dane/verify", "POST"),
        ("DELETE", "/dns-query", "GET, HEAD, POST"),
        ("TRACE", "/healthz", "GET, HEAD"),
        ("BREW", "/", "GET, HEAD"),
    ],
)
async def test_other_methods_are_told_which_there_are(
    client: Client, method: str, path: str, allow: str
) -> None:
    answered = await client.request(method, path)
    assert answered.problem[0] == 405
    assert answered.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/v2", "//healthz", "/healthz/", "/../healthz", "/%68ealthz"])
async def test_there_are_no_other_paths(client: Client, path: str) -> None:
    assert (await client.get(path)).problem[0] == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/chain?name=x", "/v1/why?name=x"])
async def test_what_is_not_built_says_so(client: Client, path: str) -> None:
    answered = await client.get(path)
    assert answered.problem == (501, f"{path.partition('?')[0]} is not built yet")
