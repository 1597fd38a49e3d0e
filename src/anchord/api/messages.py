"""Requests and replies of the API, and the problem documents that refusals are (RFC 9457)."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

Header = tuple[str, str]
"""A header field of a reply."""

JSON = "application/json"

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body: header names in lower case, and the port that it came to."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    port: int

    @property
    def path(self) -> str:
        """The target up to the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a header field."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client gets."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[Header, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """A problem document. `title` is the phrase of `status`, `detail` what was wrong this time."""

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """A request that is refused or failed, as its client is told."""

    def __init__(self, status: int, detail: str, headers: Sequence[Header] = ()) -> None:
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)
        super().__init__(detail)

    @property
    def reply(self) -> Reply:
        """The problem document."""
        problem = Problem("about:blank", HTTPStatus(self.status).phrase, self.status, self.detail)
        return Reply(self.status, PROBLEM, msgspec.json.encode(problem), self.headers)
