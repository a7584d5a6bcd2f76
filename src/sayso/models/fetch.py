"""Fetch one file of known size and hash from one address, resumably.

Only the host that was named is spoken to: no redirect is followed, not even to the same host, and
which addresses are never connected to is ``outbound``'s to say. The registered addresses need no
redirect; an index that redirects its wheels is left to pip, as configured.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sayso import outbound
from sayso.errors import ModelMismatch, ModelSourceError

if TYPE_CHECKING:
    from sayso.models.progress import Progress

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
_REDIRECTION = 3  # the first digit of the status

_LENGTH = re.compile(r"[0-9]{1,18}")
_INTERVAL = re.compile(r"bytes ([0-9]{1,18})-")


class Refused(ModelSourceError):
    """The address answered, but not with the file; trying again the same way is pointless."""


class NotSpokenTo(ModelSourceError):
    """The host has an address that is never connected to; no other way is tried either."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The file that is fetched: ``what`` names it for people; ``size`` is in bytes."""

    what: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificate authorities are believed: a file or folder of them, or the system's."""

    authorities: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings; raises Refused when the authorities cannot be read."""
        if self.authorities is None:
            return ssl.create_default_context()
        try:
            if self.authorities.is_dir():
                return ssl.create_default_context(capath=str(self.authorities))
            return ssl.create_default_context(cafile=str(self.authorities))
        except (OSError, ssl.SSLError) as error:
            raise Refused(f"the configured certificate file cannot be read: {error}") from error


def fetch(address: str, partial: Path, wanted: Wanted, *, trust: Trust, progress: Progress) -> None:
    """Bring ``partial`` to the whole file: exactly ``wanted.size`` bytes with its sha256.

    What ``partial`` already holds from an earlier, interrupted attempt is continued; when the
    result is wrong, it is fetched once more from the start. ``address`` is https, http or file.

    Raises ModelMismatch when the bytes are not the wanted ones (``partial`` is then gone), Refused
    when the address does not give the file, and ModelSourceError when the connection fails
    (``partial`` then keeps what arrived); OSError when ``partial`` cannot be written.
    """
    resumed = _length(partial) > 0
    progress.start(f"fetching {wanted.what}", wanted.size)
    try:
        _complete(address, partial, wanted, trust, progress)
        problem = mismatch(partial, wanted)
        if problem and resumed:
            partial.unlink()
            _complete(address, partial, wanted, trust, progress)
            problem = mismatch(partial, wanted)
    finally:
        progress.finish()
    if problem:
        partial.unlink(missing_ok=True)
        raise ModelMismatch(
            f"{wanted.what} from {host_of(address)} is not the known file: {problem}"
        )


def mismatch(path: Path, wanted: Wanted) -> str:
    """Say how the file at ``path`` differs from the wanted one; empty when it does not."""
    size = _length(path)
    if size != wanted.size:
        return f"{size:,} bytes instead of {wanted.size:,}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == wanted.sha256 else f"sha256 {found} instead of {wanted.sha256}"


def host_of(address: str) -> str:
    """Return what of ``address`` may be shown: no credentials, no path."""
    parts = urllib.parse.urlsplit(address)
    return "a local file" if parts.scheme == "file" else (parts.hostname or "an unnamed host")


def _complete(
    address: str, partial: Path, wanted: Wanted, trust: Trust, progress: Progress
) -> None:
    if _length(partial) > wanted.size:
        partial.unlink()
    fruitless = 0
    while (before := _length(partial)) < wanted.size:
        progress.update(before)
        try:
            if _append(address, partial, before, wanted, trust, progress):
                return
        except Refused:
            raise
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            failure = _failure(error, address)
        else:
            failure = "the connection ended early"
        fruitless = 0 if _length(partial) > before else fruitless + 1
        if fruitless >= _ATTEMPTS - 1:
            raise ModelSourceError(
                f"{wanted.what} could not be fetched from {host_of(address)} ({failure}); "
                f"{_length(partial):,} of {wanted.size:,} bytes are kept and the next try goes on "
                "from there"
            )
        time.sleep(_PAUSE_SECONDS)


def _failure(error: Exception, address: str) -> str:
    """Return what broke a connection; raises what trying again would not change."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, outbound.ForbiddenAddress):
        raise NotSpokenTo(str(cause)) from None
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", "") or cause.reason or "TLS error"
        raise Refused(f"{host_of(address)} could not be trusted: {reason}") from error
    if isinstance(cause, OSError) and cause.filename is not None:
        raise cause from None  # ours, not the network's: the folder, not the connection
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _append(
    address: str, partial: Path, start: int, wanted: Wanted, trust: Trust, progress: Progress
) -> bool:
    """Add to ``partial`` what one connection gives; True when the file cannot get any longer."""
    with contextlib.closing(_open(address, start, trust)) as answer:
        start = _accepted_start(answer, start, wanted)
        with _open_partial(partial, start) as file:
            done = start
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > wanted.size:
                    raise Refused(f"{wanted.what} is longer there than {wanted.size:,} bytes")
                file.write(chunk)
                progress.update(done)
            return done == wanted.size or answer.whole


def _open_partial(partial: Path, start: int) -> IO[bytes]:
    file = partial.open("r+b" if start else "wb")
    file.seek(start)
    file.truncate()
    return file


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What an address gives: the bytes from ``start`` on; ``whole`` when no more can follow."""

    stream: IO[bytes] | http.client.HTTPResponse
    start: int
    length: int | None
    whole: bool = False

    def read(self, size: int) -> bytes:
        return self.stream.read(size)

    def close(self) -> None:
        self.stream.close()


def _accepted_start(answer: _Answer, start: int, wanted: Wanted) -> int:
    """Return from where ``answer`` goes on, having checked that it can be the wanted file."""
    if answer.start not in (0, start):
        raise Refused(f"{wanted.what}: the server continued at the wrong place")
    if answer.length is not None and answer.start + answer.length > wanted.size:
        raise Refused(
            f"{wanted.what} would have {answer.start + answer.length:,} bytes "
            f"instead of {wanted.size:,}"
        )
    return answer.start


def _open(address: str, start: int, trust: Trust) -> _Answer:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        return _open_file(Path(urllib.request.url2pathname(parts.path)), start)
    if parts.scheme not in {"http", "https"}:
        raise Refused(f"an address of the kind {parts.scheme!r} is not fetched")
    headers = {"User-Agent": "sayso", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - checked above
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _HTTPHandler(),
        _HTTPSHandler(context=trust.context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    try:
        response = opener.open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                return _open(address, 0, trust)
            if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise http.client.HTTPException(f"HTTP status {error.code}") from None
            if error.code // 100 == _REDIRECTION:
                raise Refused(f"{host_of(address)} redirects, which is not followed") from None
            raise Refused(f"{host_of(address)} answered HTTP status {error.code}") from None
    assert isinstance(response, http.client.HTTPResponse)  # noqa: S101 - urllib's own promise
    length = response.headers.get("Content-Length", "")
    begin = 0
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        interval = _INTERVAL.match(response.headers.get("Content-Range", ""))
        begin = int(interval[1]) if interval else -1
    return _Answer(response, begin, int(length) if _LENGTH.fullmatch(length) else None)


def _open_file(path: Path, start: int) -> _Answer:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"the local file cannot be read: {error.strerror}") from error
    file = os.fdopen(descriptor, "rb")
    length = os.fstat(descriptor).st_size
    file.seek(min(start, length))
    return _Answer(file, min(start, length), max(length - start, 0), whole=True)


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(outbound.HTTPConnection, req)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(
            outbound.HTTPSConnection,
            req,
            context=self._context,  # type: ignore[attr-defined]
        )
