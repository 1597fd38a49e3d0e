"""Runs one target under atheris, until it finds something or is told to stop.

    pip install atheris
    python fuzz/run.py engine -max_total_time=3600 corpus/engine

The folder is filled with seeds where it is empty. What comes after the target goes to libFuzzer:
`-help=1` tells what it takes. What it finds is left in the current folder.
"""

import sys
from pathlib import Path


def main() -> None:
    """The target is the first argument."""
    import atheris

    with atheris.instrument_imports(include=["anchord.dnssec", "anchord.model", "anchord.wire"]):
        import fuzz_targets

    if len(sys.argv) < 2 or sys.argv[1] not in fuzz_targets.TARGETS:
        sys.exit(
            f"usage: run.py {{{','.join(fuzz_targets.TARGETS)}}} [libFuzzer's options] [FOLDER]"
        )
    target = sys.argv.pop(1)
    for folder in (Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")):
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            for number, seed in enumerate(fuzz_targets.seeds(target)):
                (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, fuzz_targets.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
