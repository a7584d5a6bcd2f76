"""Interrupted work goes on: what a kill leaves is whole, and nothing that is done is redone."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sayso
from sayso.audit.events import FacesDetected, FacesEnrolled, PictureRedacted, PictureSearched
from tests.cli.conftest import Cli
from tests.cli.test_redact import ASKED, WILLING, club, portrait_of

__all__ = ["club"]

PICTURES = 6
#: Far longer than any picture takes.
_PATIENCE = 120


@pytest.fixture
def folder(tmp_path: Path, lfw: Path) -> Path:
    """Pictures of the two who agreed, and others without anybody."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place, name in enumerate(WILLING):
        shutil.copy(portrait_of(lfw, name), folder / f"{3 * place}.jpg")
    for place in (1, 2, 4, 5):
        Image.new("RGB", (200 + place, 300)).save(folder / f"{place}.jpg")
    return folder


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def stopped(
    lines: Path, after: int, how: signal.Signals, *arguments: str | Path
) -> tuple[int, str]:
    """Run a command as a process of its own, and stop it once its file has so many lines."""
    command = [sys.executable, "-m", "sayso", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, SIGINT may be ignored, and stay so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # noqa: PLW1509
    ) as process:
        ends = time.monotonic() + _PATIENCE
        while process.poll() is None and time.monotonic() < ends:
            with contextlib.suppress(FileNotFoundError):
                if lines.read_bytes().count(b"\n") >= after:
                    process.send_signal(how)
                    break
            time.sleep(0.005)
        _, err = process.communicate(timeout=_PATIENCE)
    assert "Traceback" not in err
    return process.returncode, err


def plain(manifest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != "made"} for each in manifest]


def events(kind: type) -> int:
    with sayso.open(os.environ["SAYSO_DATA"]) as app:
        return sum(isinstance(entry.event, kind) for entry in app.audit_entries())


def test_a_killed_redaction_ends_as_if_it_had_not_been(
    club: Cli, folder: Path, tmp_path: Path
) -> None:
    whole = club("redact", folder, tmp_path / "whole", *ASKED)
    assert whole.status == 0, whole.err
    before = events(PictureRedacted)
    out, lines = tmp_path / "out", tmp_path / "out.jsonl"
    status, _ = stopped(lines, 2, signal.SIGKILL, "redact", folder, out, *ASKED)
    assert status == -signal.SIGKILL
    assert not (tmp_path / "out.json").exists()
    refused = club("redact", folder, out, *ASKED)
    assert refused.status == 1
    assert "go on with --resume" in refused.err

    gone_on = club("redact", folder, out, *ASKED, "--resume")
    assert gone_on.status == 0, gone_on.err
    # At most the copy that was just being written is made twice.
    assert events(PictureRedacted) - before in {PICTURES, PICTURES + 1}
    manifests = [json.loads((tmp_path / f"{each}.json").read_text()) for each in ("whole", "out")]
    assert plain(manifests[0]) == plain(manifests[1])
    for copy in (tmp_path / "whole").iterdir():
        assert (out / copy.name).read_bytes() == copy.read_bytes()
    assert {each.name for each in out.iterdir()} == {f"{place}.jpg" for place in range(PICTURES)}
    assert lines_of(lines)[-1] == {"done": PICTURES, "failed": 0, "passed_over": 0}
    assert lines.stat().st_mode & 0o777 == 0o600


def test_whatever_a_kill_leaves_is_gone_on_from(club: Cli, folder: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "out", tmp_path / "out.jsonl"
    redact = ("redact", folder, out, *ASKED)
    assert club(*redact).status == 0
    before, manifest = events(PictureRedacted), (tmp_path / "out.json").read_text()
    whole = lines.read_bytes()

    again = club(*redact, "--resume")
    assert (again.status, events(PictureRedacted)) == (0, before)
    assert f"{PICTURES} of {PICTURES} were done before" in again.err
    assert (tmp_path / "out.json").read_text() == manifest

    # A torn line, a copy that was not written any more, what was to become one, and no manifest.
    lines.write_bytes(b"\n".join(whole.split(b"\n")[:4])[:-40])
    (out / "1.jpg").unlink()
    for place in (3, 4, 5):
        (out / f"{place}.jpg").unlink()
    leftover = out / f".tmp-{'0' * 16}-1"
    leftover.write_bytes(b"of somebody else")
    (tmp_path / "out.json").unlink()
    again = club(*redact, "--resume")
    assert again.status == 0, again.err
    assert events(PictureRedacted) == before + 4
    assert plain(json.loads((tmp_path / "out.json").read_text())) == plain(json.loads(manifest))
    assert leftover.exists()

    # A picture that came since, and another that is no more what it was.
    Image.new("RGB", (210, 300)).save(folder / "6.jpg")
    Image.new("RGB", (220, 300)).save(folder / "5.jpg")
    again = club(*redact, "--resume")
    assert again.status == 0, again.err
    assert events(PictureRedacted) == before + 6
    assert len(json.loads((tmp_path / "out.json").read_text())) == PICTURES + 1


def test_whoever_withdraws_meanwhile_is_covered_when_it_goes_on(
    club: Cli, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    redact = ("redact", folder, out, *ASKED)
    assert club(*redact).status == 0
    shown = (out / "0.jpg").read_bytes(), (out / "3.jpg").read_bytes()
    before = events(PictureRedacted)
    assert club("consents", "withdraw", "club", WILLING[0], "--yes").status == 0
    assert club(*redact, "--resume").status == 0
    assert events(PictureRedacted) == before + 1
    assert (out / "0.jpg").read_bytes() != shown[0]
    assert (out / "3.jpg").read_bytes() == shown[1]
    kept = Counter(
        face["subject"]
        for each in json.loads((tmp_path / "out.json").read_text())
        for face in each["faces"]
    )
    assert kept[WILLING[0]] == 0
    assert kept[WILLING[1]] == 1


def test_other_options_are_done_anew_and_nothing_of_others_is_replaced(
    club: Cli, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    redact = ("redact", folder, out, *ASKED)
    assert club(*redact).status == 0
    before = events(PictureRedacted)
    assert club(*redact, "--resume", "--style", "mosaic").status == 0
    assert events(PictureRedacted) == before + PICTURES
    styles = {each["style"] for each in json.loads((tmp_path / "out.json").read_text())}
    assert styles == {"mosaic"}
    (out / "2.jpg").write_bytes(b"touched up by hand")
    refused = club(*redact, "--resume", "--style", "mosaic")
    assert refused.status == 1
    assert f"{out / '2.jpg'} is there already, and not as an earlier run made it" in refused.err
    assert (out / "2.jpg").read_bytes() == b"touched up by hand"


def test_a_killed_recognition_goes_on(club: Cli, folder: Path, tmp_path: Path) -> None:
    lines = tmp_path / "found.jsonl"
    asked = ("recognize", "club", folder, "--purpose", "photo-delivery", "--jsonl", lines)
    status, _ = stopped(lines, 2, signal.SIGKILL, *asked)
    assert status == -signal.SIGKILL
    with lines.open("a") as file:
        file.write('{"picture": "torn')
    refused = club(*asked)
    assert refused.status == 1
    assert "is there already: go on with --resume" in refused.err
    gone_on = club(*asked, "--resume")
    assert gone_on.status == 0, gone_on.err
    assert events(PictureSearched) in {PICTURES, PICTURES + 1}
    found = lines_of(lines)
    assert [Path(each["picture"]).name for each in found[:-1]] == [
        f"{place}.jpg" for place in range(PICTURES)
    ]
    named = [face["subject"] for each in found[:-1] for face in each["faces"] if face["subject"]]
    assert sorted(named) == sorted(WILLING)
    # Whoever withdrew is not named by what was found before.
    assert club("consents", "withdraw", "club", WILLING[0], "--yes").status == 0
    assert club(*asked, "--resume").status == 0
    assert WILLING[0] not in lines.read_text()
    # Somebody who stops it is told how to go on.
    Image.new("RGB", (230, 300)).save(folder / "7.jpg")
    other = tmp_path / "other.jsonl"
    status, err = stopped(other, 2, signal.SIGINT, *asked[:-1], other)
    assert status == 130
    assert "sayso: stopped after" in err
    assert f"what is done is in {other}: --resume goes on from there" in err


def test_a_killed_enrolment_goes_on(recognising: Cli, lfw: Path, tmp_path: Path) -> None:
    assert recognising("collections", "create", "club").status == 0
    folder, lines = tmp_path / "pictures", tmp_path / "enrolled.jsonl"
    folder.mkdir()
    for number in (1, 2, 3):
        shutil.copy(portrait_of(lfw, "Adam_Sandler", number), folder / f"{number}.jpg")
    Image.new("RGB", (300, 300)).save(folder / "4.jpg")
    enroll = (
        *("enroll", "club", "adam", folder, "--jsonl", lines),
        *("--purpose", "website", "--evidence", "form 17"),
    )
    assert stopped(lines, 1, signal.SIGKILL, *enroll)[0] == -signal.SIGKILL
    gone_on = recognising(*enroll, "--resume")
    assert gone_on.status == 1
    assert "4.jpg: no face was found" in gone_on.err
    with sayso.open(os.environ["SAYSO_DATA"]) as app:
        assert len(app.faces("club", "adam")) == 3
        assert len(app.consents("club", "adam")) == 1
    assert events(FacesEnrolled) in {3, 4}
    assert [each.get("face_id") is not None for each in lines_of(lines)[:-1]] == [
        *(True, True, True),
        False,
    ]
    # Going on does not enrol again whoever withdrew.
    assert recognising("subjects", "erase", "club", "adam", "--yes").status == 0
    refused = recognising(*enroll, "--resume")
    assert refused.status == 1
    assert "withdrawn or erased since" in refused.err


def test_a_killed_evaluation_goes_on(recognising: Cli, lfw: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    for name, numbers in {"Aaron_Peirsol": (1, 3), WILLING[0]: (1, 2), WILLING[1]: (1, 2)}.items():
        (people / name).mkdir(parents=True)
        for number in numbers:
            shutil.copy(portrait_of(lfw, name, number), people / name / f"{number}.jpg")
    lines, report = tmp_path / "measured.jsonl", tmp_path / "report.json"
    evaluate = ("evaluate", people, "--json", report, "--jsonl", lines, "--mode", "fast")
    whole = recognising(*("evaluate", people, "--json", tmp_path / "whole.json", "--mode", "fast"))
    assert whole.status == 0, whole.err
    assert stopped(lines, 2, signal.SIGKILL, *evaluate)[0] == -signal.SIGKILL
    gone_on = recognising(*evaluate, "--resume")
    assert gone_on.status == 0, gone_on.err
    assert "of 6 were done before" in gone_on.err
    assert json.loads(report.read_text()) == json.loads((tmp_path / "whole.json").read_text())
    assert events(FacesDetected) in {6, 7}  # each once, but for the one that was just looked at
    # What is kept for going on is sealed: no template can be read from it.
    made = sayso.Analyzer().analyze(people / "Adam_Sandler" / "1.jpg").templates[0]
    kept = lines.read_text()
    assert made.astype("<f4").tobytes().hex() not in kept
    assert base64.b64encode(made.astype("<f4").tobytes())[4:-4].decode() not in kept
    slower = recognising(*evaluate, "--resume", "--mode", "balanced")
    assert slower.status == 0, slower.err
    assert "were done before" not in slower.err


@pytest.mark.parametrize("kept", [b'{"precious": 1}', b'{"precious": 1}\n', b"notes\n", b"7"])
def test_a_file_of_somebody_elses_is_left_as_it_is(
    recognising: Cli, folder: Path, tmp_path: Path, kept: bytes
) -> None:
    lines = tmp_path / "settings.json"
    lines.write_bytes(kept)
    refused = recognising("faces", folder, "--jsonl", lines, "--resume")
    assert refused.status == 1
    assert "is not a file of --jsonl: name another" in refused.err
    assert lines.read_bytes() == kept


def test_copies_that_are_not_there_are_made_when_it_goes_on(
    recognising: Cli, folder: Path, tmp_path: Path
) -> None:
    lines, out = tmp_path / "lines.jsonl", tmp_path / "boxed"
    assert recognising("faces", folder, "--jsonl", lines).status == 0
    assert recognising("faces", folder, "--jsonl", lines, "--resume", "--out", out).status == 0
    assert len(list(out.iterdir())) == PICTURES


def test_two_runs_do_not_share_a_file(recognising: Cli, folder: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    with lines.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = recognising("faces", folder, "--jsonl", lines)
    assert refused.status == 1
    assert "is being written by another run" in refused.err
    lines.write_text("notes of mine\n")
    refused = recognising("faces", folder, "--jsonl", lines, "--resume")
    assert refused.status == 1
    assert "is not a file of --jsonl" in refused.err
    assert lines.read_text() == "notes of mine\n"
    for wrong in (("--resume",), ("--resume", "--jsonl", "-"), ("--json", "--jsonl", "x")):
        assert recognising("faces", folder, *wrong).status == 2
