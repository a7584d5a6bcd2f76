from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.core import Sayso


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Sayso]:
    """A gallery with one empty collection, ``club``."""
    with Sayso(tmp_path / "data") as app:
        app.create_collection("club")
        yield app
