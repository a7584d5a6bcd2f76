"""Run every benchmark and write ``results.md``: ``python -m benchmarks``, or ``make bench``.

With names (``python -m benchmarks search``) only those are run, and the rest of the file is kept.
"""

from __future__ import annotations

import importlib
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.timing import machine

NAMES = (
    "detection",
    "accuracy",
    "quality",
    "turned",
    "choosing",
    "groups",
    "promises",
    "defaults",
    "crowd",
    "redaction",
    "search",
    "safeguards",
    "cost",
    "service",
)
RESULTS = Path(__file__).resolve().parent / "results.md"
_PACKAGES = (
    "openvino", "onnxruntime", "opencv-python-headless", "dlib-bin", "faiss-cpu", "usearch",
)  # fmt: skip


def main() -> int:
    """Write the sections in order; ``python -m benchmarks.NAME`` prints one and writes nothing."""
    chosen = sys.argv[1:] or list(NAMES)
    if unknown := set(chosen) - set(NAMES):
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    command = " ".join(["python -m benchmarks", *sys.argv[1:]]) if sys.argv[1:] else "make bench"
    kept = _sections() if set(chosen) != set(NAMES) else {}
    sections = [
        "# Benchmark results",
        "",
        "Each section says the command that gave it; `make bench` gives them all. The pictures",
        "come from the folder that `SAYSO_TEST_DATA` names. Ratios are of the same run on the",
        "same machine, and are what to trust; milliseconds move with the machine.",
        "",
        f"Machine: {machine()}.",
        "Software: " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES) + ".",
        "",
    ]
    for name in NAMES:
        if name not in chosen:
            sections += [kept[name]] if name in kept else []
            continue
        started = time.monotonic()
        section = importlib.import_module(f"benchmarks.{name}").main()
        title, _, rest = section.partition("\n")
        section = f"{title}\n\nCommand: `{command}`.\n{rest}"
        print(section, flush=True)
        print(f"({name}: {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
        sections.append(section)
    RESULTS.write_text("\n".join(sections).rstrip() + "\n", "utf-8")
    return 0


def _sections() -> dict[str, str]:
    """The sections of the results as they are, by name."""
    parts = RESULTS.read_text("utf-8").split("\n## ")[1:] if RESULTS.exists() else []
    return {part.split("\n")[0].lower(): f"## {part}" for part in parts}


if __name__ == "__main__":
    sys.exit(main())
