"""The configuration: found, read, checked, and its faults explained in one line each.

The file is the one that the command line names, else the user's, else the system's, else none:
then the defaults hold. Every fault is a `ConfigError` that names file, line and key. Options of
the command line take the place of their keys and are checked by the same rules.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from . import rules
from .errors import ConfigError, KeyPath
from .schema import DEFAULT_UPSTREAMS, Config, Upstream
from .units import FilePath, SocketAddress, Written

FILE_NAME = "anchord.toml"
SYSTEM_FOLDER = Path("/etc/anchord")
"""Where a service's configuration is, on Unix."""


class Loaded(msgspec.Struct, frozen=True):
    """A configuration that may be used.

    `file` is where it came from, None for the defaults. `upstreams` are those for every name that
    no `[[zone]]` claims. `warnings` are lines for the log.
    """

    config: Config
    file: Path | None
    upstreams: tuple[Upstream, ...]
    warnings: tuple[str, ...]


def load(
    file: Path | None = None, *, listen: Sequence[str] = (), upstreams: Sequence[str] = ()
) -> Loaded:
    """The configuration in `file`, or where it is found. Raises ConfigError.

    `listen` and `upstreams` are the options `--listen` and `--upstream`: addresses in place of
    listen.dns, and URLs in place of every `[[upstream]]`. A URL that a table has keeps the
    table's other keys.
    """
    file = file or find()
    source = _read(file) if file else _Source(None, "", {})
    try:
        config = msgspec.convert(source.document, Config, dec_hook=source.read_unit)
    except msgspec.ValidationError as error:
        from . import explain  # nobody loads what explains faults where there are none

        raise source.error(*explain.validation_error(error)) from None
    if listen:
        dns = tuple(_listen_option(text) for text in listen)
        config = structs.replace(config, listen=structs.replace(config.listen, dns=dns))
        source = structs.replace(source, listen_option=tuple(listen))
    for fault in rules.faults(config):
        raise source.error(fault.path, fault.problem, fault.remedy)
    warnings = rules.warnings(config, source.document)
    return Loaded(
        config=config,
        file=file,
        upstreams=tuple(_upstream_option(url, config) for url in upstreams)
        or config.upstream
        or DEFAULT_UPSTREAMS,
        warnings=tuple(f"{source.place(path)}: {text}" for path, text in warnings),
    )


def _listen_option(text: str) -> SocketAddress:
    try:
        return SocketAddress.parse(text)
    except ValueError as error:
        raise ConfigError(str(error), where="--listen") from None


def _upstream_option(url: str, config: Config) -> Upstream:
    known = (upstream for upstream in (*config.upstream, *DEFAULT_UPSTREAMS) if upstream.url == url)
    upstream = next(known, Upstream(url=url))
    for fault in rules.url_faults((), upstream, config.forward):
        raise ConfigError(fault.problem, where="--upstream", remedy=fault.remedy)
    return upstream


def find() -> Path | None:
    """The configuration file of the user, else of the system; None where there is neither.

    Raises ConfigError where that cannot be told: defaults would not be what somebody wrote down.
    """
    return next((path for path in _candidates() if _exists(path)), None)


def _candidates() -> Iterator[Path]:
    import platformdirs

    with suppress(RuntimeError):  # a service whose user has no home has no file of its own
        yield platformdirs.user_config_path("anchord", appauthor=False) / FILE_NAME
    if os.name == "posix":
        yield SYSTEM_FOLDER / FILE_NAME
    else:
        yield platformdirs.site_config_path("anchord", appauthor=False) / FILE_NAME


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


class _Source(msgspec.Struct, frozen=True):
    """A document, and where its keys stand. `listen_option` took the place of listen.dns."""

    file: Path | None
    text: str
    document: dict[str, Any]
    listen_option: tuple[str, ...] = ()

    def read_unit(self, kind: type[Written], value: object) -> object:
        """The value of a key that has a notation of its own. Raises TypeError, ValueError."""
        if not isinstance(value, str):
            from .explain import found

            raise TypeError(f"expected a text in quotes, found {found(value)}")
        written = kind.parse(value)
        if isinstance(written, FilePath) and self.file:
            return written.below(self.file.absolute().parent)
        return written

    def error(self, path: KeyPath, problem: str, remedy: str) -> ConfigError:
        """What is wrong with the key at `path`."""
        return ConfigError(problem, where=self.place(path), remedy=remedy)

    def place(self, path: KeyPath) -> str:
        """File, line and key; or the option of the command line."""
        if self.listen_option and path[:2] == ("listen", "dns"):
            return "--listen"
        from . import where

        key = where.to_text(path)
        return f"{self.file}:{where.closest_line(self.text, path)}: {key}" if self.file else key


def _read(file: Path) -> _Source:
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            "is not UTF-8", where=f"{file}:{line}", remedy="save the file as UTF-8"
        ) from error
    try:
        return _Source(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(file, text, str(error)) from None


def _unreadable(file: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot be read: {error.strerror}", where=str(file), remedy="name another with --config"
    )


def _syntax_error(file: Path, text: str, message: str) -> ConfigError:
    """What tomllib says: `Invalid value (at line 3, column 9)`, or `(at end of document)`."""
    what, _, place = message.partition(" (at ")
    number = re.search(r"line (\d+)", place)
    line = int(number[1]) if number else len(text.splitlines())
    return ConfigError(f"not TOML: {what}", where=f"{file}:{line}", remedy="see https://toml.io")
