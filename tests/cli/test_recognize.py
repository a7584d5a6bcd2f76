"""The main job: enrol on consent, recognise in a group, and let everybody else be unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Cli, Outcome

CONSENT = ("--purpose", "photo-delivery", "--evidence", "form 17")
STRANGERS = ("Abel_Pacheco", "Aaron_Peirsol", "Abdullah_Gul")


@pytest.fixture
def group(tmp_path: Path, portrait: Path, lfw: Path) -> Path:
    """A picture of the astronaut, smaller than in her portrait, among three strangers."""
    picture = Image.new("RGB", (1000, 300), (70, 70, 70))
    for i, name in enumerate(STRANGERS):
        with Image.open(lfw / "images" / name / f"{name}_0001.jpg") as stranger:
            picture.paste(stranger, (10 + 250 * i, 20))
    with Image.open(portrait) as astronaut:
        picture.paste(
            astronaut.convert("RGB").crop((100, 0, 360, 260)).resize((220, 220)), (770, 30)
        )
    picture.save(tmp_path / "group.jpg", quality=90)
    return tmp_path / "group.jpg"


@pytest.fixture
def club(recognising: Cli, portrait: Path) -> Cli:
    """The command line, with the astronaut enrolled."""
    assert recognising("collections", "create", "club").status == 0
    outcome = recognising("enroll", "club", "eileen", portrait, *CONSENT)
    assert outcome.status == 0, outcome.err
    assert "\nevidence: the text 'form 17'\n" in outcome.out
    return recognising


def test_where_nothing_may_be_claimed_it_says_so_and_names_nobody(club: Cli, group: Path) -> None:
    asked = ("recognize", "club", group, "--purpose", "photo-delivery")
    assert " 1 named" in club(*asked).out
    club("collections", "limit", "club", "--max-expected-false-matches", "1e-8")
    told = club(*asked)
    assert told.status == 0
    assert " 0 named" in told.out
    assert "not measured: no similarity is known to keep to" in told.out
    document = club(*asked, "--json").document
    assert named(document) == []
    assert document["threshold"]["similarity"] is None
    club("collections", "limit", "club", "--max-expected-false-matches", "1e-7")
    told = club(*asked)
    assert "\n  named from similarity 8" in told.out
    assert "at most 1e-07 (1 in 10,000,000) false matches expected in a picture" in told.out


def named(document: dict[str, list[dict[str, object]]]) -> list[object]:
    return [face["subject"] for face in document["faces"] if face["subject"] is not None]


def test_the_enrolled_are_named_and_strangers_are_not(club: Cli, group: Path) -> None:
    outcome = club("recognize", "club", group, "--purpose", "photo-delivery", "--json")
    assert outcome.status == 0
    document = outcome.document
    assert (document["width"], document["height"]) == (1000, 300)
    assert len(document["faces"]) == 4
    assert named(document) == ["eileen"]
    (face,) = [face for face in document["faces"] if face["subject"]]
    assert face["box"][0] > 770
    assert 80 <= face["similarity"] <= 100
    assert 0 <= face["expected_false_matches"] < 0.01
    assert document["threshold"]["asked"] == 0
    assert 0 < document["threshold"]["similarity"] < 50  # the rule alone: 0.01 of 4 faces among 1
    assert (document["threshold"]["probes"], document["threshold"]["population"]) == (4, 1)
    for face in document["faces"]:
        assert (face["subject"] is None) == (face["similarity"] is None)
        assert (face["subject"] is None) == (face["expected_false_matches"] is None)


def test_text_gives_no_percentage_to_the_unknown(club: Cli, group: Path) -> None:
    outcome = club("recognize", "club", group, "--purpose", "photo-delivery")
    assert outcome.out.startswith(f"{group}: 4 faces, 1 named (1000 x 300)\n")
    # What had to be reached stands before the names: the rule decided.
    assert "  named from similarity " in outcome.out.splitlines()[1]
    lines = outcome.out.splitlines()[3:]
    assert lines[0].startswith("eileen ")
    assert all(line.startswith("(unknown)   ") for line in lines[1:])
    similarity = outcome.out.splitlines()[2].index("similarity")
    assert all(not line[similarity : similarity + 10].strip() for line in lines[1:])


def test_another_purpose_names_nobody(club: Cli, group: Path) -> None:
    document = club("recognize", "club", group, "--purpose", "advertising", "--json").document
    assert len(document["faces"]) == 4
    assert named(document) == []


def test_who_withdrew_is_unknown_at_once(club: Cli, portrait: Path) -> None:
    club("consents", "withdraw", "club", "eileen")
    search = ("recognize", "club", portrait, "--purpose", "photo-delivery", "--json")
    assert named(club(*search).document) == []


def test_annotations_differ_where_somebody_is_named(club: Cli, group: Path, tmp_path: Path) -> None:
    for purpose in ("photo-delivery", "advertising"):
        target = tmp_path / f"{purpose}.png"
        outcome = club("recognize", "club", group, "--purpose", purpose, "--out", target)
        assert outcome.status == 0, outcome.err
    with (
        Image.open(tmp_path / "photo-delivery.png") as a,
        Image.open(tmp_path / "advertising.png") as b,
    ):
        left, right = (im.crop((0, 0, 740, 300)).tobytes() for im in (a, b))
        assert left == right
        assert a.tobytes() != b.tobytes()


def test_enrolling_tells_what_became_of_each_picture(
    recognising: Cli, portrait: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), (90, 120, 60)).save(tmp_path / "meadow.jpg")
    recognising("collections", "create", "club")
    outcome = recognising(
        "enroll", "club", "eileen", portrait, tmp_path / "meadow.jpg", *CONSENT, "--json"
    )
    assert outcome.status == 1
    good, bad = outcome.document["pictures"]
    assert (good["faces"], good["error"]) == (1, None)
    assert good["face_id"]
    assert (bad["faces"], bad["face_id"]) == (0, None)
    assert str(tmp_path / "meadow.jpg") in outcome.err
    shown = recognising("subjects", "show", "club", "eileen", "--json").document
    assert [face["face_id"] for face in shown["enrolled"]] == [good["face_id"]]
    assert shown["enrolled"][0]["model"] == "sface-2021dec"


def test_a_picture_without_a_face_enrols_nobody(recognising: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (90, 120, 60)).save(tmp_path / "meadow.jpg")
    recognising("collections", "create", "club")
    outcome = recognising("enroll", "club", "bob", tmp_path / "meadow.jpg", *CONSENT)
    assert (outcome.status, outcome.out) == (1, "")
    assert recognising("subjects", "list", "club", "--json").document == []


def test_without_a_consent_nobody_is_enrolled(recognising: Cli, portrait: Path) -> None:
    recognising("collections", "create", "club")
    outcome = recognising("enroll", "club", "eileen", portrait)
    assert outcome.status == 1
    assert "sayso consents add" in outcome.err
    assert "--purpose and --evidence" in outcome.err
    recognising("consents", "add", "club", "eileen", *CONSENT)
    assert recognising("enroll", "club", "eileen", portrait).status == 0


def test_several_processes_share_one_gallery(club: Cli, shell: Cli, group: Path) -> None:
    outcome = shell("recognize", "club", group, "--purpose", "photo-delivery", "--json")
    assert outcome.status == 0
    assert named(outcome.document) == ["eileen"]


def enrol_again(club: Cli, subject: str, picture: Path, *more: str) -> Outcome:
    return club("enroll", "club", subject, picture, *CONSENT, *more)


@pytest.fixture
def bystanders(tmp_path: Path, portrait: Path, lfw: Path) -> Path:
    """The portrait with a stranger, much smaller, beside her."""
    with Image.open(portrait) as astronaut:
        picture = Image.new("RGB", (760, 512), (70, 70, 70))
        picture.paste(astronaut.convert("RGB"), (0, 0))
    name = STRANGERS[0]
    with Image.open(lfw / "images" / name / f"{name}_0001.jpg") as stranger:
        picture.paste(stranger.resize((125, 125)), (600, 20))
    picture.save(tmp_path / "bystanders.png")
    return tmp_path / "bystanders.png"


def test_of_several_faces_the_largest_is_enrolled_and_that_is_said(
    club: Cli, bystanders: Path
) -> None:
    outcome = enrol_again(club, "eileen", bystanders)
    assert outcome.status == 0, outcome.err
    assert "  enrolled, one of 2 faces  " in outcome.out
    shown = club("subjects", "show", "club", "eileen", "--json").document
    assert shown["faces"] == 2


def test_the_face_that_is_asked_for_is_enrolled(club: Cli, bystanders: Path) -> None:
    listed = club("faces", bystanders, "--json").document["faces"]
    smaller = min(range(2), key=lambda place: listed[place]["box"][2] - listed[place]["box"][0])
    outcome = enrol_again(club, "abel", bystanders, "--face", str(smaller + 1), "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.document["pictures"][0]["box"] == listed[smaller]["box"]
    central = enrol_again(club, "eileen", bystanders, "--face", "central", "--json")
    assert central.document["pictures"][0]["box"] == listed[1 - smaller]["box"]


@pytest.mark.parametrize("face", ["0", "-1", "x", "1.5", "³", "999999"])
def test_what_is_no_face_of_a_picture_is_refused(club: Cli, portrait: Path, face: str) -> None:
    outcome = enrol_again(club, "eileen", portrait, "--face", face)
    assert (outcome.status, outcome.out) == (2, "")
    assert "is not a number from 1 on, largest or central" in outcome.err


@pytest.mark.parametrize("more", [(), ("--jsonl", "lines.jsonl")])
def test_a_picture_that_leaves_it_open_is_skipped_and_the_others_enrol(
    club: Cli, portrait: Path, lfw: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    picture = Image.new("RGB", (500, 250))
    for place, name in enumerate(STRANGERS[:2]):
        with Image.open(lfw / "images" / name / f"{name}_0001.jpg") as stranger:
            picture.paste(stranger, (250 * place, 0))
    picture.save(tmp_path / "two.png")
    options = [tmp_path / each if "." in each else each for each in more]
    skipped = club("enroll", "club", "other", tmp_path / "two.png", *CONSENT, *options)
    assert skipped.status == 1
    assert "so it is not clear whose it is" in skipped.err
    with Image.open(lfw / "images" / STRANGERS[2] / f"{STRANGERS[2]}_0001.jpg") as alone:
        alone.save(tmp_path / "one.png")
    resumed = ["--resume"] if more else []
    pictures = (tmp_path / "one.png", tmp_path / "two.png")
    done = club("enroll", "club", "other", *pictures, *CONSENT, *options, *resumed)
    assert done.status == 0, done.err
    assert "so it is not clear whose it is" in done.err
    assert club("subjects", "show", "club", "other", "--json").document["faces"] == 1


def test_a_face_that_is_not_there_enrols_nobody(club: Cli, portrait: Path) -> None:
    outcome = enrol_again(club, "other", portrait, "--face", "7")
    assert outcome.status == 1
    assert "face 7 was asked for, and the picture has 1" in outcome.err
    assert club("subjects", "show", "club", "other").status == 1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_portrait_that_lies_is_enrolled_and_that_is_said(
    recognising: Cli, portrait: Path, tmp_path: Path, quarters: int
) -> None:
    with Image.open(portrait) as upright:
        upright.convert("RGB").rotate(-90 * quarters, expand=True).save(tmp_path / "lying.png")
    recognising("collections", "create", "club")
    outcome = recognising("enroll", "club", "eileen", tmp_path / "lying.png", *CONSENT)
    assert outcome.status == 0, outcome.err
    assert f"the head is turned by {90 * quarters} degrees" in outcome.err
    assert f"enrolled, turned by {90 * quarters} degrees" in outcome.out
    found = recognising("recognize", "club", portrait, "--purpose", "photo-delivery", "--json")
    assert named(found.document) == ["eileen"]


def test_a_face_of_another_subject_is_refused_unless_told_otherwise(
    club: Cli, bystanders: Path
) -> None:
    refused = enrol_again(club, "mallory", bystanders)
    assert (refused.status, refused.out) == (1, "")
    assert "more like another enrolled subject" in refused.err
    assert "--allow-lookalike" in refused.err
    assert "eileen" not in refused.err  # nobody learns who else is enrolled
    assert club("subjects", "show", "club", "mallory").status == 1
    allowed = enrol_again(club, "twin", bystanders, "--allow-lookalike", "--json")
    assert allowed.status == 0, allowed.err
    assert allowed.document["enrolled"] == 1
    kinds = club("audit", "tail", "-n", "100", "--json").document
    assert "lookalike-refused" in [each["entry"]["event"] for each in kinds]


def test_the_faces_command_is_on_record(club: Cli, portrait: Path) -> None:
    assert club("faces", portrait).status == 0
    (entry,) = club("audit", "tail", "--event", "faces-detected", "--json").document
    assert entry["entry"]["faces"] == 1
    assert portrait.name not in str(entry)
