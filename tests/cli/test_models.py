from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sayso.models.store import ModelStore
from tests.cli.conftest import Cli


@pytest.fixture
def published(model_store: ModelStore) -> Path:
    """The folder of the default models' files as published."""
    return model_store.folder / "published"


def test_list_tells_the_terms_and_what_is_installed(cli: Cli) -> None:
    outcome = cli("models", "list", "--json")
    assert outcome.status == 0
    models = {model["name"]: model for model in outcome.document}
    assert models["sface-2021dec"]["default"] is True
    assert models["sface-2021dec"]["licence"] == "Apache-2.0"
    assert {model["state"] for model in models.values()} == {"missing"}
    assert "non-commercial" in models["insightface-w600k-r50"]["terms"]
    text = cli("models", "list").out
    assert all(name in text for name in models)
    assert "\x1b" not in text


def test_install_takes_a_file_and_verify_finds_damage(
    cli: Cli,
    model_store: ModelStore,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "yunet-2023mar"
    source = published / f"{model_store.describe(name).sha256}.onnx"
    assert cli("models", "verify", name).status == 1
    outcome = cli("models", "install", name, "--from", source)
    assert (outcome.status, outcome.out) == (0, f"{name} installed\n")
    assert cli("models", "verify", name).out == f"{name} is whole\n"

    (folded,) = (Path(os.environ["SAYSO_DATA"]) / "models" / "folded").glob("*.onnx")
    folded.write_bytes(folded.read_bytes()[:-1])
    outcome = cli("models", "verify")
    assert outcome.status == 1
    assert f"the folded file of {name} is damaged" in outcome.err
    # Installing again repairs it from the published file, which is still whole.
    assert cli("models", "install", name).out == f"{name} installed\n"
    assert cli("models", "verify").status == 0

    (kept,) = (Path(os.environ["SAYSO_DATA"]) / "models" / "published").glob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:-1])
    outcome = cli("models", "verify")
    assert outcome.status == 1
    assert f"the published file of {name} is damaged" in outcome.err
    assert outcome.err.endswith(f"; run: sayso models install {name}\n")
    states = {each["name"]: each["state"] for each in cli("models", "list", "--json").document}
    assert states[name] == "damaged"
    monkeypatch.setenv("SAYSO_MODEL_DIR", str(tmp_path))
    shutil.copy(source, tmp_path / f"{name}.onnx")
    assert cli("models", "install", name).out == f"{name} installed\n"
    assert cli("models", "verify").status == 0


def test_install_without_names_installs_the_defaults(
    cli: Cli,
    model_store: ModelStore,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in model_store.defaults():
        model = model_store.describe(name)
        (folder / model.file).symlink_to(published / f"{model.sha256}.onnx")
    monkeypatch.setenv("SAYSO_MODEL_DIR", str(folder))
    outcome = cli("models", "install")
    assert outcome.status == 0
    assert outcome.out.splitlines() == [f"{name} installed" for name in model_store.defaults()]
    again = cli("models", "install")
    assert all(line.endswith("is installed already") for line in again.out.splitlines())


def test_refusals_are_one_line_and_status_1(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.onnx").write_bytes(b"wrong")
    for arguments, message in (
        (["models", "install", "huge"], "no model named 'huge'"),
        (["models", "verify", "huge"], "no model named 'huge'"),
        (["models", "verify"], "no model is installed"),
        (["models", "install", "centerface", "--from", str(tmp_path)], "cannot be read"),
        (["models", "install", "centerface", "--from", "none"], "No such file"),
        (
            ["models", "install", "centerface", "--from", str(tmp_path / "wrong.onnx")],
            "5 bytes instead of 7,304,518",
        ),
        (["models", "install", "insightface-w600k-r50"], "non-commercial research"),
        (["models", "install", "insightface-w600k-r50", "--accept-terms"], "--from FILE"),
    ):
        outcome = cli(*arguments)
        assert outcome.status == 1, arguments
        assert outcome.out == ""
        assert outcome.err.startswith("sayso: ")
        assert message in outcome.err
        assert outcome.err.count("\n") == 1


def test_without_a_network_the_first_command_says_what_to_do(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, portrait: Path
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    outcome = cli("faces", portrait)
    assert outcome.status == 1
    assert "no source delivered model yunet-2023mar" in outcome.err
    assert "sayso models install yunet-2023mar --from FILE" in outcome.err
