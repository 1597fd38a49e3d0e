"""Mutation testing: one thing in a module is changed at a time, and some test must notice.

    python scripts/mutate.py src/anchord/dnssec/*.py
    python scripts/mutate.py src/anchord/dnssec/nsec.py:34     # what is on this line

Conditions become true or false, comparisons and operators others, numbers larger by one; operands,
named arguments, bounds and statements are left out; results become None. Texts, annotations and
asserts are let alone. Each mutant meets the module's own tests and then those of its whole room, in
a fork of this process, and in memory only. One that runs out of CPU time has been noticed, too.

Printed is what survives: it wants a test, or it is not needed, or both forms mean the same.
"""

import ast
import copy
import importlib.util
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ("hypothesis", "dns.zone", "dns.dnssec", "cryptography.hazmat.primitives.asymmetric.rsa")
"""What tests import from elsewhere: loaded once, for all mutants."""
MEMORY = 4 << 30
"""Octets that a mutant may take."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
}  # fmt: skip
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
MEMBERS = {
    "Status": ("SECURE", "INSECURE", "BOGUS"),
    "Denied": ("NAME", "DATA", "DS"),
    "Ending": ("DATA", "NO_DATA", "OPEN"),
    "EdeCode": ("DNSSEC_BOGUS", "NSEC_MISSING"),
    "rdtypes": ("HINFO",),
    "rcodes": ("REFUSED",),
}


def main() -> bool:
    """Whether any mutant survived; prints those that did."""
    sys.path.insert(0, str(ROOT / "src"))
    for name in SHARED:
        importlib.import_module(name)
    return bool(sum([_mutate(*argument.partition(":")[::2]) for argument in sys.argv[1:]]))


def _mutate(file: str, only_line: str) -> int:
    path = Path(file).resolve()
    room = ROOT / "tests" / "unit" / path.parent.name
    rounds = [tests for tests in (room / f"test_{path.stem}.py", room) if tests.exists()]
    tree = ast.parse(path.read_bytes())
    whole = compile(tree, path, "exec")
    seconds = [_try(path, whole, tests) or sys.exit(f"{tests} fails by itself") for tests in rounds]
    count = survivors = 0
    for line, what, code in _mutants(tree, path):
        if only_line in ("", str(line)):
            count += 1
            if all(_try(path, code, *limited) for limited in zip(rounds, seconds, strict=True)):
                survivors += 1
                print(f"{file}:{line}: {what}", flush=True)
    print(f"{file}: {count} mutants, {survivors} survived", flush=True)
    return survivors


def _try(path: Path, code: CodeType, tests: Path, usual: float = 60.0) -> float | None:
    """The seconds of CPU time in which the tests pass; None if one fails, or they take too long."""
    if child := os.fork():
        _, status, usage = os.wait4(child, 0)
        return None if status else usage.ru_utime + usage.ru_stime
    exit_status = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(usual * 3) + 2,) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
        os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        sys.modules[name] = importlib.util.module_from_spec(spec)
        exec(code, vars(sys.modules[name]))  # noqa: S102 - that is what all of this is for
        options = ("-x", "-q", "--rootdir", ROOT, "-p", "no:cacheprovider", "--assert=plain")
        exit_status = pytest.main([*map(str, options), str(tests)])
    finally:
        os._exit(exit_status)


# ------------ Mutants ------------


def _mutants(tree: ast.Module, path: Path) -> Iterator[tuple[int, str, CodeType]]:
    """Each with its line and what was changed. The tree is the same again after each."""
    for node in list(_changeable(tree)):
        for changed in _changes(node):
            _Exchange(node, changed).visit(tree)
            code = compile(ast.fix_missing_locations(tree), path, "exec")
            _Exchange(changed, node).visit(tree)
            line = next(part.lineno for part in ast.walk(node) if hasattr(part, "lineno"))
            yield line, f"{_first_line(node)}  ->  {_first_line(changed)}", code


def _changeable(node: ast.AST) -> Iterator[ast.AST]:
    let_alone = {"annotation", "returns", "decorator_list", "bases"}
    if isinstance(node, ast.ClassDef):
        let_alone.add("keywords")
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.JoinedStr | ast.Assert) or field in let_alone:
                continue
            if isinstance(child, ast.AST):
                yield child
                yield from _changeable(child)


def _changes(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912 - a table of node types
    """What a node is turned into, one after the other."""
    match node:
        case ast.If() | ast.IfExp():
            yield from (_with(node, test=ast.Constant(value)) for value in (True, False))
        case ast.While():
            yield _with(node, test=ast.Constant(value=False))
        case ast.match_case(guard=ast.expr()):
            yield from (_with(node, guard=ast.Constant(value)) for value in (True, False))
        case ast.comprehension(ifs=ifs):
            yield from (_with(node, ifs=rest) for rest in _all_but_one(ifs))
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield _with(node, ops=[*ops[:place], other(), *ops[place + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _with(node, op=ast.And() if isinstance(op, ast.Or) else ast.Or())
            for rest in _all_but_one(values):
                yield _with(node, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            yield _with(node, op=OPERATORS[type(op)]())
        case ast.Constant(value=bool(value)):
            yield _with(node, value=not value)
        case ast.Constant(value=int(value)):
            yield _with(node, value=value + 1)
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in MEMBERS:
            yield from (_with(node, attr=other) for other in MEMBERS[name] if other != attr)
        case ast.Call(func=func, keywords=keywords):
            yield from (_with(node, keywords=rest) for rest in _all_but_one(keywords))
            if isinstance(func, ast.Name) and func.id in FUNCTIONS:
                yield _with(node, func=ast.Name(FUNCTIONS[func.id], ast.Load()))
        case ast.Slice():
            yield from (
                _with(node, **{end: None}) for end in ("lower", "upper") if getattr(node, end)
            )
        case ast.Return(value=value) if not isinstance(value, ast.Constant | None):
            yield _with(node, value=ast.Constant(None))
        case ast.Expr(value=ast.Constant()):  # a docstring
            pass
        case (
            ast.Expr() | ast.Assign() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Raise()
        ):
            yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    vars(changed).update(fields)
    return changed


def _all_but_one(items: Sequence[ast.AST]) -> Iterator[list[ast.AST]]:
    for place in range(len(items)):
        yield [*items[:place], *items[place + 1 :]]


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old = old
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
