"""A runtime or precision that is not there is an error, never something else instead."""

from __future__ import annotations

import sys

import pytest

from sayso.models.store import ModelStore
from sayso.vision.errors import ModelFileError, RuntimeMissing
from sayso.vision.runtime import RuntimeOptions, open_session


@pytest.fixture
def yunet(model_store: ModelStore) -> bytes:
    return model_store.path("yunet-2023mar").read_bytes()


def test_a_runtime_that_is_not_installed(yunet: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RuntimeMissing, match="openvino is not installed"):
        open_session(yunet)


def test_a_runtime_nobody_knows(yunet: bytes) -> None:
    with pytest.raises(RuntimeMissing, match="'tensorflow'"):
        open_session(yunet, options=RuntimeOptions("tensorflow"))  # type: ignore[arg-type]


def test_a_precision_the_runtime_does_not_compute_in(yunet: bytes) -> None:
    with pytest.raises(RuntimeMissing, match="f32"):
        open_session(yunet, options=RuntimeOptions("onnxruntime", "bf16"))


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_file_the_runtime_cannot_parse(runtime: str) -> None:
    with pytest.raises(ModelFileError):
        open_session(
            b"\x00" * 200,
            options=RuntimeOptions(runtime, "f32", 1),  # type: ignore[arg-type]
        )


def test_f32_is_what_was_asked_for(yunet: bytes) -> None:
    assert open_session(yunet, options=RuntimeOptions("openvino", "f32")).precision == "f32"
