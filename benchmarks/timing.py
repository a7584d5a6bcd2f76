"""How the benchmarks time things, and name the machine they ran on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def median_seconds(work: Callable[[], object], *, repeats: int = 5, warm_up: int = 2) -> float:
    """Median wall time of ``work`` after ``warm_up`` runs that do not count."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def medians_in_turns(
    works: Sequence[Callable[[], object]], *, repeats: int = 5, warm_up: int = 1
) -> list[float]:
    """Median seconds of each work, run in turns so that a busy moment hits them all alike."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(warm_up + repeats):
        for work, kept in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            if turn >= warm_up:
                kept.append(time.perf_counter() - started)
    return [statistics.median(kept) for kept in times]


def machine() -> str:
    """One line that names the processor, its vector extensions and the software."""
    model, flags = platform.processor() or platform.machine(), set()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
    known = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
    extensions = ", ".join(flag for flag in known if flag in flags) or "no vector extensions known"
    return (
        f"{model}, {THREADS} cores ({extensions}); {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
