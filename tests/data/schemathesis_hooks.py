"""What schemathesis is told beside the description of the API, which makes it ask for real things.

`SERVED` has names of the lab, with spaces in between: every other name that it makes up becomes one
of them. DNS messages are opaque octets to the description.
"""

import os
from typing import Any

import schemathesis

NAMES = os.environ["SERVED"].split()


def dns_message(_: Any, value: Any) -> bytes:
    """Octets as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


def _served(fields: Any) -> Any:
    if isinstance(fields, dict):
        for key in ("name", "host", "domain"):
            text = fields.get(key)
            chance = sum(map(ord, text)) if isinstance(text, str) else 0
            if chance % 2:
                fields = fields | {key: NAMES[chance // 2 % len(NAMES)]}
    return fields


def map_query(_: Any, query: Any) -> Any:
    """The parameters of a URL."""
    return _served(query)


def map_body(_: Any, body: Any) -> Any:
    """A body in JSON."""
    return _served(body)


schemathesis.serializer("application/dns-message")(dns_message)
schemathesis.hook(map_query)
schemathesis.hook(map_body)
