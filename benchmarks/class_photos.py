"""Class photos composed of LFW: who agreed to be seen is kept, and everybody else is covered.

A class is 30 people, of whom ten agreed. In the class's collection stand these ten, by one to
three pictures that are in no photo; ten of the others, who agreed to another purpose, half of
them to this one as well, which they withdrew; and twenty more people of another purpose, who are
in no photo. A photo shows all 30, each by another picture, in rows; from photo to photo heads are
60 to 200 pixels high, and brightness and the quality of the JPEG vary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import sayso
from benchmarks.calibration import LISTED_TWICE, MISLABELLED, TWINS
from sayso.analyzer import Analyzer
from sayso.core.evaluating import central_face
from sayso.redacted import Redacted, RedactedFace
from sayso.redaction.picture import FILL
from sayso.vision.picture import decode

CLASSES, PHOTOS = 10, 20
PEOPLE, AGREED, ELSEWHERE, ABSENT = 30, 10, 10, 20
PURPOSE, OTHER_PURPOSE = "class-photo", "archive"
_COLUMNS = 6
#: What of an LFW picture of 250 pixels is shown: the head, whole, and what is around it.
_LEFT, _TOP, _WIDTH, _HEIGHT = 35, 20, 180, 210
#: A face of LFW is about so many pixels high (deep funnelling makes them alike).
_FACE = 105
_GAP = 12
#: A face is left uncovered when more than a tenth of its box shows, and kept when three quarters
#: do: a cover beside it may reach over its border.
_SHOWN, _KEPT = 0.9, 0.25
#: JPEG moves a cover's colour by less than this.
_NEAR_FILL = 14


@dataclass(frozen=True, slots=True)
class Class:
    """Who is in it, by name, with all their pictures; the first ten agreed."""

    name: str
    people: dict[str, list[Path]]
    absent: dict[str, list[Path]]
    enrolled: dict[str, list[Path]]

    @property
    def agreed(self) -> list[str]:
        """Those who agreed to be seen in the class photo."""
        return list(self.people)[:AGREED]


@dataclass(frozen=True, slots=True)
class Shown:
    """A face of a photo: its box in pixels, and who it is, None for one in the background."""

    box: tuple[float, float, float, float]
    who: str | None


@dataclass(frozen=True, slots=True)
class Photo:
    """A JPEG file, and every face in it that is known of."""

    jpeg: bytes
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the faces of one photo.

    Of people who did not agree (``others``, in the background ``behind``) how many were left
    uncovered; of those who did (``agreed``), how many were kept; and faces uncovered as somebody
    else, or where none is known of.
    """

    others: int
    others_uncovered: int
    behind: int
    behind_uncovered: int
    agreed: int
    kept: int
    mistaken: int


def classes(images: Path, *, count: int = CLASSES, seed: int = 8) -> list[Class]:
    """Return classes of different people; those who agreed have at least four pictures."""
    chance = np.random.default_rng(seed)
    doubtful = {name for names in (*LISTED_TWICE, *TWINS) for name in names}
    doubtful |= {name.split("/")[0] for name in MISLABELLED}
    pictures = {
        folder.name: sorted(folder.glob("*.jpg"))
        for folder in sorted(images.iterdir())
        if folder.name not in doubtful
    }
    names = [name for name in pictures if pictures[name]]
    order = [names[row] for row in chance.permutation(len(names))]
    many = [name for name in order if len(pictures[name]) >= 4][: AGREED * count]
    some = [name for name in order if len(pictures[name]) >= 2 and name not in set(many)]
    some = some[: ELSEWHERE * count]
    rest = [name for name in order if name not in {*many, *some}]
    made = []
    for number in range(count):
        agreed = many[number::count]
        elsewhere = some[number::count]
        unknown, absent = rest[number::count][: PEOPLE - AGREED - ELSEWHERE], rest[::-1]
        absent = absent[number::count][:ABSENT]
        people = {name: pictures[name] for name in (*agreed, *elsewhere, *unknown)}
        enrolled = {name: people[name][: int(chance.integers(1, 4))] for name in agreed}
        enrolled |= {name: people[name][:1] for name in elsewhere}
        away = {name: pictures[name] for name in absent}
        enrolled |= {name: each[:1] for name, each in away.items()}
        made.append(Class(f"class-{number + 1}", people, away, enrolled))
    return made


def enrol(app: sayso.Sayso, group: Class) -> None:
    """Make the class's collection, with everybody's consents."""
    app.create_collection(group.name)
    for place, (name, pictures) in enumerate(group.enrolled.items()):
        both = AGREED <= place < AGREED + ELSEWHERE // 2
        purposes = [PURPOSE] if place < AGREED else [OTHER_PURPOSE, *[PURPOSE] * both]
        consent = sayso.Consent(purposes, "research data set")
        # Two people of LFW may look alike; here it is known that they are two.
        faces = [_cropped(path) for path in pictures]
        app.enroll(group.name, subject=name, pictures=faces, consent=consent, allow_lookalike=True)
        if both:
            app.withdraw_consent(group.name, name, PURPOSE)


def photos(
    group: Class, analyzer: Analyzer, *, count: int = PHOTOS, seed: int = 9
) -> Iterator[Photo]:
    """Compose photos of a class, each person by a picture that they were not enrolled by."""
    chance = np.random.default_rng([seed, *group.name.encode()])
    for _ in range(count):
        size = float(np.exp(chance.uniform(np.log(60 / 0.9), np.log(200 / 1.1))))
        names = list(group.people)
        shown: list[Shown] = []
        cell = round(1.1 * size / _FACE * _WIDTH), round(1.1 * size / _FACE * _HEIGHT)
        height = PEOPLE // _COLUMNS * (cell[1] + _GAP) + _GAP
        width = _COLUMNS * (cell[0] + _GAP) + _GAP
        canvas = np.full((height, width, 3), chance.integers(60, 200, 3), np.uint8)
        light = chance.uniform(0.6, 1.35)
        for place, row in enumerate(chance.permutation(PEOPLE)):
            name = names[row]
            free = [path for path in group.people[name] if path not in group.enrolled.get(name, ())]
            path = free[int(chance.integers(len(free)))]
            scale = size * chance.uniform(0.9, 1.1) / _FACE
            x = _GAP + place % _COLUMNS * (cell[0] + _GAP)
            y = _GAP + place // _COLUMNS * (cell[1] + _GAP)
            tile = _tile(path, scale, light * chance.uniform(0.9, 1.1))
            canvas[y : y + len(tile), x : x + tile.shape[1]] = tile
            shown += _placed(path, name, analyzer, scale, (x, y))
        quality = int(chance.integers(70, 96))
        done, jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        yield Photo(jpeg.tobytes(), tuple(shown))


def judge(group: Class, photo: Photo, redacted: Redacted) -> Verdict:
    """Compare what a redaction gave with who agreed, by the pixels of its file."""
    pixels = decode(redacted.data).pixels.astype(int)
    mask = (np.abs(pixels - np.array(FILL)) <= _NEAR_FILL).all(axis=2)
    agreed = set(group.agreed)
    hidden = [(face, _share(mask, face.box)) for face in photo.shown]
    others = [share for face, share in hidden if face.who is not None and face.who not in agreed]
    behind = [share for face, share in hidden if face.who is None]
    own = [share for face, share in hidden if face.who in agreed]
    seen = [face for face in redacted.faces if not face.covered]
    return Verdict(
        others=len(others),
        others_uncovered=sum(share < _SHOWN for share in others),
        behind=len(behind),
        behind_uncovered=sum(share < _SHOWN for share in behind),
        agreed=len(own),
        kept=sum(share <= _KEPT for share in own),
        mistaken=sum(not _is_right(face, photo) for face in seen),
    )


def _is_right(face: RedactedFace, photo: Photo) -> bool:
    """Whether a face that is not covered is that of the subject that it was taken for."""
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    at = [each for each in photo.shown if _inside(each.box, x, y)]
    return any(each.who == face.subject for each in at)


def _inside(box: tuple[float, float, float, float], x: float, y: float) -> bool:
    return box[0] < x < box[2] and box[1] < y < box[3]


def _share(mask: NDArray[np.bool_], box: tuple[float, float, float, float]) -> float:
    """Return the share of a box, as far as it lies inside the picture, where the mask is."""
    x1, y1, x2, y2 = (max(0, round(side)) for side in box)
    return float(mask[y1:y2, x1:x2].mean())


def _cropped(path: Path) -> bytes:
    """Return a picture's middle, as a PNG: whoever stands at its border is not who is enrolled."""
    picture = np.asarray(cv2.imread(str(path)), np.uint8)
    done, png = cv2.imencode(".png", picture[30:220, 55:195])
    assert done
    return png.tobytes()


def _tile(path: Path, scale: float, light: float) -> NDArray[np.uint8]:
    picture = np.asarray(cv2.imread(str(path)), np.uint8)
    part = picture[_TOP : _TOP + _HEIGHT, _LEFT : _LEFT + _WIDTH]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=method)
    return np.asarray(np.clip(large * light, 0, 255), np.uint8)


def _placed(
    path: Path, name: str, analyzer: Analyzer, scale: float, corner: tuple[int, int]
) -> Iterator[Shown]:
    for box, is_theirs in _faces(path, analyzer):
        moved = (np.array(box) - np.tile([_LEFT, _TOP], 2)) * scale + np.tile(corner, 2)
        x1, y1, x2, y2 = (float(side) for side in moved)
        yield Shown((x1, y1, x2, y2), name if is_theirs else None)


@cache
def _faces(
    path: Path, analyzer: Analyzer
) -> tuple[tuple[tuple[float, float, float, float], bool], ...]:
    """Return the faces of an LFW picture that lie in what is shown of it; one is the person's.

    In its place and size every picture of LFW has its person's face, found or not.
    """
    analysis = analyzer.analyze(path)
    chosen = central_face(analysis)
    found = [(face.box, row == chosen) for row, face in enumerate(analysis.faces)]
    if chosen is None:
        found.append(((85.0, 70.0, 165.0, 175.0), True))
    right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT
    return tuple(
        (box, is_theirs)
        for box, is_theirs in found
        if is_theirs
        or (box[0] >= _LEFT and box[1] >= _TOP and box[2] <= right and box[3] <= bottom)
    )
