"""Write the pages of ``docs/reference`` from the code: ``python -m docs.generate [--check]``.

The pages hold nothing that depends on the machine or the time, so that the same code gives the
same bytes. With ``--check`` nothing is written, and the exit status is 1 when a page is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.writers import (
    api,
    cli,
    errors,
    events,
    json_documents,
    models,
    modes,
    openapi,
    rest,
    settings,
    similarity,
)

FOLDER = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by `make docs` from the code. Edit the code, not this page. -->\n\n"

PAGES: Mapping[str, Callable[[], str]] = {
    "api.md": api.page,
    "cli.md": cli.page,
    "errors.md": errors.page,
    "events.md": events.page,
    "json.md": json_documents.page,
    "models.md": models.page,
    "modes.md": modes.page,
    "openapi.json": openapi.page,
    "rest.md": rest.page,
    "settings.md": settings.page,
    "similarity.md": similarity.page,
}


def render() -> dict[str, str]:
    """Return the text of every page by its file's name."""
    return {name: _written(name, page()) for name, page in PAGES.items()}


def _written(name: str, text: str) -> str:
    """Return a text as its file has it; only what people read has a note on top."""
    return NOTE + _tidy(text) if name.endswith(".md") else text


def _tidy(text: str) -> str:
    """Leave one blank line between paragraphs, and none at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the names of the pages that are missing or not what the code gives."""
    found = []
    for name, text in render().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            found.append(name)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with ``--check`` say which are stale; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    if parser.parse_args(arguments).check:
        wrong = stale()
        for name in wrong:
            sys.stderr.write(f"docs/reference/{name} is stale; run: make docs\n")
        return 1 if wrong else 0
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
