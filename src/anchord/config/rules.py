"""What must hold between keys, and what deserves a warning, once every key by itself is right."""

import pathlib
import re
from collections.abc import Iterator

import msgspec

from anchord.model import names
from anchord.model.errors import AnchordError
from anchord.upstream import url

from .errors import KeyPath
from .schema import (
    LONGEST_STALE,
    LONGEST_TIMEOUT,
    SHORTEST_TIMEOUT,
    SMALLEST_CACHE,
    Config,
    Forward,
    Upstream,
    Zone,
)


class Fault(msgspec.Struct, frozen=True):
    """A rule that the key at `path` breaks: what is wrong, and what to do."""

    path: KeyPath
    problem: str
    remedy: str


NOT_BUILT: dict[KeyPath, object] = {
    ("listen", "tls"): [],
    ("listen", "https"): [],
    ("listen", "quic"): [],
    ("listen", "socketmap"): [],
    ("listen", "certificate"): "",
    ("listen", "key"): "",
    ("dnssec", "auto_update"): False,
    ("dnssec", "key_tag_signal"): False,
    ("dnssec", "sentinel"): False,
    ("log", "queries"): False,
    ("log", "fields"): [],
}
"""Keys that are valid but have no effect yet, each with the value that tells what is done anyway.
A file that asks for something else is warned."""


EXTENSION = "extension"
"""The word in `api.allow_origins` for a browser extension after pairing."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\sA-Z]+", re.ASCII)
"""An origin as browsers write it (RFC 6454 section 6.2): nothing follows host and port."""


def faults(config: Config) -> Iterator[Fault]:
    """Every rule that is broken, table by table."""
    yield from _listen_faults(config)
    yield from _upstream_faults(config)
    yield from _range_faults(config)
    for number, zone in enumerate(config.zone):
        yield from _zone_faults(config, number, zone)
    yield from _dnssec_faults(config)
    yield from _origin_faults(config)
    yield from _path_faults(config)


def warnings(config: Config, document: dict[str, object]) -> Iterator[tuple[KeyPath, str]]:
    """What works, but not as somebody may think; `document` is the file as TOML reads it."""
    for path, in_effect in NOT_BUILT.items():
        table = document.get(str(path[0]))
        if isinstance(table, dict) and table.get(path[1], in_effect) != in_effect:
            yield path, "not built yet, the key has no effect"
    if EXTENSION in config.api.allow_origins:
        yield ("api", "allow_origins"), f'"{EXTENSION}": pairing is not built yet, nobody is let in'
    if config.forward.strategy == "random":
        yield ("forward", "strategy"), "each operator of an upstream learns of every site"
    if config.dnssec.sha1:
        yield (
            ("dnssec", "sha1"),
            "signatures of algorithms 5 and 7 count, though SHA-1 is broken",
        )
    for number, anchor in enumerate(config.dnssec.negative_trust_anchors):
        if names.label_count(anchor.name) == 1:
            yield (
                ("dnssec", "negative_trust_anchors", number),
                f"nothing in the whole of {names.to_text(anchor.name)} is validated",
            )


def _listen_faults(config: Config) -> Iterator[Fault]:
    for key in ("dns", "tls", "https", "quic", "api", "socketmap"):
        for number, address in enumerate(getattr(config.listen, key)):
            if not address.address.is_loopback and not config.listen.allow_non_loopback:
                yield Fault(
                    ("listen", key, number),
                    f"{address} can be reached from other machines",
                    "use 127.0.0.1 or [::1], or set listen.allow_non_loopback = true",
                )
    if bool(config.listen.certificate) != bool(config.listen.key):
        lacking, given = (
            ("key", "certificate") if config.listen.certificate else ("certificate", "key")
        )
        yield Fault(
            ("listen", given),
            f"a {given} without a {lacking}",
            f"set listen.{lacking} too, or neither",
        )


def _upstream_faults(config: Config) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, upstream in enumerate(config.upstream):
        path = ("upstream", number, "url")
        if upstream.url in seen:
            yield Fault(path, f"{upstream.url} is there twice", "remove one of the two tables")
        seen.add(upstream.url)
        yield from url_faults(path, upstream, config.forward)


def url_faults(path: KeyPath, upstream: Upstream, policy: Forward | Zone) -> Iterator[Fault]:
    """What is wrong with an upstream under the policy that it would be used with."""
    try:
        endpoint = url.parse(upstream.url, pins=upstream.pins, ca_file=upstream.ca_file)
    except AnchordError as error:
        yield Fault(path, f"{error.where}: {error.problem}", error.remedy)
        return
    if not endpoint.is_encrypted and not policy.allow_plaintext:
        table = "[forward]" if isinstance(policy, Forward) else "its [[zone]]"
        yield Fault(
            path,
            f"{upstream.url} sends every question in the clear",
            f"use tls://, or set allow_plaintext = true in {table}",
        )


def _range_faults(config: Config) -> Iterator[Fault]:
    timeout = config.forward.timeout
    if not SHORTEST_TIMEOUT <= timeout <= LONGEST_TIMEOUT:
        yield Fault(
            ("forward", "timeout"),
            f"{timeout} is out of range",
            f"give {SHORTEST_TIMEOUT} to {LONGEST_TIMEOUT}",
        )
    if config.cache.size < SMALLEST_CACHE:
        yield Fault(
            ("cache", "size"),
            f"{config.cache.size} is too little",
            f"give {SMALLEST_CACHE} or more",
        )
    if config.cache.serve_stale > LONGEST_STALE:
        yield Fault(
            ("cache", "serve_stale"),
            f"{config.cache.serve_stale} is out of range",
            f"give at most {LONGEST_STALE}",
        )


def _zone_faults(config: Config, number: int, zone: Zone) -> Iterator[Fault]:
    if zone.domain == names.ROOT:
        yield Fault(
            ("zone", number, "domain"), "the root is not a zone of its own", "use [[upstream]]"
        )
    if any(other.domain == zone.domain for other in config.zone[:number]):
        yield Fault(
            ("zone", number, "domain"), f"{zone.domain} is there twice", "merge the two tables"
        )
    for position, upstream in enumerate(config.upstreams_of(zone)):
        path = ("zone", number, "upstream", position)
        if upstream.url == "network":
            if not zone.allow_plaintext:
                yield Fault(
                    path,
                    "the network's servers are asked in the clear",
                    "give URLs with tls://, or set allow_plaintext = true in its [[zone]]",
                )
        else:
            yield from url_faults(path, upstream, zone)


def _dnssec_faults(config: Config) -> Iterator[Fault]:
    for number, anchor in enumerate(config.dnssec.negative_trust_anchors):
        if anchor.name == names.ROOT:
            yield Fault(
                ("dnssec", "negative_trust_anchors", number),
                "a negative trust anchor for the root would switch off all validation",
                "name the zone that is broken",
            )


def _origin_faults(config: Config) -> Iterator[Fault]:
    for number, origin in enumerate(config.api.allow_origins):
        if origin != EXTENSION and not _ORIGIN.fullmatch(origin):
            yield Fault(
                ("api", "allow_origins", number),
                f'"{origin}" is no origin',
                "write it like https://app.example, with the port where it is not the usual one",
            )


def _path_faults(config: Config) -> Iterator[Fault]:
    """Paths with a word of their own beside them are absolute, so that no file can be mistaken."""
    for path, value, words in (
        (("listen", "control"), config.listen.control, ("", "none")),
        (("hosts", "file"), config.hosts.file, ("", "system")),
    ):
        if value not in words and not pathlib.Path(value).is_absolute():
            yield Fault(path, f'"{value}" is no absolute path', f'give one, or "{words[1]}", or ""')
