"""Sayso recognises faces on people's say-so.

``sayso.open()`` gives the application with its gallery; ``sayso.Analyzer()`` finds faces without
one. Errors are in ``sayso.errors``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayso.analyzer import Analyzer
    from sayso.core import Sayso, open, restore  # noqa: A004 - sayso.open() reads well
    from sayso.errors import SaysoError
    from sayso.evidence.rule import FalseMatchRule
    from sayso.gallery.types import Consent
    from sayso.vision.types import Analysis, Face, Picture, Quality

__version__ = "0.1.0"

# openvino imports this package if it can, which then reports home, forks and writes to the user's
# home folder. Every way in passes here before openvino is imported, so openvino finds the package
# absent and takes its own empty substitute.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# Imported when first asked for, so that `sayso --help` and scripts that only want the errors
# do not wait for runtimes and databases to load.
_HOME = {
    "Analysis": "sayso.vision.types",
    "Analyzer": "sayso.analyzer",
    "Consent": "sayso.gallery.types",
    "Face": "sayso.vision.types",
    "FalseMatchRule": "sayso.evidence.rule",
    "Picture": "sayso.vision.types",
    "Quality": "sayso.vision.types",
    "Sayso": "sayso.core",
    "SaysoError": "sayso.errors",
    "open": "sayso.core",
    "restore": "sayso.core",
}

__all__ = [
    "Analysis",
    "Analyzer",
    "Consent",
    "Face",
    "FalseMatchRule",
    "Picture",
    "Quality",
    "Sayso",
    "SaysoError",
    "open",
    "restore",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sayso' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
