"""The little Markdown that the pages are made of."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

_REST_CODE = re.compile(r"``([^`]+)``")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar in a cell is escaped."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def code(text: str) -> str:
    """Return ``text`` as code within a line."""
    return f"`{text}`"


def prose(docstring: str | None) -> str:
    """Return a docstring as Markdown."""
    text = inspect.cleandoc(docstring or "")
    text = re.sub(r"::\n\n((?: {4}.*\n?|\n)+)", lambda found: ":\n\n" + found.group(1), text)
    return _REST_CODE.sub(r"`\1`", text)


def first_sentence(docstring: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join(prose(docstring).split("\n\n", 1)[0].split())
