"""A web server on this machine that serves files well or badly, and a tiny model in a wheel."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WHEEL_NAME = "sayso_test_models-1.0-py3-none-any.whl"
REQUIREMENT = "sayso-test-models==1.0"
MEMBER = "sayso_test_models/tiny.onnx"


def tiny_model(channels: int = 64) -> bytes:
    """An ONNX model of one convolution, as large as ``channels`` makes it: 432 bytes for each."""
    weights = np.random.default_rng(7).normal(size=(channels, 3, 6, 6)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "weights"], ["output"])],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, channels, 27, 27])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def wheel_of(files: dict[str, bytes]) -> bytes:
    """A wheel that pip accepts, holding ``files``."""
    info = "sayso_test_models-1.0.dist-info"
    contents = dict(files)
    contents[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: sayso-test-models\nVersion: 1.0\n"
    contents[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [
        f"{name},sha256={_record_hash(content)},{len(content)}"
        for name, content in contents.items()
    ]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in contents.items():
            bundle.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def _record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def registry_text(
    published: bytes, wheel: bytes | None = None, *, upstream: str = "", default: bool = True
) -> str:
    """A registry that knows one model, ``tiny``."""
    text = ""
    if wheel is not None:
        text += (
            f'[wheels.test]\nrequirement = "{REQUIREMENT}"\n'
            f'sha256 = "{hashlib.sha256(wheel).hexdigest()}"\nsize = {len(wheel)}\n'
        )
    text += (
        '[models.tiny]\nkind = "detector"\ntitle = "Tiny"\nfile = "tiny.onnx"\nlicence = "MIT"\n'
        f"default = {str(default).lower()}\n"
        f'sha256 = "{hashlib.sha256(published).hexdigest()}"\nsize = {len(published)}\n'
        'source = "here"\ntraining_data = "none"\nfree_spatial = true\n'
    )
    if wheel is not None:
        text += f'wheel = "test"\nmember = "{MEMBER}"\n'
    if upstream:
        text += f'upstream = ["{upstream}"]\n'
    return text + (
        '[models.tiny.input]\nlayout = "NCHW"\ncolour = "RGB"\nheight = 0\nwidth = 0\n'
        'mean = [0.0, 0.0, 0.0]\nscale = 1.0\noutput = "a map"\n'
    )


@dataclass
class Behaviour:
    """How the server treats requests for files by us (pip is always served well)."""

    files: dict[str, bytes]
    ranges: bool = True
    status: int = 200
    redirect: str = ""
    #: Headers that are sent, with status 206, in place of the right ones.
    odd_headers: dict[str, str] = field(default_factory=dict)
    #: Close each connection after so many bytes of its answer, for the first ``drops`` requests.
    drop_after: int = 0
    drops: int = 0
    #: Send so many bytes and then nothing more, but keep the connection.
    stall_after: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def ours(self) -> list[tuple[str, str]]:
        """Path and Range of the requests that came from us."""
        return [(path, span) for agent, path, span in self.requests if agent == "sayso"]


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be silent."""

    def do_GET(self) -> None:
        behaviour = self.behaviour
        agent = self.headers.get("User-Agent", "")
        span = self.headers.get("Range", "")
        ours = agent == "sayso"
        behaviour.requests.append((agent, self.path, span))
        name = self.path.lstrip("/")
        if not name:
            self._page()
        elif ours and behaviour.redirect and name == "moved":
            self.send_response(302)
            self.send_header("Location", behaviour.redirect)
            self.end_headers()
        elif ours and behaviour.odd_headers:
            self.send_response(206)
            for header, value in behaviour.odd_headers.items():
                self.send_header(header, value)
            self.end_headers()
        elif ours and behaviour.status != 200:
            self.send_error(behaviour.status)
        elif name not in behaviour.files:
            self.send_error(404)
        else:
            self._file(behaviour.files[name], span if ours else "", ours=ours)

    def _page(self) -> None:
        links = "".join(f'<a href="{name}">{name}</a>' for name in self.behaviour.files).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(links)))
        self.end_headers()
        self.wfile.write(links)

    def _file(self, content: bytes, span: str, *, ours: bool) -> None:
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        if start and self.behaviour.ranges:
            self.send_response(206)
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if ours and self.behaviour.drops > 0:
            self.behaviour.drops -= 1
            self.wfile.write(content[: self.behaviour.drop_after])
        elif ours and self.behaviour.stall_after:
            self.wfile.write(content[: self.behaviour.stall_after])
            self.wfile.flush()
            self.behaviour.release.wait(30)
        else:
            self.wfile.write(content)


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve on a free port of this machine; gives the address, ending in a slash."""
    handler = type("Handler", (_Handler,), {"behaviour": behaviour})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        behaviour.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
