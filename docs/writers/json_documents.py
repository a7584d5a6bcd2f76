"""The page of JSON documents: made by the commands' own code from sample data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from docs.writers.markdown import code, table
from sayso.cli import collections, consents, documents, enroll, gallery, models, subjects
from sayso.models.registry import load_registry
from sayso.models.store import ModelStatus
from sayso.results import (
    Candidate,
    Collection,
    ConsentRecord,
    EnrolledFace,
    Enrolment,
    EvidenceFile,
    PictureEnrolment,
    RecognizedFace,
    Subject,
    Tombstone,
)
from sayso.vision.types import Face, Quality

_INTRODUCTION = """\
# JSON documents

With `--json` a command prints exactly one document on standard output. Commands that take pictures
print one object for one picture, and an array of such objects for several pictures or a folder;
pictures that could not be used are not in it, and the exit status is then 1. When none could be
used the array is empty; a single picture that could not be used prints nothing, as does a command
that is refused as a whole. Fields may be added in later versions; those that are here keep their
meaning.
"""

#: What each field means, wherever it stands. A field without a line here fails the generator.
_MEANINGS = {
    "a": "the first picture and the face that was compared",
    "b": "the second picture and the face that was compared",
    "box": "x1, y1, x2, y2 in pixels of the upright picture; may leave it; null for an imported "
    "template or a picture that enrolled nobody",
    "collection": "the collection's name",
    "consent": "id of the consent that it was enrolled on",
    "consents": "how many consents there were",
    "cosine": "the raw score of the recogniser, -1 to 1",
    "created": "when it was made: ISO 8601, UTC",
    "default": "whether the first command that needs it fetches it",
    "enrolled": "how many faces are new (enroll), or the enrolled faces (subjects show)",
    "erased": "when the subject was erased",
    "erased_subjects": "how many subjects were erased with the collection",
    "error": "why the picture enrolled nobody, or null",
    "evidence": "the text that was given, or the name and sha256 of a document",
    "expected_false_matches": "how many strangers in this gallery, among the subjects that the "
    "purpose covers, would be expected to score at least this high; null when unknown",
    "face": "a face, as in pictures",
    "face_id": "id of the face in the gallery, or null",
    "faces": "the faces of a picture, best detection first; elsewhere how many",
    "false_match_rate": "upper bound on the share of pairs of strangers that score at least as "
    "high",
    "file": "name of the document",
    "from": "when the consent begins",
    "given": "when the subject agreed",
    "height": "of a picture in pixels; in a quality, of the box in pixels",
    "id": "a random id that stays the same",
    "kind": "detector or recogniser",
    "landmarks": "left eye, right eye, nose tip, left and right mouth corner as seen in the "
    "picture, each x, y in pixels",
    "licence": "the terms of the weights",
    "model": "the recogniser that made the templates; null before the first enrolment",
    "name": "the model's name",
    "picture": "the path as it was given",
    "pictures": "what became of each picture, in the order given",
    "pitch": "degrees; positive when the face looks up",
    "policy_version": "the text that was agreed to, or null",
    "purposes": "of a consent, all of its purposes; of a subject, those that a live consent covers",
    "quality": "how fit the face is to recognise somebody by; in `enrolled`, overall only",
    "overall": "0 to 100; orders faces by how well they recognise",
    "recorded": "when the consent was recorded",
    "recorded_by": "who recorded it",
    "repeated": "whether that picture had enrolled the subject before",
    "roll": "degrees; positive when the head tilts clockwise in the picture",
    "score": "how sure the detectors are that this is a face, 0 to 1",
    "sha256": "of the file",
    "sharpness": "0 to 100",
    "brightness": "0 to 100",
    "similarity": "0 to 100; null when unknown",
    "size": "bytes",
    "source": "who made it",
    "state": "installed, missing or damaged",
    "subject": "the subject's name; null for an unknown face, be it a stranger's or that of "
    "somebody whom the purpose does not cover",
    "subjects": "how many subjects",
    "template_version": "everything that templates depend on but runtime and precision",
    "terms": "what must be accepted first, or null",
    "title": "what it is",
    "tombstone": "what is left of the subject when nothing stood any more, or null",
    "training_data": "what is known about it",
    "until": "when the consent ends, or null",
    "visible": "share of the face inside the picture, 0 to 1",
    "width": "in pixels",
    "withdrawn": "the purposes that were withdrawn now; of a consent, when each one was",
    "yaw": "degrees; positive when the nose points to the right of the picture",
}

#: Keys that are data, not fields.
_DATA = {"photo-delivery"}

_NUMBERS = re.compile(r"\[[-\d.,\s]+\]")
_PAIRS = re.compile(r"\[(?:\s*\[[-\d., ]+\],?)+\s*\]")

_TIME = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_IDS = tuple(f"{n}f0d1c52-7a43-4d0e-9b6a-3f1d2c4b5a69" for n in range(1, 5))
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_VERSION = "sface-2021dec/yunet+centerface/1"
_QUALITY = Quality(
    overall=81.5,
    sharpness=46.8,
    brightness=55.7,
    yaw=-4.1,
    pitch=-9.6,
    roll=2.1,
    height=96.0,
    visible=1.0,
)
_FACE = Face(
    box=(187.0, 90.5, 261.0, 186.5),
    score=0.9161,
    landmarks=np.array([[208, 124], [242, 127], [224, 143], [207, 156], [238, 159]], np.float32),
    quality=_QUALITY,
)
_MATCH = RecognizedFace(
    _FACE,
    Candidate("ada", _IDS[0], similarity=97.5, cosine=0.71, expected_false_matches=4e-07),
)
_TOMBSTONE = Tombstone(_IDS[3], "club", created=_TIME, erased=_TIME, faces=1, consents=1)


def page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    seen: set[str] = set()
    for title, note, sample in _samples():
        shown = json.dumps(sample, indent=2)
        parts.append(f"## {title}\n\n{note}\n\n```json\n{_compact(shown)}\n```\n")
        seen.update(_fields(sample))
    if unknown := seen ^ set(_MEANINGS):
        raise LookupError(f"fields with no meaning here, or none any more: {sorted(unknown)}")
    rows = [(code(name), _MEANINGS[name]) for name in sorted(seen)]
    parts.append(f"## Fields\n\n{table(['field', 'meaning'], rows)}\n")
    return "\n".join(parts)


def _samples() -> Iterator[tuple[str, str, Any]]:
    path = Path("party.jpg")
    yield (
        "Pictures",
        "`sayso recognize`; `sayso faces` prints the same with nobody named.",
        documents.of_picture(
            path, 1280, 720, [documents.of_face(_FACE, _MATCH), documents.of_face(_FACE)]
        ),
    )
    face = documents.of_face(_FACE)
    yield (
        "Comparison",
        "`sayso compare`.",
        {
            "a": {"picture": "a.jpg", "face": face},
            "b": {"picture": "b.jpg", "face": face},
            "similarity": 97.5,
            "cosine": 0.71,
            "false_match_rate": documents.significant(4e-07),
        },
    )
    yield "Enrolment", "`sayso enroll`.", enroll._document(_enrolment())
    collection = Collection("club", _TIME, "sface-2021dec", _VERSION, 128, 1, 1)
    yield (
        "Collection",
        "`sayso collections create` and `show`; `list` prints an array of these.",
        collections._document(collection),
    )
    yield (
        "Deleted collection",
        "`sayso collections delete`.",
        {"collection": "club", "erased_subjects": 1},
    )
    subject = subjects._document(Subject(_IDS[1], "club", "ada", _TIME, 1, ("photo-delivery",)))
    enrolled = EnrolledFace(
        _IDS[0], "ada", _IDS[2], "sface-2021dec", _VERSION, _FACE.box, 81.5, _TIME
    )
    yield (
        "Subject",
        "`sayso subjects show`; `list` prints an array of these without `enrolled`.",
        {**subject, "enrolled": [subjects._face_document(enrolled)]},
    )
    yield "Tombstone", "`sayso subjects erase`.", gallery.tombstone_document(_TOMBSTONE)
    yield (
        "Consent",
        "`sayso consents add`; `list` prints an array of these.",
        consents._document(_consent()),
    )
    yield (
        "Withdrawal",
        "`sayso consents withdraw`.",
        {
            "collection": "club",
            "subject": "ada",
            "withdrawn": ["photo-delivery"],
            "tombstone": gallery.tombstone_document(_TOMBSTONE),
        },
    )
    yield (
        "Models",
        "`sayso models list`; here the first of them.",
        [models._document(ModelStatus(next(iter(load_registry().values())), "installed"))],
    )


def _enrolment() -> Enrolment:
    pictures = (PictureEnrolment("ada.jpg", 1, face_id=_IDS[0], box=_FACE.box, quality=_QUALITY),)
    return Enrolment("club", "ada", _IDS[2], pictures)


def _consent() -> ConsentRecord:
    return ConsentRecord(
        id=_IDS[2],
        subject="ada",
        purposes=("photo-delivery",),
        evidence=EvidenceFile("form-17.pdf", _SHA256),
        policy_version=None,
        given=_TIME,
        valid_from=_TIME,
        until=None,
        recorded=_TIME,
        recorded_by="user:ada",
        withdrawn={},
    )


def _fields(sample: Any) -> Iterator[str]:
    if isinstance(sample, dict):
        for name, value in sample.items():
            if name not in _DATA:
                yield name
            yield from _fields(value)
    elif isinstance(sample, list):
        for value in sample:
            yield from _fields(value)


def _compact(shown: str) -> str:
    """Put arrays of numbers, and arrays of such arrays, on one line each."""
    for numbers in (_NUMBERS, _PAIRS):
        shown = numbers.sub(lambda found: _line(found[0]), shown)
    return shown


def _line(array: str) -> str:
    return " ".join(array.split()).replace("[ ", "[").replace(" ]", "]")
