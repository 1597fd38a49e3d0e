import itertools
import tomllib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from anchord.config import where
from anchord.config.errors import KeyPath


@st.composite
def toml_files(draw: st.DrawFn) -> str:
    """TOML in every notation that there is. Each value holds a mark of its own: `v7_`."""
    fresh = itertools.count()
    blank = st.sampled_from(["", " ", "\t"])
    gap = st.sampled_from(["", " ", "\n", " # ]}\"'''\n", "\n\n\t"])

    def key() -> str:
        name = f"k{next(fresh)}"
        return draw(
            st.sampled_from([name, f'"{name}.#"', f"'{name}]'", f"{name} . x", f'"\\u0041{name}"'])
        )

    def value(depth: int) -> str:
        mark = f"v{next(fresh)}_"
        texts = [
            f'"{mark} \\" # ] [["',
            f'\'{mark} # """ =\'',
            f'"""{mark}\n[x]\n a = 1 \\""" ""\\\n """',
            f'"""{mark}\n"quoted"""""',
            f"'''{mark}\n''[y]'''",
            f"1.5 # {mark}\n" if depth == 0 else f'"{mark}"',
            f"1979-05-27 07:32:00 # {mark}\n" if depth == 0 else f'"{mark}"',
        ]
        kinds = ["text", "list", "table"] if depth < 3 else ["text"]
        kind = draw(st.sampled_from(kinds))
        if kind == "list":
            items = [
                draw(gap) + value(depth + 1) + draw(gap) for _ in range(draw(st.integers(1, 3)))
            ]
            return "[" + ",".join(items) + draw(st.sampled_from(["", ",", " ,\n"])) + "]"
        if kind == "table":
            pairs = [f" {key()} = {value(3)}" for _ in range(draw(st.integers(1, 2)))]
            return "{" + ",".join(pairs) + " }"
        return draw(st.sampled_from(texts))

    def pairs() -> Iterator[str]:
        for _ in range(draw(st.integers(0, 3))):
            yield f"{draw(blank)}{key()}{draw(blank)}={draw(blank)}{value(0)}{draw(blank)}"
            yield from draw(st.sampled_from([[], [""], ["# [comment]"]]))

    def sections(prefix: str, depth: int) -> Iterator[str]:
        for _ in range(draw(st.integers(0, 2 if depth else 3))):
            name = prefix + key()
            if draw(st.booleans()):
                yield f"[{name}] # [[x]]"
                yield from pairs()
                if depth < 2:
                    yield from sections(f"{name}.", depth + 1)
                continue
            for _ in range(draw(st.integers(1, 3))):
                yield f"[[ {name} ]]"
                yield from pairs()
                if depth < 2:
                    yield from sections(f"{name}.", depth + 1)

    lines = [*pairs(), *sections("", 0)]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def walk(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from walk(inner, (*path, number))


@given(toml_files())
def test_every_value_of_any_toml_file_is_on_the_line_that_is_found(text: str) -> None:
    found = where.lines(text)
    lines = text.splitlines()
    for path, value in walk(tomllib.loads(text)):
        assert path in found
        if isinstance(value, str):
            mark = value.partition("_")[0] + "_"
            assert mark in lines[found[path] - 1]


def test_nothing_is_found_that_the_file_does_not_hold() -> None:
    text = "a = 1\n[b]\nc = [2,\n 3]\n[[d]]\n[[d]]\ne = {f = 4}\n"
    assert where.lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 3,
        ("b", "c", 1): 4,
        ("d",): 5,
        ("d", 0): 5,
        ("d", 1): 6,
        ("d", 1, "e"): 7,
        ("d", 1, "e", "f"): 7,
    }


def test_a_key_that_is_missing_is_looked_for_where_its_table_is() -> None:
    text = "\n[[zone]]\ndomain = 'a'\n\n[[zone]]\n"
    assert where.closest_line(text, ("zone", 1, "domain")) == 5
    assert where.closest_line(text, ("listen", "dns", 0)) == 1


def test_a_path_is_written_as_people_write_it() -> None:
    assert where.to_text(("upstream", 1, "addresses", 0)) == "upstream[1].addresses[0]"
