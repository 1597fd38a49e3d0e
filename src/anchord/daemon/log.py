"""The log: one line per record on standard error, as key=value pairs.

    time=2026-11-24T10:00:00.123Z level=info part=daemon.serve message="ready" addresses=2

What a record carries beside its message (`extra={"addresses": 2}`) becomes pairs of its own. Values
that are more than a word are quoted, and control characters escaped, so that nothing that came from
the network can forge a line. Names of queries are never logged at info or above. A traceback, which
tells of a bug, follows its line, indented.
"""

import logging
import re
import time

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
"""The values of `log.level`."""

LIBRARIES = ("quic", "http3", "hpack")
"""Loggers of libraries that tell of every connection at info, and of what peers do wrong as a
warning. That is in our own lines already, where it matters."""

_PLAIN = re.compile(r"[\w.:/@%+,\[\]-]+", re.ASCII)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes of every record: what else there is came as `extra`."""


def configure(level: str) -> None:
    """Sends records of `level` (one of LEVELS) and above to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(KeyValueFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.NOTSET if level == "debug" else logging.ERROR)


class KeyValueFormatter(logging.Formatter):
    """Records as key=value pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        pairs = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("anchord."),
            "message": record.getMessage(),
        }
        pairs |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = " ".join(f"{key}={_value(value)}" for key, value in pairs.items())
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info)
        return line + "".join(f"\n    {_escaped(each)}" for each in traceback.splitlines())


def _time(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03}Z"


def _value(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    import json  # the first lines of a daemon say nothing that needs it

    return _escaped(json.dumps(text, ensure_ascii=False))


def _escaped(text: str) -> str:
    """The text with everything that a terminal would not simply print as an escape sequence."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
