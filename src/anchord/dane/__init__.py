"""DANE: what a zone says about the certificates of its services, and whether they keep to it.

For programs: `anchord.library.open_checker` opens a `Checker`; `Request.of` says what is to be
checked; `await checker.check(request)` connects and tells; `await verify(checker, request, tls)`
decides about a connection that the program has made itself. `docs/dane.md` has examples.

Inside, `tlsa`, `names`, `certificate`, `path`, `pkix` and `match` judge: data and the time in, a
judgement out. `lookup` asks the resolver, `probe` connects, with the dialogues of `starttls`;
`check`, `smtp`, `srv` and `lint` put them together, `verify` decides by them, and `results` are the
types that they return. Nothing here reads the configuration.
"""

from .check import Checker, Request
from .names import host_from_text
from .results import CheckResult, Duty, MailResult, Result, as_json
from .smtp import check_domain
from .verify import Basis, UntrustedError, Verified, tls_context, verify

__all__ = [
    "Basis",
    "CheckResult",
    "Checker",
    "Duty",
    "MailResult",
    "Request",
    "Result",
    "UntrustedError",
    "Verified",
    "as_json",
    "check_domain",
    "host_from_text",
    "tls_context",
    "verify",
]
