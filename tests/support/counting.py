"""Work counted in calls: a bound on it holds on a busy machine too, unlike one on time."""

import sys
from collections.abc import Callable
from types import FrameType, FunctionType


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
