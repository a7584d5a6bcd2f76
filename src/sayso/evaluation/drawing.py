"""Matplotlib, imported so that it leaves nothing behind and runs no other program.

By itself it runs ``fc-list`` to find the system's fonts and writes a list of them to the user's
home folder. Reports need only the font that it ships. A program that has imported it already keeps
what it has.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Axes", "Figure", "NullLocator", "mpl"]


@contextmanager
def _leaving_nothing() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="sayso-") as folder:
        own = {"MPLCONFIGDIR": folder, "MPL_IGNORE_SYSTEM_FONTS": "1"}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


with _leaving_nothing():
    import matplotlib as mpl
    import matplotlib.backends.backend_svg  # noqa: F401 - or only the first drawing imports it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator
