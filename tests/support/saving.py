"""Kills a process at random moments of saving the cache, and looks at what it leaves.

The processes are forks that save one state of a cache after the other and tell of each that is
done. So this runs in a process of its own, without threads:

    python -m support.saving FOLDER KILLS SEED
"""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

from anchord.cache import persist
from anchord.cache.persist import Document, Heard, Kind
from anchord.daemon.cache_file import CacheFile
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, RRset

RECORDS = 400
"""Answers of the first state; each state after it has one more. They take some 30 KiB."""

LIMIT = 1 << 20
LONGEST = 0.004
"""Seconds after which a process is killed at the latest: a few savings."""


def records(count: int) -> persist.Records:
    """So many answers."""
    found: persist.Records = {}
    for number in range(count):
        question = Question(names.from_text(f"host{number}.z.lab."), rdtypes.A)
        rrset = RRset(question.name, rdtypes.A, 300, (number.to_bytes(4),))
        record = persist.pack(Heard(Response(question, 0, (rrset,)), number, 300))
        assert record
        found[persist.key(Kind.ANSWER, question)] = record
    return found


def check(document: Document | None, least: int) -> int:
    """The number of the state in a document, which holds all of that state."""
    assert document is not None, f"state {least} was done, and is lost"
    state = document.saved_at
    assert state >= least, f"state {least} was done, and {state} is what is there"
    assert {key: bytes(record) for key, record in document.records.items()} == {
        key: bytes(record) for key, record in records(RECORDS + state).items()
    }
    return state


def _save_on(file: CacheFile, state: int, done: int) -> None:
    while True:
        state += 1
        data = persist.write(records(RECORDS + state), [], b"", state)
        os.write(done, b"?")
        assert file.write(data, file.epoch)
        os.write(done, b"!")


def _killed_after(seconds: float, file: CacheFile, state: int) -> tuple[int, bool]:
    """Runs a fork that saves on from `state`; the last state done, and whether another was begun.

    The time runs from when the first saving begins.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _save_on(file, state, writing)
        finally:
            os._exit(1)
    os.close(writing)
    told = os.read(reading, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    while more := os.read(reading, 65536):
        told += more
    os.close(reading)
    return state + told.count(b"!"), told.endswith(b"?")


def main() -> None:
    """Prints how often the processes were killed, and how often in the middle of a saving."""
    folder, kills, seed = sys.argv[1:]
    file, chance = CacheFile(Path(folder)), Random(int(seed))
    state = torn = 0
    for _ in range(int(kills)):
        done, was_saving = _killed_after(chance.uniform(0, LONGEST), file, state)
        torn += was_saving
        if done or file.read(LIMIT):
            state = check(file.read(LIMIT), done)
        assert {path.name for path in Path(folder).iterdir()} <= {"answers"}
    sys.stdout.write(f"{kills} killed, {torn} of them in the middle, {state} states saved\n")


if __name__ == "__main__":
    main()
