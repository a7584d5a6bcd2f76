"""A short one of the mixed runs that ``python -m tests.faults`` does for as long as one likes."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults.mixed import run
from tests.faults.processes import zygote

#: Rounds, each with one kill; the long run is SAYSO_ROUNDS=1000, or ``python -m tests.faults``.
ROUNDS = int(os.environ.get("SAYSO_ROUNDS", "12"))


def test_nothing_is_lost_and_nobody_is_back_whatever_is_killed_and_restored(tmp_path: Path) -> None:
    with zygote(tmp_path) as home:
        kills = run(tmp_path / "worlds", home, seed=2, seconds=3600, rounds=ROUNDS)
    assert kills.total() >= ROUNDS
