"""What is a picture in a folder, and what is passed over: told by content, and always named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sayso.errors import UnreadablePicture
from sayso.folders import Listing, Reason, is_picture, look_through
from sayso.pictures import read_picture_file
from sayso.vision.picture import PictureLimits
from tests.test_pictures import powerless_in

JPEG = b"\xff\xd8\xff\xe0 and more"
TIFF = b"II*\0 and more"
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00 and more"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(folder: Path, found: Listing) -> list[str]:
    return [str(path.relative_to(folder)) for path in found.pictures]


def reasons(folder: Path, found: Listing) -> dict[str, Reason]:
    return {str(each.path.relative_to(folder)): each.reason for each in found.passed_over}


def test_content_says_what_is_a_picture_and_not_the_name(folder: Path) -> None:
    put(
        folder,
        {
            "a.jfif": JPEG,
            "b.mpo": JPEG,
            "c.nef": TIFF,
            "d": JPEG,
            "e.txt": b"no picture",
            "f.txt": b"BMW and others",
            "g.bin": b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
            "h.pdf": b"%PDF-1.7",
        },
    )
    found = look_through([folder])
    assert names(folder, found) == ["a.jfif", "b.mpo", "c.nef", "d", "g.bin"]
    assert reasons(folder, found) == dict.fromkeys(("e.txt", "f.txt", "h.pdf"), "not-a-picture")


def test_the_raw_file_of_a_camera_is_left_to_the_reading_which_refuses_it_by_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "one.cr2").write_bytes(b"II*\0\x10\0\0\0CR\x02\0" + bytes(300))
    (tmp_path / "two.raf").write_bytes(b"FUJIFILMCCD-RAW 0201" + bytes(300))
    assert all(is_picture(each) for each in tmp_path.iterdir())


def test_what_is_called_a_picture_is_left_to_the_reading(folder: Path) -> None:
    put(folder, {"b.JPG": b"x", "a.png": b"", "c.heic": b"x", "notes.txt": b"x"})
    notes = folder / "notes.txt"
    found = look_through([notes, folder])
    assert found.pictures == (notes, *(folder / name for name in ("a.png", "b.JPG", "c.heic")))
    assert reasons(folder, found) == {"notes.txt": "not-a-picture"}
    assert not found.failures


def test_what_systems_leave_is_passed_over(folder: Path) -> None:
    put(
        folder,
        {
            "._a.jpg": APPLE_DOUBLE,
            "._b.jpg": JPEG,
            ".DS_Store": b"x",
            ".c.jpg": JPEG,
            "Thumbs.db": b"x",
            "@eaDir/a.jpg": JPEG,
            ".hidden/a.jpg": JPEG,
            "a.jpg": JPEG,
        },
    )
    found = look_through([folder], recursive=True)
    assert names(folder, found) == ["a.jpg"]
    assert reasons(folder, found) == {
        "._a.jpg": "apple-double",
        "._b.jpg": "hidden",
        ".DS_Store": "system",
        ".c.jpg": "hidden",
        ".hidden": "hidden",
        "@eaDir": "system",
        "Thumbs.db": "system",
    }


def test_subfolders_are_entered_when_asked_for(folder: Path) -> None:
    put(folder, {"b.jpg": b"1", "a/z.jpg": b"2", "a/deep/y.jpg": b"3", "c/x.jpg": b"4"})
    flat = look_through([folder])
    assert names(folder, flat) == ["b.jpg"]
    assert reasons(folder, flat) == {"a": "subfolder", "c": "subfolder"}
    deep = look_through([folder], recursive=True)
    assert names(folder, deep) == ["b.jpg", "a/z.jpg", "a/deep/y.jpg", "c/x.jpg"]
    assert deep.passed_over == ()
    (barren,) = look_through([folder / "a" / "deep" / ".."]).barren or (None,)
    assert barren is None
    shutil.rmtree(folder / "c")
    (folder / "b.jpg").unlink()
    (barren,) = look_through([folder]).barren
    assert "subfolders were not entered (--recursive enters them)" in str(barren)


def test_links_cannot_lead_in_a_circle(folder: Path) -> None:
    put(folder, {"a.jpg": JPEG, "below/b.jpg": JPEG})
    (folder / "below" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(folder / "pipe.jpg")
    found = look_through([folder], recursive=True)
    assert names(folder, found) == ["a.jpg", "below/b.jpg"]
    assert reasons(folder, found) == {
        "below/up": "link-to-folder",
        "gone.jpg": "link-to-nowhere",
        "pipe.jpg": "not-a-file",
    }
    (failure,) = found.failures
    assert "self.jpg: Too many levels of symbolic links" in str(failure)


def test_a_file_is_taken_once_by_whatever_name(folder: Path) -> None:
    put(folder, {"a.jpg": JPEG, "b.jpg": JPEG})
    os.link(folder / "a.jpg", folder / "c.jpg")
    (folder / "d.jpg").symlink_to("b.jpg")
    found = look_through([folder / "b.jpg", folder, folder / "." / "a.jpg"])
    assert names(folder, found) == ["b.jpg", "a.jpg"]
    assert [each.reason for each in found.passed_over] == ["same-file"] * 4


def test_a_tree_deeper_than_paths_can_be_ends(tmp_path: Path) -> None:
    # Made step by step, since no path names all of it; no deeper than pytest can remove it.
    name, here = "d" * 100, os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / "a.jpg").write_bytes(JPEG)
    found = look_through([tmp_path], recursive=True)
    assert found.pictures == (tmp_path / "a.jpg",)
    (failure,) = found.failures
    assert "File name too long" in str(failure)


def test_what_may_not_be_read_costs_only_itself(folder: Path) -> None:
    put(folder, {"a.jpg": JPEG, "locked/b.jpg": JPEG, "secret": JPEG})
    (folder / "locked").chmod(0)
    (folder / "secret").chmod(0)
    with powerless_in(folder):
        found = look_through([Path()], recursive=True)
    assert found.pictures == (Path("a.jpg"),)
    assert sorted(map(str, found.failures)) == [
        "locked: Permission denied",
        "secret: Permission denied",
    ]


def test_the_folder_of_copies_is_not_entered(folder: Path) -> None:
    put(folder, {"a.jpg": JPEG, "out/a.jpg": JPEG})
    found = look_through([folder], recursive=True, output=folder / "out")
    assert names(folder, found) == ["a.jpg"]
    assert reasons(folder, found) == {"out": "output"}


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    found = look_through([tmp_path])
    assert found.pictures == ()
    assert "no pictures in it" in str(found.barren[0])


def test_a_name_that_cannot_be_looked_at_is_left_to_the_reading(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "a.jpg").write_bytes(b"x")
    locked.chmod(0)
    with powerless_in(tmp_path):
        paths = [Path("locked/a.jpg"), Path("n" * 300), Path("n" * 5000)]
        assert look_through(paths).pictures == tuple(paths)
        for path, complaint in zip(paths, ("permitted", "too long", "too long"), strict=True):
            with pytest.raises(UnreadablePicture, match=complaint):
                read_picture_file(path, PictureLimits())


def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with powerless_in(tmp_path):
        (failure,) = look_through([Path("locked")]).failures
    assert str(failure) == "locked: Permission denied"
