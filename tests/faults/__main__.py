"""The mixed run of kills, restorations, rotations and erasures, for as long as one likes.

python -m tests.faults --minutes 30 --seed 1
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.mixed import run
from tests.faults.processes import zygote


def main() -> int:
    """Run, and print what was killed; the status is 1 where something was lost or came back."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", type=Path, help="where the galleries are; left after a failure")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="sayso-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    logging.info("seed %d, %g minutes, in %s", chosen.seed, chosen.minutes, folder)
    with zygote(folder) as home:
        kills = run(folder, home, chosen.seed, seconds=60 * chosen.minutes)
    logging.info("%d kills, and nothing was lost and nobody is back", kills.total())
    return 0


if __name__ == "__main__":
    sys.exit(main())
