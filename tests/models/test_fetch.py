from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sayso.errors import ModelMismatch, ModelSourceError
from sayso.models import fetch as fetching
from sayso.models.fetch import Refused, Trust, Wanted, fetch
from sayso.models.progress import Silent
from tests.models.server import Behaviour, serving

CONTENT = os.urandom(300_000)
WANTED = Wanted("the file", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Seen(Silent):
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int | None]] = []
        self.done: list[int] = []
        self.finished = 0

    def start(self, what: str, total: int | None) -> None:
        self.started.append((what, total))

    def update(self, done: int) -> None:
        self.done.append(done)

    def finish(self) -> None:
        self.finished += 1


def get(address: str, partial: Path, wanted: Wanted = WANTED, seen: Seen | None = None) -> None:
    fetch(address, partial, wanted, trust=Trust(), progress=seen or Seen())


def test_a_file_arrives_whole_and_its_progress_is_told(tmp_path: Path) -> None:
    seen = Seen()
    with serving(Behaviour({"file": CONTENT})) as address:
        get(address + "file", tmp_path / "partial", seen=seen)
    assert (tmp_path / "partial").read_bytes() == CONTENT
    assert seen.started == [("fetching the file", len(CONTENT))]
    assert seen.done[-1] == len(CONTENT)
    assert seen.done == sorted(seen.done)
    assert len(seen.done) > 3
    assert seen.finished == 1


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "partial").write_bytes(CONTENT[:200_000])
    behaviour = Behaviour({"file": CONTENT})
    with serving(behaviour) as address:
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT
    assert behaviour.ours() == [("/file", "bytes=200000-")]


def test_dropped_connections_are_continued(tmp_path: Path) -> None:
    behaviour = Behaviour({"file": CONTENT}, drop_after=70_000, drops=4)
    with serving(behaviour) as address:
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT
    starts = [int(span[6:-1] or 0) if span else 0 for _, span in behaviour.ours()]
    assert starts == [0, 70_000, 140_000, 210_000, 280_000]


def test_a_server_without_ranges_starts_over(tmp_path: Path) -> None:
    (tmp_path / "partial").write_bytes(CONTENT[:1000])
    with serving(Behaviour({"file": CONTENT}, ranges=False)) as address:
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_connection_that_always_drops_is_given_up_and_keeps_what_came(tmp_path: Path) -> None:
    behaviour = Behaviour({"file": CONTENT}, drop_after=0, drops=1000)
    (tmp_path / "partial").write_bytes(CONTENT[:1234])
    with (
        serving(behaviour) as address,
        pytest.raises(ModelSourceError, match=r"1,234 of 300,000 bytes are kept"),
    ):
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT[:1234]
    assert len(behaviour.ours()) < 10


def test_rubbish_left_by_an_earlier_attempt_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "partial").write_bytes(bytes(5000))
    with serving(Behaviour({"file": CONTENT})) as address:
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_an_overlong_partial_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "partial").write_bytes(bytes(len(CONTENT) + 1))
    with serving(Behaviour({"file": CONTENT})) as address:
        get(address + "file", tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_wrong_bytes_are_a_mismatch_and_are_not_kept(tmp_path: Path) -> None:
    wrong = bytes(len(CONTENT))
    with (
        serving(Behaviour({"file": wrong})) as address,
        pytest.raises(ModelMismatch, match=r"sha256 [0-9a-f]{64} instead of"),
    ):
        get(address + "file", tmp_path / "partial")
    assert not (tmp_path / "partial").exists()


def test_a_longer_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    behaviour = Behaviour({"file": CONTENT + b"more"})
    with serving(behaviour) as address, pytest.raises(Refused, match="300,004 bytes instead of"):
        get(address + "file", tmp_path / "partial")
    assert not (tmp_path / "partial").exists()


def test_a_shorter_file_is_refused(tmp_path: Path) -> None:
    with serving(Behaviour({"file": CONTENT[:-1]})) as address, pytest.raises(ModelSourceError):
        get(address + "file", tmp_path / "partial")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_names_the_host_and_the_status(tmp_path: Path, status: int) -> None:
    behaviour = Behaviour({"file": CONTENT}, status=status)
    with (
        serving(behaviour) as address,
        pytest.raises(Refused, match=rf"127\.0\.0\.1 answered HTTP status {status}"),
    ):
        get(address + "file", tmp_path / "partial")
    assert len(behaviour.ours()) == 1


def test_a_server_in_trouble_is_asked_again_but_not_forever(tmp_path: Path) -> None:
    behaviour = Behaviour({"file": CONTENT}, status=503)
    with serving(behaviour) as address, pytest.raises(ModelSourceError, match="HTTP status 503"):
        get(address + "file", tmp_path / "partial")
    assert 1 < len(behaviour.ours()) < 10


def test_nobody_listening_is_a_source_error(tmp_path: Path) -> None:
    with serving(Behaviour({})) as address:
        pass
    with pytest.raises(ModelSourceError, match="Connection refused"):
        get(address + "file", tmp_path / "partial")


def test_not_even_a_redirect_on_the_same_host_is_followed(tmp_path: Path) -> None:
    behaviour = Behaviour({"file": CONTENT}, redirect="/file")
    with (
        serving(behaviour) as address,
        pytest.raises(Refused, match=r"127\.0\.0\.1 redirects, which is not followed"),
    ):
        get(address + "moved", tmp_path / "partial")
    assert [path for path, _ in behaviour.ours()] == ["/moved"]


@pytest.mark.parametrize(
    "interval",
    ["bytes 1x0-2/3", "bytes 10", "bytes \xb2-3/4", "bytes " + "9" * 5000 + "-", "bytes */3", ""],
    ids=lambda interval: interval[:12],
)
def test_an_odd_range_is_refused(tmp_path: Path, interval: str) -> None:
    (tmp_path / "partial").write_bytes(CONTENT[:10])
    behaviour = Behaviour({}, odd_headers={"Content-Range": interval, "Content-Length": "\xb2"})
    with serving(behaviour) as address, pytest.raises(Refused, match="at the wrong place"):
        get(address + "file", tmp_path / "partial")


def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    elsewhere = Behaviour({"file": CONTENT})
    with serving(elsewhere) as other:
        behaviour = Behaviour({}, redirect=other + "file")
        with serving(behaviour) as address, pytest.raises(Refused, match="redirects, which is not"):
            get(address + "moved", tmp_path / "partial")
    assert elsewhere.requests == []


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/file"])
def test_a_redirect_to_another_scheme_is_not_followed(tmp_path: Path, target: str) -> None:
    behaviour = Behaviour({}, redirect=target)
    with serving(behaviour) as address, pytest.raises(Refused):
        get(address + "moved", tmp_path / "partial")


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9.0xfe.0xa9.254", "[fe80::1]", "[::ffff:a9fe:a9fe]"],
)
def test_link_local_hosts_are_not_spoken_to(tmp_path: Path, host: str) -> None:
    with pytest.raises(ModelSourceError, match="link-local"):
        get(f"http://{host}/latest", tmp_path / "partial")


def test_local_files_are_read_like_any_source(tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    get((tmp_path / "a file").as_uri(), tmp_path / "partial")
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_truncated_local_file_is_a_mismatch(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT[:-100])
    with pytest.raises(ModelMismatch, match="299,900 bytes instead of 300,000"):
        get((tmp_path / "file").as_uri(), tmp_path / "partial")


def test_a_missing_local_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        get((tmp_path / "none").as_uri(), tmp_path / "partial")


def test_an_untrusted_certificate_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="certificate"):
        fetch(
            "https://127.0.0.1:1/file",
            tmp_path / "partial",
            WANTED,
            trust=Trust(tmp_path / "no such file.pem"),
            progress=Seen(),
        )


def test_credentials_in_an_address_are_not_shown(tmp_path: Path) -> None:
    with (
        serving(Behaviour({}, status=401)) as address,
        pytest.raises(ModelSourceError) as caught,
    ):
        get(address.replace("//", "//user:secret@") + "file", tmp_path / "partial")
    assert "secret" not in str(caught.value)
