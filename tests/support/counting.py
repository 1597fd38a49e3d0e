"""Work counted in calls and instructions: a bound on it holds on a busy machine, unlike on time."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeAlias

TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]


def calls(action: Callable[[], object], of: FunctionType | None = None) -> int:
    """How many calls `action` makes, those in C among them; or how many of one function."""
    count = 0

    def on_event(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        if of is None:
            count += event in {"call", "c_call"}
        else:
            count += event == "call" and frame.f_code is of.__code__

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


if sys.version_info >= (3, 12):

    def instructions(action: Callable[[], object]) -> int:
        """How many instructions of Python `action` runs; what it calls in C counts as the call."""
        count = 0

        def on_instruction(_code: CodeType, _offset: int) -> None:
            nonlocal count
            count += 1

        monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, "instructions")
        try:
            monitoring.register_callback(tool, monitoring.events.INSTRUCTION, on_instruction)
            monitoring.set_events(tool, monitoring.events.INSTRUCTION)
            action()
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(tool)
        return count

else:

    def instructions(action: Callable[[], object]) -> int:
        """How many instructions of Python `action` runs; what it calls in C counts as the call."""
        count = 0

        def on_event(frame: FrameType, event: str, _: object) -> TraceFunction:
            nonlocal count
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            count += event == "opcode"
            return on_event

        before = sys.gettrace()
        sys.settrace(on_event)
        try:
            action()
        finally:
            sys.settrace(before)
        return count
