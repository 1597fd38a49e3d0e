"""Plaintext upstreams that have an encrypted way to them: verified discovery (RFC 9462 section 4).

The upstream is asked for `_dns.resolver.arpa` SVCB. What it designates is used only if its
certificate is good for the very IP address that is configured (section 4.2): anybody on the way can
answer in plaintext, but not prove that. Opportunistic discovery (section 4.3) is left out. Where
the encrypted way fails later, the configured one is used again, as was consented to.
"""

import logging
from collections.abc import Iterator

import trio

from anchord.model import names, rdtypes
from anchord.model.errors import AnchordError
from anchord.model.names import ROOT
from anchord.model.question import Question
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from anchord.wire.query import with_padding, write_query
from anchord.wire.svcb import Svcb, read_svcb

from . import url
from .base import Upstream, UpstreamError
from .build import build_upstreams
from .url import Endpoint

logger = logging.getLogger(__name__)

DISCOVERY = Question(names.from_text("_dns.resolver.arpa"), rdtypes.SVCB)
"""Section 4."""

PROBE = write_query(Question(ROOT, rdtypes.NS), padded=True)
"""What shows that the encrypted way is there."""

LOOK_AGAIN = 3600.0
"""Seconds until an upstream is asked again what it designates."""

LIMIT = 3.0
"""Seconds for each step of a discovery, which nobody waits for."""

MOST_TRIED = 4
"""Designated ways that are tried, the one that is preferred first."""

SCHEMES = {"dot": "tls", "h2": "https", "doq": "quic", "h3": "h3"}
"""The protocols that are spoken here, with their schemes."""


class DesignatedUpstream:
    """As `Upstream`: a plaintext one, or the encrypted way to it once that is verified.

    `address` is the upstream's own. `ca_file` is as in an `[[upstream]]`. Queries are padded where
    nobody can read them, whatever they were before (RFC 8467 section 3).
    """

    def __init__(
        self, plaintext: Upstream, address: str, nursery: trio.Nursery, *, ca_file: str = ""
    ) -> None:
        self.counters = plaintext.counters
        self._plaintext = plaintext
        self._address = address
        self._nursery = nursery
        self._ca_file = ca_file
        self._encrypted: Upstream | None = None
        self._look_at = 0.0
        self._looking = trio.CancelScope()
        self._is_checking = False
        self._is_closed = False

    def __str__(self) -> str:
        return str(self._plaintext)

    @property
    def is_encrypted(self) -> bool:
        """Whether the encrypted way is in use."""
        return self._encrypted is not None

    async def exchange(self, query: bytes) -> bytes:
        """As `Upstream`."""
        if self._encrypted is None and trio.current_time() >= self._look_at:
            self._look_at = trio.current_time() + LOOK_AGAIN
            self._looking = trio.CancelScope()
            self._nursery.start_soon(self._look, self._looking)
        if encrypted := self._encrypted:
            try:
                return await encrypted.exchange(with_padding(query, is_padded=True))
            except UpstreamError as error:
                self._failed(encrypted, error.one_line())
            except trio.Cancelled:
                self._doubt(encrypted)
                raise
        return await self._plaintext.exchange(with_padding(query, is_padded=False))

    def forget_network(self) -> None:
        """As `Upstream`. Another network may have another resolver at this address."""
        self._looking.cancel()
        self._leave()
        self._look_at = 0.0
        self._plaintext.forget_network()

    async def aclose(self) -> None:
        """As `Upstream`."""
        self._is_closed = True
        self._looking.cancel()
        if self._encrypted is not None:
            await self._encrypted.aclose()
        await self._plaintext.aclose()

    def _failed(self, encrypted: Upstream, why: str) -> None:
        if encrypted is self._encrypted:
            logger.warning("%s is asked in plaintext again: %s", self, why)
            self._leave()

    def _leave(self) -> None:
        """The encrypted way ends; whoever waits for it asks in plaintext."""
        if self._encrypted is not None:
            self._nursery.start_soon(self._encrypted.aclose)
            self._encrypted = None
            self.counters.designated = ""

    def _doubt(self, encrypted: Upstream) -> None:
        """Whoever waited has gone without an answer: a probe tells whether there was any to be."""
        if not (self._is_checking or self._is_closed):
            self._is_checking = True
            self._nursery.start_soon(self._check, encrypted)

    async def _check(self, encrypted: Upstream) -> None:
        try:
            with trio.fail_after(LIMIT):
                await encrypted.exchange(PROBE)
        except UpstreamError as error:
            self._failed(encrypted, error.one_line())
        except trio.TooSlowError:
            self._failed(encrypted, f"{encrypted} does not answer")
        finally:
            self._is_checking = False

    async def _look(self, scope: trio.CancelScope) -> None:
        """Asks what is designated, and takes the first way that proves to lead to the address."""
        with scope:
            for endpoint in await self._designated():
                if await self._is_verified(endpoint):
                    return

    async def _designated(self) -> list[Endpoint]:
        query = write_query(DISCOVERY, checking_disabled=False)
        with trio.move_on_after(LIMIT):
            try:
                response = read_response(await self._plaintext.exchange(query), DISCOVERY)
                records = [
                    read_svcb(rdata)
                    for rrset in response.answer
                    if (rrset.name, rrset.rdtype) == DISCOVERY
                    for rdata in rrset.rdatas
                ]
            except (UpstreamError, FormError) as error:
                logger.debug("%s designates nothing: %s", self, error)
                return []
            records.sort(key=lambda record: record.priority)
            ways = [way for record in records for way in self._ways(record)]
            return ways[:MOST_TRIED]
        return []

    def _ways(self, record: Svcb) -> Iterator[Endpoint]:
        """The endpoints that a record stands for. Each must prove to be the configured address."""
        if not record.priority or not record.is_understood:
            return
        host = f"[{self._address}]" if ":" in self._address else self._address
        for protocol in record.alpn:
            scheme = SCHEMES.get(protocol)
            path, variable, rest = record.path.partition("{?dns}")
            if scheme is None or (scheme in url.WITH_PATH and (not variable or rest)):
                continue
            port = record.port or url.PORTS[scheme]
            try:
                yield url.parse(
                    f"{scheme}://{host}:{port}{path if scheme in url.WITH_PATH else ''}",
                    addresses=record.addresses,
                    ca_file=self._ca_file,
                )
            except AnchordError as error:
                logger.debug("%s designates what is no way: %s", self, error)

    async def _is_verified(self, endpoint: Endpoint) -> bool:
        (upstream,) = build_upstreams([endpoint], self._nursery)
        try:
            with trio.move_on_after(LIMIT):
                await upstream.exchange(PROBE)
                logger.info("%s is asked over %s from now on", self, endpoint)
                self.counters.designated = str(endpoint)
                self.counters.certificate = upstream.counters.certificate
                self._encrypted = upstream
                return True
        except UpstreamError as error:
            logger.info("%s: what it designates is not used: %s", self, error.one_line())
        finally:
            if upstream is not self._encrypted:
                await upstream.aclose()
        return False
