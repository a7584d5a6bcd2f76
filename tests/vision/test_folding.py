"""Folding turns published model files into plain float graphs without changing what they say."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sayso.models.store import ModelStore
from sayso.vision.errors import ModelFileError
from sayso.vision.folding import dequantise_blocks, fold
from sayso.vision.runtime import InputSpec, RuntimeOptions, open_session


def test_block_dequantisation_by_hand() -> None:
    quantised = np.array([[1, 2, 3, 4, 5]], dtype=np.int8)
    scales = np.array([[0.5, 2.0, 10.0]], dtype=np.float32)
    zeros = np.array([[1, 0, -1]], dtype=np.int8)
    # Blocks of two along the second axis; the last block is half empty.
    result = dequantise_blocks(quantised, scales, zeros, axis=1, block=2)
    np.testing.assert_array_equal(result, [[0.0, 0.5, 6.0, 8.0, 60.0]])


def _block_quantised_model() -> tuple[bytes, np.ndarray]:
    """A 1 x 1 convolution over RGB whose weights are block-quantised, and those weights."""
    rng = np.random.default_rng(7)
    quantised = rng.integers(-100, 100, (4, 3), dtype=np.int8)
    scales = rng.random((4, 1), dtype=np.float32)
    zeros = np.zeros((4, 1), dtype=np.int8)
    weights = quantised.astype(np.float32) * scales
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w2"], axis=1, block_size=3),
        helper.make_node("Reshape", ["w2", "shape"], ["w"]),
        helper.make_node("Conv", ["data", "w"], ["conv"]),
        helper.make_node("Reshape", ["conv", "flat"], ["out"]),
    ]
    constants = [
        numpy_helper.from_array(quantised, "q"),
        numpy_helper.from_array(scales, "s"),
        numpy_helper.from_array(zeros, "z"),
        numpy_helper.from_array(np.array([4, 3, 1, 1]), "shape"),
        numpy_helper.from_array(np.array([1, -1]), "flat"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 2, 2])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 16])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return model.SerializeToString(), weights


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_folded_model_runs_in_batches_with_the_dequantised_weights(runtime: str) -> None:
    published, weights = _block_quantised_model()
    folded = fold(published, free_spatial=False)
    assert {node.op_type for node in onnx.load_model_from_string(folded).graph.node} == {
        "Conv",
        "Reshape",
    }
    session = open_session(
        folded,
        options=RuntimeOptions(runtime, "f32", 1),  # type: ignore[arg-type]
    )
    pictures = np.random.default_rng(1).integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    expected = np.einsum("oc,nyxc->noyx", weights, pictures.astype(np.float32)).reshape(5, 16)
    np.testing.assert_allclose(session.run(pictures)[0], expected, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_colour_order_mean_and_scale_are_applied(runtime: str) -> None:
    published, weights = _block_quantised_model()
    session = open_session(
        fold(published, free_spatial=False),
        InputSpec("BGR", (10.0, 20.0, 30.0), 0.5),
        RuntimeOptions(runtime, "f32", 1),  # type: ignore[arg-type]
    )
    picture = np.random.default_rng(2).integers(0, 256, (1, 2, 2, 3), dtype=np.uint8)
    fed = (picture[..., ::-1].astype(np.float32) - [10, 20, 30]) * 0.5
    expected = np.einsum("oc,nyxc->noyx", weights, fed).reshape(1, 16)
    np.testing.assert_allclose(session.run(picture)[0], expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x07" * 50])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelFileError):
        fold(content, free_spatial=True)


@pytest.mark.parametrize("name", ["yunet-2023mar", "sface-2021dec", "centerface"])
def test_both_runtimes_agree_on_the_default_models(model_store: ModelStore, name: str) -> None:
    model = model_store.path(name).read_bytes()
    side = 112 if name.startswith("sface") else 256
    pictures = np.random.default_rng(3).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    ours, theirs = (
        open_session(model, options=RuntimeOptions(runtime, "f32", 2)).run(pictures)
        for runtime in ("openvino", "onnxruntime")
    )
    assert [output.shape for output in ours] == [output.shape for output in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
