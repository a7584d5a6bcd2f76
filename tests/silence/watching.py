"""What processes that are watched did outside themselves, and what the documentation lists.

``sitecustomize`` in this folder does the watching.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "explanation" / "what-it-touches.md"
#: Names that mean this machine, which no server is asked for.
_HERE = {None, "", "127.0.0.1", "::1", "0.0.0.0", "::"}


@dataclass(frozen=True)
class Watched:
    """Folders of a watched process, and the file with what it did."""

    root: Path

    @classmethod
    def made(cls, root: Path) -> Watched:
        for name in ("home", "tmp", "work"):
            (root / name).mkdir(parents=True)
        return cls(root)

    @property
    def work(self) -> Path:
        return self.root / "work"

    def environment(self, data: Path) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SAYSO_", "XDG_", "MPL"))}
        path = [str(REPOSITORY / "tests" / "silence"), str(REPOSITORY / "src")]
        return kept | {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "WATCHED": str(self.root / "done.jsonl"),
            "PYTHONPATH": os.pathsep.join(path),
            "SAYSO_DATA": str(data),
        }

    def done(self) -> list[tuple[str, str, str]]:
        """The command, the kind of event and what it was about, for each event."""
        found, command = [], ""
        for line in (self.root / "done.jsonl").read_text().splitlines():
            did, event, what = json.loads(line)
            if did == "command":
                command = what
            else:
                listens = event == "socket.bind"
                found.append((command, "listen" if listens else did, what))
        return found

    def unlisted(self, data: Path) -> list[tuple[str, str, str]]:
        """What was done that the page does not list."""
        return sorted({each for each in self.done() if not self._listed(each[1], each[2], data)})

    def _listed(self, did: str, what: str, data: Path) -> bool:
        if did == "write":
            places = {"SAYSO_DATA": data, "NAMED": self.work, "TMPDIR": self.root / "tmp"}
            return _matches(what, listed("Files"), places)
        if did == "start":
            return _matches(what, listed("Programs"), {"python": Path(sys.executable)})
        if did == "resolve":
            return ast.literal_eval(what) in _HERE
        # Nothing connects to this machine either but what asks the service whether it is ready.
        return did in listed("Connections") and ast.literal_eval(what)[0] in _HERE

    def leftovers(self) -> list[str]:
        """What lies in the home folder and the folder for temporary files."""
        return [str(each) for name in ("home", "tmp") for each in (self.root / name).rglob("*")]


@cache
def listed(section: str, page: Path = PAGE) -> tuple[str, ...]:
    """The first cells of the table of a section, without the signs of code."""
    text = page.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    return tuple(row.split("|")[1].strip().strip("`") for row in rows)


def _matches(what: str, patterns: Sequence[str], places: Mapping[str, Path]) -> bool:
    """Tell whether a path or a command is one of a table; a folder is what is in it, too."""
    for pattern in patterns:
        first = re.match(r"\w*", pattern)
        name = first[0] if first else ""
        exact = str(places[name]) + pattern[len(name) :] if name in places else pattern
        if fnmatch.fnmatchcase(what, exact) or f"{what}/*" == exact:
            return True
    return False


@cache
def without_network() -> tuple[str, ...]:
    """What to put before a command so that it has only the loopback; nothing where that can't be.

    Everybody else's loopback is another one then.
    """
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return ()
    prefix = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    can = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if can.returncode == 0 else ()
