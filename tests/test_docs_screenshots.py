"""The pictures of the console: taken from the running service, and small without a loss."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from docs import screenshots
from docs.screenshots import NotTaken, Shot
from PIL import Image


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


def test_pictures_are_of_the_console_of_somebody_signed_in(
    chromium: str, model_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_DATA", str(model_data))
    before = {path.name for path in model_data.iterdir()}
    seen: list[str] = []
    shots = (
        Shot("seen", "look", lambda page, _: seen.append(page.inner_text("body"))),
        Shot("seen", "look", size=screenshots.PHONE, dark=True),
        Shot("gone", "no-such-page"),
    )
    taken = screenshots.take(shots, tmp_path / "images", chromium)
    files = [next(taken), next(taken)]
    with pytest.raises(NotTaken, match="gone-1280-light: /console/no-such-page gave status 404"):
        next(taken)
    assert [file.name for file in files] == ["seen-1280-light.png", "seen-360-dark.png"]
    assert screenshots.COLLECTION in seen[0]
    corners, sizes = [], []
    for file in files:
        with Image.open(file) as picture:
            corners.append(sum(picture.convert("RGB").resize((1, 1)).tobytes()) / 3)
            sizes.append(picture.size)
    assert sizes == [screenshots.WIDE, screenshots.PHONE]
    light, dark = corners
    assert light > 200
    assert dark < 80
    # The gallery is a temporary one: nothing was done to that whose models were used.
    assert {path.name for path in model_data.iterdir()} == before


@pytest.mark.parametrize("colours", [3, 256, 5000])
def test_shrinking_loses_nothing(colours: int, tmp_path: Path) -> None:
    chance = random.Random(colours)
    palette = [tuple(chance.randbytes(3)) for _ in range(colours)]
    picture = Image.new("RGBA", (160, 120))
    picture.putdata([(*chance.choice(palette), 255) for _ in range(160 * 120)])
    file = tmp_path / "a.png"
    picture.save(file)
    before = file.stat().st_size
    screenshots.shrink(file)
    with Image.open(file) as after:
        assert after.convert("RGB").tobytes() == picture.convert("RGB").tobytes()
    assert file.stat().st_size < before


def test_every_picture_has_a_name_of_its_own() -> None:
    names = [shot.name for shot in screenshots.SHOTS]
    assert len(set(names)) == len(names)


def test_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        screenshots.main(["no-such-picture"])
    assert ended.value.code == 2
    assert "no such picture: no-such-picture" in capsys.readouterr().err
