"""The models that tests run on, fetched once from where a user's would come from, and kept.

A plugin of pytest's: ``tests/conftest.py`` names it in ``pytest_plugins``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.errors import ModelSourceError
from sayso.models.store import ModelStore


@pytest.fixture(scope="session")
def model_data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with every default model installed; kept in pytest's cache between runs.

    Tests share it, so none may write to it. Skips where the models cannot be fetched.
    """
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("sayso-data") if cache else tmp_path_factory.mktemp("sayso-data")
    store = ModelStore(folder)
    try:
        for name in store.defaults():
            store.path(name)
    except ModelSourceError as error:
        pytest.skip(f"the models cannot be fetched: {error}")
    return Path(folder)


@pytest.fixture(scope="session")
def model_store(model_data: Path) -> ModelStore:
    """The installed default models."""
    return ModelStore(model_data)


@pytest.fixture
def data_dir(tmp_path: Path, model_data: Path) -> Path:
    """A new data folder of the test's own, whose models are installed already."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "models").symlink_to(model_data / "models", target_is_directory=True)
    return folder
