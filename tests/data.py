"""Finds the labelled pictures that some tests need; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def data_folder() -> Path | None:
    """Return the folder of labelled pictures, or None when there is none.

    ``SAYSO_TEST_DATA`` names it; otherwise it is ``../shared/data`` beside the repository.
    """
    named = os.environ.get("SAYSO_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def require(*parts: str) -> Path:
    """Return a path inside the folder of labelled pictures; skip the test when it is absent."""
    folder = data_folder()
    wanted = "/".join(parts)
    if folder is None:
        pytest.skip(f"no labelled pictures: set SAYSO_TEST_DATA to a folder holding {wanted}")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the folder of labelled pictures has no {wanted}")
    return path
