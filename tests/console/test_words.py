"""Sentences: each that is used is there, with the values that it takes, and each there is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import nodes

from sayso.console import assets, templates, words

CONSOLE = Path(assets.ROOT).parent
CATALOGUE = words.catalogue()
_SCRIPTS = [path for path in assets.ROOT.rglob("*.js") if "vendor" not in path.parts]
_PAGES = sorted((CONSOLE / "templates").glob("*.html"))
_PYTHON = sorted(CONSOLE.rglob("*.py"))
_TEXT = re.compile(
    r"""["'`]([a-z_]+(?:\.[a-z_0-9-]+)*\.?)(?:\$\{[^`]*)?["'`]|f["']([a-z_.]+\.)\{"""
)
_SAID = re.compile(r"""\bsay\(\s*(?:\w+ \? )?["']([a-z_0-9.-]+)["']""")
_IMPORTED = re.compile(r"""^import .* from "\./([\w.-]+)";$""", re.MULTILINE)


@dataclass(frozen=True)
class Use:
    """A sentence asked for by its name, with the values that are put into it."""

    where: str
    name: str
    values: frozenset[str] | None

    def __str__(self) -> str:
        return f"{self.where}: {self.name}"


def forms(name: str) -> list[str]:
    """The sentences that a name may lead to."""
    return [each for each in (name, f"{name}.one", f"{name}.other") if each in CATALOGUE]


def of_templates() -> Iterator[Use]:
    for path in _PAGES:
        tree = templates.environment().parse(path.read_text("utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "t":
                yield from _use(path, call)


def _use(path: Path, call: nodes.Call) -> Iterator[Use]:
    (name,) = call.args
    values = None if call.dyn_kwargs else frozenset(each.key for each in call.kwargs)
    for each in name.find_all(nodes.Const) if not isinstance(name, nodes.Const) else [name]:
        text = str(each.value)
        # What a name is put together from is no name.
        if forms(text) or isinstance(name, nodes.Const):
            yield Use(path.name, text, values)


def of_python() -> Iterator[Use]:
    for path in _PYTHON:
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            called = call.func.id if isinstance(call.func, ast.Name) else ""
            if isinstance(call.func, ast.Attribute):
                called = call.func.attr
            name = call.args[0]
            if called != "say" or not isinstance(name, ast.Constant):
                continue
            values = frozenset(each.arg for each in call.keywords if each.arg is not None)
            every = all(each.arg is not None for each in call.keywords)
            yield Use(path.name, str(name.value), values if every else None)


def of_scripts() -> Iterator[Use]:
    for path in _SCRIPTS:
        for name in _SAID.findall(path.read_text("utf-8")):
            yield Use(path.name, name, None)


USES = [*of_templates(), *of_python(), *of_scripts()]


def test_something_is_found_in_each_place() -> None:
    for suffix in (".html", ".py", ".js"):
        assert [each for each in USES if each.where.endswith(suffix)]


def test_what_is_used_is_there() -> None:
    missing = [str(use) for use in USES if not forms(use.name)]
    assert missing == []


def test_a_sentence_is_given_its_values() -> None:
    wrong = []
    for use in USES:
        if use.values is None:
            continue
        for name in forms(use.name):
            wanted = {field for _, field, _, _ in Formatter().parse(CATALOGUE[name]) if field}
            counted = name == use.name or "count" in use.values
            if not wanted <= use.values or not counted:
                wrong.append(f"{use} takes {sorted(wanted)}, and is given {sorted(use.values)}")
    assert wrong == []


def test_what_is_there_is_used() -> None:
    texts: set[str] = set()
    for path in [*_PAGES, *_PYTHON, *_SCRIPTS]:
        for whole, begun in _TEXT.findall(path.read_text("utf-8")):
            texts.add(whole or begun)
    starts = tuple(f"{each.rstrip('.')}." for each in texts if "." in each)
    unused = [
        name
        for name in CATALOGUE
        if name not in texts
        and re.sub(r"\.(one|other)$", "", name) not in texts
        and not name.startswith(starts)
    ]
    assert unused == []


def test_a_page_gives_its_scripts_the_sentences_that_they_say() -> None:
    for path in _PAGES:
        text = path.read_text("utf-8")
        loaded = set(re.findall(r'asset\("js/([\w.-]+)"\)', text))
        while (
            further := {
                name
                for each in loaded
                for name in _IMPORTED.findall((assets.ROOT / "js" / each).read_text("utf-8"))
            }
            - loaded
        ):
            loaded |= further
        given = [
            each for call in re.findall(r"sentences\(([^)]*)\)", text) for each in _names(call)
        ]
        for name in sorted(loaded):
            for said in _SAID.findall((assets.ROOT / "js" / name).read_text("utf-8")):
                covered = any(said.startswith(f"{prefix}.") for prefix in given)
                assert covered, f"{path.name} loads {name}, which says {said}, and gives {given}"


def _names(call: str) -> list[str]:
    return re.findall(r'"([^"]+)"', call)


def test_every_sentence_is_written_with_its_values_closed() -> None:
    for name, text in CATALOGUE.items():
        assert text.strip() == text, name
        assert text, name
        for _, field, form, conversion in Formatter().parse(text):
            assert field is None or re.fullmatch(r"[a-z_]+", field), name
            assert not form, name
            assert conversion is None, name
        assert not re.search(r"<\w|&\w+;", text), f"{name}: a sentence has no markup"
    for name in CATALOGUE:
        stem, _, last = name.rpartition(".")
        if last == "one":
            assert f"{stem}.other" in CATALOGUE, name


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (1 / 4067, "about 1 in 4,000 that a stranger"),
        (0.34, "about 1 in 2 that a stranger"),
        (0.5, "about 0.5 strangers"),
        (0.72, "about 0.8 strangers"),
        (1.1, "about 1.1 strangers"),
        (9.94, "about 10.0 strangers"),
        (41.2, "about 42 strangers"),
        (0.0, "was not measured"),
    ],
)
def test_a_chance_is_told_in_words_and_never_as_less_than_it_is(expected: float, told: str) -> None:
    assert told in words.chance(expected)


@pytest.mark.parametrize(
    ("expected", "per", "told"),
    [
        (0.001, "picture", "at most one mistake in 1,000 pictures"),
        (0.01, "face", "at most one mistake in 100 faces"),
        (0.5, "picture", "at most one mistake in 2 pictures"),
        (0.9, "picture", "at most 0.9 mistakes in a picture"),
        (2.0, "face", "at most 2 mistakes for a face"),
    ],
)
def test_a_limit_is_told_as_so_many_pictures(expected: float, per: str, told: str) -> None:
    assert words.limit(expected, per) == told
