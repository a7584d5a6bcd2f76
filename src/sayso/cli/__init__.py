"""The ``sayso`` command.

Importing this, or asking for help, loads nothing heavy: each command imports what it needs when
it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused or not found, 2 wrong usage, 130 Ctrl-C.

    141 when whoever reads the output left before its end.
    """
    try:
        from sayso.cli.run import run

        status = run(arguments)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
