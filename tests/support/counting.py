"""Work counted in calls and instructions: a bound on it holds on a busy machine, unlike on time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeAlias

import trio

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


class TooMuchError(Exception):
    """More calls than anybody waits for."""


class Meter(trio.abc.Instrument):
    """Counts the calls of all tasks of a thread, and those of the longest stretch of one.

    A stretch ends where a task waits, and wherever else is told that it gives way. Where `most`
    calls are not enough, TooMuchError is raised amid the work.
    """

    def __init__(self, most: int) -> None:
        self.calls = 0
        self.longest = 0
        self._most = most
        self._since = 0

    def give_way(self) -> None:
        """A stretch is over."""
        self.longest = max(self.longest, self.calls - self._since)
        self._since = self.calls

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self.give_way()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts meanwhile; only within trio."""
        trio.lowlevel.add_instrument(self)
        self._since = self.calls
        sys.setprofile(self._on_event)
        try:
            yield
        finally:
            sys.setprofile(None)
            self.give_way()
            trio.lowlevel.remove_instrument(self)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Does not count meanwhile: nobody else may have a turn."""
        before = sys.getprofile()
        sys.setprofile(None)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        if event in {"call", "c_call"}:
            self.calls += 1
            if self.calls > self._most and "/anchord/" in frame.f_code.co_filename:
                raise TooMuchError


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
