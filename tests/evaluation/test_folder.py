from __future__ import annotations

import os
from pathlib import Path

import pytest

from sayso.evaluation.folder import EvaluationError, labelled_folder
from tests.test_pictures import powerless_in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for name, pictures in {"ada": ["1.jpg", "2.PNG"], "bob": ["x.webp"], "cy": ["a.heic"]}.items():
        (root / name).mkdir(parents=True)
        for picture in pictures:
            (root / name / picture).write_bytes(b"")
    return root


def labels(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_subfolder_is_a_person(root: Path) -> None:
    (root / "notes.txt").write_text("")
    (root / "nobody").mkdir()
    (root / ".hidden").mkdir()
    (root / "ada" / "Thumbs.db").write_text("")
    (root / "ada" / "more.jpg").mkdir()
    found = labelled_folder(root)
    assert found.names == ("ada", "bob", "cy")
    assert found.files == ("ada/1.jpg", "ada/2.PNG", "bob/x.webp", "cy/a.heic")
    assert found.people == (0, 0, 1, 2)
    assert found.groups == (None, None, None)
    assert found.nobody == ("nobody",)
    assert {str(each.path.relative_to(root)): each.reason for each in found.passed_over} == {
        ".hidden": "hidden",
        "ada/Thumbs.db": "system",
        "ada/more.jpg": "subfolder",
        "notes.txt": "not-of-a-person",
    }
    assert found.left_out == (".hidden", "ada/Thumbs.db", "ada/more.jpg", "nobody", "notes.txt")
    (root / "ada" / "more.jpg" / "3.jfif").write_bytes(b"\xff\xd8\xff\xe0 and more")
    deep = labelled_folder(root, recursive=True)
    assert deep.files[:3] == ("ada/1.jpg", "ada/2.PNG", "ada/more.jpg/3.jfif")


def test_the_same_file_is_no_pair_of_pictures(root: Path) -> None:
    (root / "ada" / "copy.jpg").symlink_to("1.jpg")
    os.link(root / "ada" / "1.jpg", root / "bob" / "ada.jpg")
    found = labelled_folder(root)
    assert found.files == ("ada/1.jpg", "ada/2.PNG", "bob/ada.jpg", "bob/x.webp", "cy/a.heic")
    assert [each.reason for each in found.passed_over] == ["same-file"]


def test_a_person_whose_folder_cannot_be_read_costs_no_other(root: Path) -> None:
    (root / "bob").chmod(0)
    with powerless_in(root):
        found = labelled_folder(Path())
    assert found.names == ("ada", "cy")
    assert found.unread == ("bob: Permission denied",)


def test_labels_are_those_of_the_user(root: Path, tmp_path: Path) -> None:
    path = labels(
        tmp_path, '\ufeffPerson, Group\r\nada,"night, shift"\r\n\r\nbob,\r\nada,"night, shift"\r\n'
    )
    found = labelled_folder(root, path)
    assert found.groups == ("night, shift", None, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the first line is ''; it must be 'person,group'"),
        ("name,sex\nada,f\n", "the first line is 'name,sex'"),
        ("person,group\neve,a\n", "line 2: there is no person 'eve'"),
        ("person,group\nada,a\nada,b\n", "line 3: 'ada' is in 'b' here and in 'a' above"),
        ("person,group\nada\n", "line 2: 1 fields"),
        ("person,group\nada,\n", "no person has a group in it"),
    ],
)
def test_wrong_labels_are_told(root: Path, tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EvaluationError) as error:
        labelled_folder(root, labels(tmp_path, text))
    assert str(error.value).startswith(str(tmp_path / "groups.csv"))
    assert told in str(error.value)


def test_labels_that_cannot_be_read_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="No such file"):
        labelled_folder(root, tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"person,group\nada,\xe9\n")
    with pytest.raises(EvaluationError, match="UTF-8"):
        labelled_folder(root, tmp_path / "latin.csv")


def test_folders_of_no_use_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="No such file or directory; name a folder"):
        labelled_folder(tmp_path / "none")
    with pytest.raises(EvaluationError, match="Not a directory"):
        labelled_folder(root / "ada" / "1.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match="no subfolder with pictures"):
        labelled_folder(tmp_path / "empty")
    with pytest.raises(EvaluationError, match="null"):
        labelled_folder(Path("a\0b"))
    (root / "ada" / "1.jpg").unlink()
    with pytest.raises(EvaluationError, match="all 3 people have one picture each"):
        labelled_folder(root)
    for name in ("bob", "cy"):
        (root / name).rename(tmp_path / name)
    with pytest.raises(EvaluationError, match="only one subfolder with pictures"):
        labelled_folder(root)


def test_names_in_another_encoding_stay_what_they_are(root: Path) -> None:
    broken = os.fsdecode(os.fsencode(root) + b"/\xff")
    Path(broken).mkdir()
    (Path(broken) / "1.jpg").write_bytes(b"")
    assert "\udcff/1.jpg" in labelled_folder(root).files


def test_to_search_in_another_folder_one_picture_of_one_person_is_enough(tmp_path: Path) -> None:
    root = tmp_path / "people"
    (root / "ada").mkdir(parents=True)
    with pytest.raises(EvaluationError, match="no subfolder with pictures"):
        labelled_folder(root, pairs=False)
    (root / "ada" / "1.jpg").touch()
    assert labelled_folder(root, pairs=False).files == ("ada/1.jpg",)
