"""Turn a model file as published into the plain float graph that every runtime loads.

The OpenCV Zoo publishes block-quantised weights (``DequantizeLinear`` with ``block_size``, ONNX
opset 21) around a float graph, and fixes the input at one picture of one size. Most runtimes load
neither. Folding computes the float weights once and frees the batch, height and width; nothing
else of the graph is touched, so the outputs stay those of the published model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from sayso.vision.errors import ModelFileError

#: DequantizeLinear is gone after folding, so the graph needs no more than this opset.
_OPSET = 13
_IR_VERSION = 8


def dequantise_blocks(
    quantised: NDArray[Any], scales: NDArray[Any], zero_points: NDArray[Any], axis: int, block: int
) -> NDArray[np.float32]:
    """Undo blockwise quantisation: ``(q - zero_point) * scale``, one scale per block of an axis.

    ``quantised`` has any shape; ``scales`` and ``zero_points`` have the same shape but for
    ``axis``, where each entry covers ``block`` consecutive values.
    Source: ONNX operator DequantizeLinear, version 21.
    """
    length = quantised.shape[axis]
    spread_scales = np.repeat(scales, block, axis=axis).take(range(length), axis=axis)
    spread_zeros = np.repeat(zero_points, block, axis=axis).take(range(length), axis=axis)
    centred = quantised.astype(np.float32) - spread_zeros.astype(np.float32)
    return (centred * spread_scales.astype(np.float32)).astype(np.float32)


def fold(published: bytes, *, free_spatial: bool) -> bytes:
    """Return the ONNX file ``published`` as a plain float graph with a free batch dimension.

    Height and width of the input are freed as well when ``free_spatial`` is true (detectors).
    Raises ModelFileError when the bytes are no ONNX model or hold a construct not known here.
    """
    try:
        model = onnx.load_model_from_string(published)
    except Exception as error:  # protobuf raises its own, undocumented, types
        raise ModelFileError(f"the file is no ONNX model ({type(error).__name__})") from error
    graph = model.graph
    constants = _fold_constants(graph)
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name)
        for name, value in constants.items()
        if name in used
    )
    _free_input(graph, constants, free_spatial)
    _free_outputs(graph, free_spatial)
    if max(entry.version for entry in model.opset_import) > _OPSET:
        del model.opset_import[:]
        model.opset_import.append(helper.make_opsetid("", _OPSET))
    model.ir_version = max(model.ir_version, _IR_VERSION)
    return bytes(model.SerializeToString())


def _fold_constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """Compute what depends on weights alone, drop those nodes, and return every constant."""
    constants: dict[str, NDArray[Any]] = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
    }

    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            constants[node.output[0]] = _dequantise_node(node, constants)
        elif node.op_type == "Reshape" and node.input[0] in constants:
            shape = constants[node.input[1]]
            constants[node.output[0]] = constants[node.input[0]].reshape(shape)
        elif node.op_type == "Dropout":
            _bypass(graph, node)
        else:
            kept.append(node)

    _free_reshapes(kept, constants)
    del graph.node[:]
    graph.node.extend(kept)
    return constants


def _dequantise_node(
    node: onnx.NodeProto, constants: dict[str, NDArray[Any]]
) -> NDArray[np.float32]:
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    missing = [name for name in node.input if name not in constants]
    if missing or not attributes.get("block_size"):
        raise ModelFileError(f"cannot fold {node.name or node.op_type}: inputs are not constants")
    quantised, scales, zero_points = (constants[name] for name in node.input)
    return dequantise_blocks(
        quantised, scales, zero_points, int(attributes["axis"]), int(attributes["block_size"])
    )


def _bypass(graph: onnx.GraphProto, dropped: onnx.NodeProto) -> None:
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == dropped.output[0]:
                node.input[position] = dropped.input[0]


def _free_reshapes(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> None:
    """Let reshapes that pin the batch to 1 copy it from their input (0 in ONNX Reshape)."""
    for node in nodes:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        shape = constants[node.input[1]].copy()
        if shape.size and shape[0] == 1 and -1 in shape:
            shape[0] = 0
            constants[node.input[1]] = shape


def _free_input(
    graph: onnx.GraphProto, constants: dict[str, NDArray[Any]], free_spatial: bool
) -> None:
    real_inputs = [entry for entry in graph.input if entry.name not in constants]
    real_inputs = [entry for entry in real_inputs if _is_used(graph, entry.name)]
    del graph.input[:]
    graph.input.extend(real_inputs)
    if len(real_inputs) != 1:
        raise ModelFileError(f"the model has {len(real_inputs)} inputs where one was expected")
    dimensions = graph.input[0].type.tensor_type.shape.dim
    if len(dimensions) != 4:
        raise ModelFileError("the model's input is not a batch of pictures (N, 3, H, W)")
    dimensions[0].dim_param = "batch"
    if free_spatial:
        dimensions[2].dim_param = "height"
        dimensions[3].dim_param = "width"


def _free_outputs(graph: onnx.GraphProto, free_spatial: bool) -> None:
    """The published shapes are those of one picture; every runtime infers its own."""
    del graph.value_info[:]
    for output in graph.output:
        for position, dimension in enumerate(output.type.tensor_type.shape.dim):
            if position == 0:
                dimension.dim_param = "batch"
            elif free_spatial:
                dimension.dim_param = f"{output.name}_{position}"


def _is_used(graph: onnx.GraphProto, name: str) -> bool:
    return any(name in node.input for node in graph.node)
