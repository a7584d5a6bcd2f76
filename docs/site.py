"""Build the documentation as a site: ``python -m docs.site [--out FOLDER]``.

The pages stay what they are on a code host; what differs on the site is changed in a copy. A
warning of the generator is an error, and so is a page that ``docs/README.md`` does not list, since
that list is the navigation. Nothing is fetched, neither by the build nor by the site.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
SITE = REPOSITORY / "out" / "site"

#: Pages from elsewhere in the repository, and what they are called on the site.
GUESTS: Mapping[str, str] = {"benchmarks/results.md": "results.md", "CHANGELOG.md": "changelog.md"}

#: What the bold words of ``docs/README.md`` are called in the navigation.
SECTIONS: Mapping[str, str] = {
    "Learn": "Tutorials",
    "Do": "How-to guides",
    "Look up": "Reference",
    "Understand": "Explanation",
    "Judge": "Model cards",
    "Compare": "Differences and results",
}

_ASSETS = (".png", ".svg", ".json")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FENCE = re.compile(r"^(?P<open>```\S*)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


class BrokenSite(Exception):
    """The site cannot be built as it should be; the message says why."""


def build(site: Path) -> None:
    """Build the site into a folder, whose former contents go; raises BrokenSite."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        stage(project)
        done = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            # After what is wrong with the pages comes where the generator stopped.
            said = _COLOUR.sub("", done.stdout).partition("\nTraceback")[0]
            raise BrokenSite(said.strip())
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(project / "site", site)


def stage(project: Path) -> None:
    """Write what the generator is to read into an empty folder; raises BrokenSite."""
    pages = sources()
    for source, name in pages.items():
        text = source.read_text(encoding="utf-8")
        _write(project / "pages" / name, as_page(text, source, pages))
    for asset in sorted(DOCS.rglob("*")):
        if asset.suffix in _ASSETS:
            copy = project / "pages" / asset.relative_to(DOCS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(asset, copy)
    shutil.copytree(DOCS / "theme", project / "theme")
    navigation = [{"Home": "index.md"}, *sections(pages)]
    settings = (DOCS / "zensical.toml").read_text(encoding="utf-8")
    _write(project / "zensical.toml", settings.replace("nav = []", f"nav = {_toml(navigation)}", 1))


def sources() -> dict[Path, str]:
    """Return the file of every page, with its path on the site."""
    found = {page: page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md"))}
    found[DOCS / "README.md"] = "index.md"
    return found | {REPOSITORY / file: name for file, name in GUESTS.items()}


def as_page(text: str, source: Path, pages: Mapping[Path, str]) -> str:
    """Return a page as the site has it, line for line.

    A fence keeps the first word of what it says of itself, which is the language. A link leads to
    where its page is on the site; what a link leads to that is not on the site is named instead.
    Raises BrokenSite for a link or an image that leads nowhere.
    """
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts.append(_linked(text[end : fence.start()], source, pages))
        parts.append(f"{fence['open']}\n{fence['body']}```")
        end = fence.end()
    return "".join(parts) + _linked(text[end:], source, pages)


def _linked(text: str, source: Path, pages: Mapping[Path, str]) -> str:
    def link(found: re.Match[str]) -> str:
        path, mark, anchor = found["target"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return found[0]
        target = (source.parent / path).resolve()
        if target in pages:
            here = Path(pages[source]).parent
            place = Path(os.path.relpath(pages[target], here)).as_posix()
            return f"[{found['text']}]({place}{mark}{anchor})"
        if not target.exists():  # the generator tells of pages alone
            place = source.relative_to(REPOSITORY).as_posix()
            raise BrokenSite(f"{place}: {found['target']} is not there")
        if found["image"] or (target.suffix in _ASSETS and target.is_relative_to(DOCS)):
            return found[0]
        named = target.relative_to(REPOSITORY).as_posix()
        return found["text"] if named in found["text"] else f"{found['text']} (`{named}`)"

    return _LINK.sub(link, text)


def sections(pages: Mapping[Path, str]) -> list[dict[str, list[dict[str, str]]]]:
    """Return the navigation, from the list in ``docs/README.md``.

    Raises BrokenSite for a page that is not listed, and for a section that has no name here.
    """
    found, listed = [], {"index.md"}
    for title, text in _listed((DOCS / "README.md").read_text(encoding="utf-8")):
        if title not in SECTIONS:
            raise BrokenSite(f"docs/README.md has a section {title!r} that SECTIONS does not name")
        entries = []
        for link in _LINK.finditer(text):
            name = pages.get((DOCS / link["target"]).resolve())
            if name and name not in listed:
                listed.add(name)
                entries.append({" ".join(link["text"].split()): name})
        found.append({SECTIONS[title]: entries})
    missing = sorted(set(pages.values()) - listed)
    if missing:
        raise BrokenSite(f"docs/README.md does not list: {', '.join(missing)}")
    return found


def _listed(text: str) -> Iterator[tuple[str, str]]:
    starts = list(re.finditer(r"^\*\*([^*]+)\*\*", text, re.MULTILINE))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    for start, end in zip(starts, ends, strict=True):
        yield start[1], text[start.end() : end]


def _toml(value: object) -> str:
    """Return lists, tables and texts as TOML."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + " }"
        )
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Build the site; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=SITE, help="the folder (default: out/site)")
    chosen = parser.parse_args(arguments)
    try:
        build(chosen.out)
    except BrokenSite as broken:
        sys.stderr.write(f"{broken}\n")
        return 1
    pages = sum(1 for _ in chosen.out.rglob("*.html"))
    sys.stderr.write(f"{pages} pages; open {chosen.out / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
