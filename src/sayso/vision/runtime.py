"""Run a folded model: one interface over OpenVINO and ONNX Runtime.

A session takes pictures as they are (uint8, RGB) and does what the model's description says about
colour order, so that callers never handle it. A runtime or precision that was asked for and is
missing is an error; nothing falls back in silence.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from sayso.vision.errors import ModelFileError, NotEnoughMemory, RuntimeMissing

RuntimeName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "f32", "bf16"]
ColourOrder = Literal["RGB", "BGR"]
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Which runtime, at which precision, on how many threads (None: all that it may use)."""

    runtime: RuntimeName = "openvino"
    precision: Precision = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network is fed: ``(pixel - mean) * scale`` of pixels 0 to 255 in this colour order."""

    colour: ColourOrder = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0


class Session(Protocol):
    """A model ready to run."""

    @property
    def precision(self) -> str:
        """``"f32"`` or ``"bf16"``: what the arithmetic really uses."""

    def run(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run uint8 RGB pictures (n, height, width, 3); outputs float32, in the model's order."""


def open_session(
    model: bytes, spec: InputSpec = InputSpec(), options: RuntimeOptions = RuntimeOptions()
) -> Session:
    """Return a session for a folded ONNX model (see ``sayso.vision.folding``).

    Raises RuntimeMissing when the runtime or the precision is not to be had on this machine, and
    ModelFileError when the runtime rejects the model.
    """
    if options.runtime == "openvino":
        return _OpenVinoSession(model, spec, options)
    if options.runtime == "onnxruntime":
        return _OnnxRuntimeSession(model, spec, options)
    raise RuntimeMissing(f"no runtime is called {options.runtime!r}; there are {RUNTIMES}")


_KEPT_PRIMITIVES = 1000


class _OpenVinoSession:
    def __init__(self, model: bytes, spec: InputSpec, options: RuntimeOptions) -> None:
        try:
            import openvino
            from openvino.preprocess import ColorFormat, PrePostProcessor
        except ImportError as error:
            raise RuntimeMissing(
                "the runtime openvino is not installed; install it, or choose onnxruntime"
            ) from error
        core = openvino.Core()
        self._precision = _openvino_precision(core, options.precision)
        # Outputs are mapped by the order in the ONNX file; OpenVINO renames what it fuses.
        names = _output_names(model)
        try:
            graph = core.read_model(model=model)
            steps = PrePostProcessor(graph)
            steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(
                openvino.Layout("NHWC")
            ).set_color_format(ColorFormat.RGB)
            steps.input().model().set_layout(openvino.Layout("NCHW"))
            prepare = steps.input().preprocess().convert_element_type(openvino.Type.f32)
            if spec.colour == "BGR":
                prepare.convert_color(ColorFormat.BGR)
            if any(spec.mean):
                prepare.mean(list(spec.mean))
            if spec.scale != 1.0:
                prepare.scale(1.0 / spec.scale)
            compiled = core.compile_model(
                steps.build(), "CPU", _openvino_settings(self._precision, options.threads)
            )
        except RuntimeError as error:
            raise ModelFileError("OpenVINO rejects the model file") from error
        known = [output.get_names() for output in compiled.outputs]
        self._outputs = [
            next(index for index, aliases in enumerate(known) if name in aliases) for name in names
        ]
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    @property
    def precision(self) -> str:
        return self._precision

    def run(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        import openvino

        with self._lock:
            try:
                self._request.infer(
                    [openvino.Tensor(np.ascontiguousarray(pictures), shared_memory=True)],
                    share_inputs=True,
                )
            except RuntimeError as error:  # any input of a network's shape can be computed
                raise NotEnoughMemory(
                    "OpenVINO could not run the model: there is probably too little memory (ulimit "
                    "-v, or the limit of a container)"
                ) from error
            return [
                np.array(self._request.get_output_tensor(index).data, dtype=np.float32)
                for index in self._outputs
            ]


def _output_names(model: bytes) -> list[str]:
    try:
        return [output.name for output in onnx.load_model_from_string(model).graph.output]
    except Exception as error:  # protobuf raises its own, undocumented, types
        raise ModelFileError("the file is no ONNX model") from error


def _openvino_settings(precision: str, threads: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": "1",
        "ENABLE_CPU_PINNING": False,
        # What is kept for input shapes seen before; its default grows to gigabytes over a folder
        # of pictures of many shapes.
        "CPU_RUNTIME_CACHE_CAPACITY": str(_KEPT_PRIMITIVES),
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _openvino_precision(core: Any, wanted: Precision) -> str:
    """Resolve ``auto`` to bf16 where the CPU computes in it (AMX or AVX512-BF16), else f32."""
    capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if wanted == "auto":
        return "bf16" if capable else "f32"
    if wanted == "bf16" and not capable:
        raise RuntimeMissing("this CPU has no bf16 arithmetic; set the precision to f32 or auto")
    return wanted


class _OnnxRuntimeSession:
    def __init__(self, model: bytes, spec: InputSpec, options: RuntimeOptions) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise RuntimeMissing(
                "the runtime onnxruntime is not installed; install sayso[onnxruntime]"
            )
        import onnxruntime

        if options.precision == "bf16":
            raise RuntimeMissing("onnxruntime computes in f32 here; set the precision to f32")
        # Official builds for Windows report use unless they are told not to.
        onnxruntime.disable_telemetry_events()
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        if options.threads is not None:
            settings.intra_op_num_threads = options.threads
        available = onnxruntime.get_available_providers()
        # f32 means f32 on a GPU as well: TF32 would round the inputs of every product.
        cuda: tuple[str, dict[str, str]] = ("CUDAExecutionProvider", {"use_tf32": "0"})
        providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
        if cuda[0] in available:
            providers.insert(0, cuda)
        try:
            self._session = onnxruntime.InferenceSession(model, settings, providers=providers)
        except Exception as error:  # its exception types are generated and not exported
            raise ModelFileError("ONNX Runtime rejects the model file") from error
        if self._session.get_providers()[0] != _provider_name(providers[0]):
            raise RuntimeMissing(
                f"ONNX Runtime has {_provider_name(providers[0])} but could not start it"
            )
        self._input = self._session.get_inputs()[0].name
        self._spec = spec

    @property
    def precision(self) -> str:
        return "f32"

    def run(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        ordered = pictures[..., ::-1] if self._spec.colour == "BGR" else pictures
        planes = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), dtype=np.float32)
        if any(self._spec.mean):
            planes -= np.array(self._spec.mean, dtype=np.float32).reshape(3, 1, 1)
        if self._spec.scale != 1.0:
            planes *= np.float32(self._spec.scale)
        outputs: list[NDArray[np.float32]] = self._session.run(None, {self._input: planes})
        return outputs


def _provider_name(provider: str | tuple[str, dict[str, str]]) -> str:
    return provider if isinstance(provider, str) else provider[0]
