"""What the control socket's commands do. Their replies are what the command line shows."""

from collections.abc import Callable, Mapping
from typing import Any

from anchord.model import names
from anchord.model.errors import AnchordError
from anchord.model.names import Name

from .control import Command
from .stats import Stats
from .switch import Switch


def commands(stats: Stats, flush: Callable[[Name | None], int]) -> dict[str, Command]:
    """The table for `control.serve`.

    `flush` forgets a name, a key, and what is below it, or everything; it returns how many answers
    that were.
    """

    async def stats_command(_request: Mapping[str, Any]) -> object:
        return stats.snapshot()

    async def flush_command(request: Mapping[str, Any]) -> object:
        text = request.get("name")
        return {"answers": flush(None if text is None else _name(str(text)))}

    return {"stats": stats_command, "flush": flush_command}


def pause_commands(switch: Switch) -> dict[str, Command]:
    """The part of the table that gives DNS to the network for a while."""

    async def pause_command(request: Mapping[str, Any]) -> object:
        seconds = request.get("seconds")
        if not isinstance(seconds, int | float):
            raise AnchordError("seconds are missing", where="pause")
        await switch.pause(seconds)
        return {"seconds": switch.pause_left}

    async def resume_command(_request: Mapping[str, Any]) -> object:
        return {"was_paused": await switch.resume()}

    return {"pause": pause_command, "resume": resume_command}


def _name(text: str) -> Name:
    try:
        return names.lower(names.from_text(text))
    except ValueError as error:
        raise AnchordError(str(error), where=text) from None
