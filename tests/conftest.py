"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.data import require

# The fixture of an installed model store lives beside the tests of the models.
pytest_plugins = ["tests.model_store"] if importlib.util.find_spec("tests.model_store") else []


@pytest.fixture(scope="session")
def lfw() -> Path:
    """Labeled Faces in the Wild: ``pairs.txt`` and ``images/NAME/NAME_0001.jpg``."""
    return require("lfw")


@pytest.fixture(scope="session")
def wider() -> Path:
    """Pictures of WIDER FACE: ``ground_truth.txt`` and ``images/``."""
    return require("wider")


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A 512 x 512 portrait of one person, facing the camera; a PNG."""
    return require("people", "eileen_collins_nasa.png")


@pytest.fixture(scope="session")
def walking_video() -> Path:
    """A video of several people walking, 1920 x 1080."""
    return require("video", "walking_people.mp4")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long files first, so that none of them is left to one worker at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
