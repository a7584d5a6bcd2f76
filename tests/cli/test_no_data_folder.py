"""Commands that need no gallery, where the data folder cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sayso.models.store import ModelStore
from tests.cli.conftest import Cli

NOT_ON_RECORD = "the data folder cannot be written (SAYSO_DATA), so this is not put on record"


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder that not even root can make."""
    monkeypatch.setenv("SAYSO_DATA", "/proc/sayso")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return Path("/proc/sayso")


@pytest.fixture
def model_files(monkeypatch: pytest.MonkeyPatch, model_data: Path, tmp_path: Path) -> Path:
    """The model files as published, in a folder of their own."""
    folder = tmp_path / "model-files"
    folder.mkdir()
    store = ModelStore(model_data)
    for name in store.defaults():
        model = store.describe(name)
        shutil.copy(model_data / "models" / "published" / f"{model.sha256}.onnx", folder)
        (folder / f"{model.sha256}.onnx").rename(folder / model.file)
    monkeypatch.setenv("SAYSO_MODEL_DIR", str(folder))
    return folder


@pytest.mark.usefixtures("closed", "model_files")
def test_faces_are_found_and_compared(cli: Cli, portrait: Path) -> None:
    found = cli("faces", portrait, "--json", "--mode", "fast")
    assert found.status == 0, found.err
    assert len(found.document["faces"]) == 1
    assert NOT_ON_RECORD in found.err
    assert "master key" not in found.err
    compared = cli("compare", portrait, portrait, "--json", "--mode", "fast")
    assert compared.status == 0, compared.err
    assert compared.document["similarity"] > 99
    assert not list(Path(os.environ["TMPDIR"]).glob("sayso-*"))


@pytest.mark.usefixtures("closed")
def test_models_that_are_nowhere_are_told(cli: Cli, portrait: Path) -> None:
    found = cli("faces", portrait)
    assert found.status == 1
    assert "the models folder cannot be used" in found.err
    assert "SAYSO_MODEL_DIR" in found.err


@pytest.mark.usefixtures("closed", "model_files")
def test_what_needs_a_gallery_is_refused(cli: Cli, portrait: Path) -> None:
    outcome = cli("recognize", "club", portrait, "--purpose", "door")
    assert outcome.status == 1
    assert "there is no gallery" in outcome.err


def test_what_can_be_put_on_record_is(recognising: Cli, portrait: Path) -> None:
    assert recognising("faces", portrait, "--mode", "fast").err == ""
    assert "faces-detected" in recognising("audit", "tail").out
