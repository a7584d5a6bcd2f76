from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sayso.audit.log import Log
from tests.audit.logs import new_key, new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    """A database with an empty log."""
    engine = new_store(tmp_path / "gallery.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
def log() -> Log:
    return Log(new_key())
