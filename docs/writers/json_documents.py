"""The page of JSON documents: made by the commands' own code from sample data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from docs.writers import evaluation
from docs.writers.markdown import code, table
from sayso.audit.about import about
from sayso.audit.chain import write_body
from sayso.audit.coding import to_fields
from sayso.audit.events import ConsentRecorded, Event, FacesEnrolled, Found, PictureSearched
from sayso.audit.heads import Head
from sayso.audit.log import Entry, Who
from sayso.audit.verification import Problem, Verification
from sayso.cli import (
    audit,
    collections,
    consents,
    documents,
    enroll,
    gallery,
    keys,
    models,
    purposes,
    report,
    subjects,
)
from sayso.folders import WHY, PassedOver
from sayso.gallery.times import microseconds
from sayso.models.registry import load_registry
from sayso.models.store import ModelStatus
from sayso.results import (
    AccessKey,
    Candidate,
    Collection,
    ConsentRecord,
    EnrolledFace,
    Enrolment,
    EvidenceFile,
    FalseMatchRule,
    PictureEnrolment,
    Purpose,
    RecognizedFace,
    Redacted,
    RedactedFace,
    Subject,
    SubjectReport,
    Threshold,
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

_REASONS = ", ".join(WHY)
_LINES = f"""\
## JSON Lines

With `--jsonl FILE` (`-` prints them) `faces`, `recognize`, `enroll` and `evaluate` write a line for
each picture as soon as it is done: what `--json` has of it, with

- `picture`, its path as it was given, and `sha256`, of its file;
- `asked`, a digest of all that was asked for: `--resume` leaves out a picture only where that and
  `sha256` are the same;
- `at`, when it was done, in UTC.

A picture that failed has `picture` and `error` alone. In the end comes a line with `passed_over`, a
path, `reason` and `why` for each file or folder that was not taken for a picture, and then one with
the numbers: `done`, `failed` and `passed_over`. Without that the file is of a run that was
interrupted. Reasons are: {_REASONS}.

`enroll` adds `collection`, `subject` and `consent`; `evaluate` has `person`, `faces`, `quality`,
`why` there is no template, or null, and the template in `sealed`, encrypted for the gallery alone.
The lines that `redact` keeps beside its manifest have the manifest of the copy in `copy`.
"""

#: What each field means, wherever it stands. A field without a line here fails the generator.
_MEANINGS = {
    "actions": "what the key may do",
    "actor": "who did it; of an access key, whose it is",
    "attestation": "the statement of how consent is collected, or null",
    "asked": "the caller's own limit, 0 to 100; a redaction has none",
    "by_default": "whether nobody declared the purpose, and the first consent to it did",
    "bytes": "size of the backup",
    "collections": "those that the key is good for; null for all",
    "covered": "whether the face was covered; of a picture, how many were",
    "created_by": "who made the key",
    "declared": "when the purpose was first declared",
    "declared_by": "who wrote the notice that is in force",
    "ends": "when it ends for each purpose, unless withdrawn before",
    "entries": "how many entries of the audit log",
    "entry": "the entry as it was hashed and signed",
    "event": "the kind of event",
    "events": "how many entries of the audit log the backup has",
    "expires": "when the key ends, or null",
    "fingerprint": "16 hex digits that tell the master key from others",
    "from_picture": "false where a ready template was enrolled",
    "hash": "of the entry, 64 hex digits",
    "head": "the last entry, as a head; null where there is none or it cannot be told",
    "history": "what else was done to the subject, the oldest first",
    "idle_days": "a consent ends so many days after the last contact",
    "key_file": "where the master key is",
    "keyring": "where the keyring was copied to",
    "kept": "how many faces were not covered",
    "last_interaction": "when the person was last in touch",
    "max_days": "a consent ends so many days after it was given; null for no such limit",
    "max_expected_false_matches": "how many strangers may be expected among the matches of a "
    "search, at most",
    "media_type": "of the copy",
    "met": "when the purpose was met, or null",
    "notes": "what the result stands on",
    "notice": "what people are told; in a report, what this one was told",
    "notice_version": "1 for the first text, and one more for each other",
    "notices": "the version of the notice that was agreed to, for each purpose",
    "number": "of the entry, from 1; of a problem, null where it is no one entry's",
    "ok": "whether there is no problem",
    "problems": "what is not as it was written, at most 100",
    "public_key": "the Ed25519 key that verifies the log, 64 hex digits",
    "purpose": "a purpose's name; of an entry, what was searched for, or null",
    "per": "what that limit holds for: a picture with all its faces, or each face",
    "population": "how many of the enrolled faces could have been found",
    "probes": "how many faces were looked for together",
    "reason": "of a tombstone: asked, withdrawn, expired, collection (deleted) or restore; of a "
    "face in a redacted picture why it was kept (consent) or covered: no-match that the rule and "
    "a consent allow, too-small, blurred, unsure whether it is a face, duplicate (another face is "
    "more like the same subject); or either, by-hand; of what was passed over: " + _REASONS,
    "passed_over": "what in the folders was not taken for a picture",
    "path": "of what was passed over",
    "record": "how the audit log names the picture",
    "revoked": "when the key was revoked, or null",
    "sayso-audit-head": "1, the version of this form",
    "sayso-redaction": "1, the version of this form",
    "searches": "every search that found the subject, the oldest first",
    "secret": "shown by `keys create` and never again",
    "software": "what made the copy",
    "style": "how faces were covered: solid, mosaic or ellipse",
    "thorough": "whether faces were looked for more closely (`--thorough`)",
    "made": "when, in UTC: on the consents as they stood then",
    "threshold": "what had to be reached to be named",
    "signature": "of the hash, Ed25519, 128 hex digits",
    "similarities": "of the faces that were found to be the subject's, best first; else empty",
    "time": "when: ISO 8601, UTC",
    "why": "the same in words",
    "what": "what was done in words, for the person; of a problem, what is wrong",
    "a": "the first picture and the face that was compared",
    "b": "the second picture and the face that was compared",
    "box": "x1, y1, x2, y2 in pixels of the upright picture; may leave it; null for an imported "
    "template or a picture that enrolled nobody",
    "collection": "the collection's name",
    "consent": "id of the consent that it was enrolled on",
    "consents": "how many consents there were; in a report, what was agreed to",
    "cosine": "the raw score of the recogniser, -1 to 1",
    "created": "when it was made: ISO 8601, UTC",
    "default": "whether the first command that needs it fetches it",
    "duplicate": "whether another face of the picture was recognised as the same subject: a mirror "
    "or a picture in the picture, or one of the names is wrong",
    "enrolled": "how many faces are new (enroll), or the enrolled faces (subjects show)",
    "erased": "of a tombstone, when; of a purpose that is met, the tombstones; of a restoration, "
    "how many did not come back",
    "erased_subjects": "how many subjects were erased with the collection",
    "error": "why the picture enrolled nobody, or null",
    "evidence": "the text that was given, or the name and sha256 of a document",
    "expected_false_matches": "how many strangers in this gallery, among the subjects that the "
    "purpose covers, would be expected to score at least this high; null when unknown",
    "face": "a face, as in pictures",
    "face_id": "id of the face in the gallery, or null",
    "faces": "the faces of a picture, best detection first; in a report, what is held; "
    "elsewhere how many",
    "false_match_rate": "upper bound on the share of pairs of strangers that score at least as "
    "high",
    "file": "name of the document of evidence, or of the file that was written or read; null where "
    "there is none",
    "false_matches_per": "what that limit holds for: all faces of a picture together, or each face",
    "from": "when the consent begins",
    "given": "when the subject agreed",
    "height": "of a picture in pixels; in a quality, of the box in pixels",
    "id": "an id that stays the same, and is random",
    "kind": "detector or recogniser",
    "landmarks": "left eye, right eye, nose tip, left and right mouth corner as seen in the "
    "picture, each x, y in pixels",
    "licence": "the terms of the weights",
    "model": "the recogniser that made the templates; null before the first enrolment",
    "name": "the model's name",
    "picture": "the path as it was given; of a redaction, only the name of the file",
    "pictures": "what became of each picture, in the order given",
    "pitch": "degrees; positive when the face looks up",
    "policy_version": "the text that was agreed to, or null",
    "purposes": "of a consent, all of its purposes; of a subject, those that a live consent "
    "covers; of a collection, those that were declared",
    "quality": "how fit the face is to recognise somebody by; in `enrolled` and of a redaction, "
    "overall only, null where nobody looked so closely",
    "overall": "0 to 100; orders faces by how well they recognise",
    "recorded": "when the consent was recorded",
    "recorded_by": "who recorded it",
    "repeated": "whether that picture had enrolled the subject before",
    "roll": "degrees; positive when the head tilts clockwise in the picture",
    "score": "how sure the detectors are that this is a face, 0 to 1; null for a place that was "
    "marked by hand",
    "sha256": "of the file; of a redaction, of the copy",
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
    "turn": "how far the head is turned clockwise in the picture, in degrees: 0, 90, 180 or 270; a "
    "turned one is enrolled as if it were upright",
    "until": "when the consent ends, or null",
    "visible": "share of the face inside the picture, 0 to 1",
    "width": "in pixels",
    "withdrawn": "the purposes that were withdrawn now; of a consent, when each one was",
    "yaw": "degrees; positive when the nose points to the right of the picture",
}

#: Keys that are data, not fields.
_DATA = {"photo-delivery"}

_NUMBERS = re.compile(r"\[[-\d.,\s]+\]")
_LOCAL = re.compile(r"On .+? at \d\d:\d\d ")
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
_TOMBSTONE = Tombstone(
    _IDS[3], "club", created=_TIME, erased=_TIME, faces=1, consents=1, reason="withdrawn"
)
_FINGERPRINT = "9f86d081884c7d65"
_SUBJECT = Subject(_IDS[1], "club", "ada", _TIME, 1, ("photo-delivery",))
_ENROLLED = EnrolledFace(_IDS[0], "ada", _IDS[2], "sface-2021dec", _VERSION, _FACE.box, 81.5, _TIME)
_PURPOSE = Purpose(
    id=_IDS[3],
    collection="club",
    name="photo-delivery",
    version=1,
    notice="We find you in photographs of club evenings.",
    max_days=365,
    idle_days=1095,
    by_default=False,
    declared=_TIME,
    declared_by="user:ada",
    met=None,
)
_KEY = AccessKey(
    id="SAYSMFRGGZDFMZTWQ2LK",
    actor="program:gate",
    purpose="photo-delivery",
    actions=("search",),
    collections=("club",),
    attestation=None,
    created=_TIME,
    created_by="user:ada",
    expires=None,
    revoked=None,
)
_HEAD = Head(7, _SHA256, _SHA256 * 2, _SHA256, _TIME)
_SEARCHED = PictureSearched("club", _SHA256, 13, 80, (Found(_IDS[1], 97.5),))


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
    parts.append(_LINES)
    parts.append(evaluation.section())
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
    yield (
        "Redaction",
        "`sayso redact`, also in the manifest it writes.",
        _redacted().manifest("party.jpg", "out.jpg"),
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
    passed_over = [PassedOver(Path("pictures/notes.txt"), "not-a-picture")]
    yield "Enrolment", "`sayso enroll`.", enroll._document(_enrolment(), passed_over)
    collection = Collection(
        "club", _TIME, "sface-2021dec", _VERSION, 128, 1, 1, rule=FalseMatchRule()
    )
    yield (
        "Collection",
        "`sayso collections show`; `create` prints it without `purposes`, `list` an array of them.",
        {**collections._document(collection), "purposes": ["photo-delivery"]},
    )
    yield (
        "Deleted collection",
        "`sayso collections delete`.",
        {"collection": "club", "erased_subjects": 1},
    )
    subject = subjects._document(_SUBJECT)
    yield (
        "Subject",
        "`sayso subjects show`; `list` prints an array of these without `enrolled`.",
        {**subject, "enrolled": [subjects._face_document(_ENROLLED)]},
    )
    tombstone = gallery.tombstone_document(_TOMBSTONE)
    yield "Tombstone", "`sayso subjects erase`; `subjects sweep` prints an array.", tombstone
    yield (
        "Consent",
        "`sayso consents add`; `list` and `interaction` print an array of these.",
        consents._document(_consent()),
    )
    yield (
        "Withdrawal",
        "`sayso consents withdraw`.",
        {
            "collection": "club",
            "subject": "ada",
            "withdrawn": ["photo-delivery"],
            "tombstone": tombstone,
        },
    )
    yield (
        "Report",
        "`sayso subjects report`; `consents` has an element for each purpose of each consent.",
        _in_utc(report._document(_report())),
    )
    yield (
        "Purpose",
        "`sayso purposes declare`; `list` prints an array of these.",
        purposes._document(_PURPOSE),
    )
    yield (
        "Purpose that is met",
        "`sayso purposes met`.",
        {"collection": "club", "purpose": "photo-delivery", "erased": [tombstone]},
    )
    yield from _keeping()


def _keeping() -> Iterator[tuple[str, str, Any]]:
    yield (
        "Access key",
        "`sayso keys create`; `revoke` prints the same, and `list` an array, without `secret`.",
        {**keys._document(_KEY), "secret": "told this once"},
    )
    entry = {"fingerprint": _FINGERPRINT, "subjects": 1}
    yield "Keyring", "`sayso keyring show`.", {**entry, "key_file": "data/master.key"}
    yield (
        "Rotation of the master key",
        "`sayso keyring rotate`; `key_file` is what `--to` named, or null.",
        {"fingerprint": _FINGERPRINT, "key_file": None},
    )
    yield "Copy of the keyring", "`sayso keyring copy`.", {"file": "keyring.sqlite", **entry}
    yield (
        "Entry of the audit log",
        "`sayso audit tail` prints an array of these; in `entry` is [an event](events.md).",
        audit._document(_entry(_SEARCHED)),
    )
    problem = Problem(3, "its hash is not that of its content")
    note = "checked with the public key of the saved head"
    yield (
        "Verification",
        "`sayso audit verify`.",
        audit._result(Verification(7, _HEAD, (problem,), (note,))),
    )
    yield (
        "Head of the audit log",
        "`sayso audit head`, also in the file it writes.",
        _HEAD.document(),
    )
    yield "Export", "`sayso audit export FILE`.", {"file": "log.jsonl", "entries": 7}
    yield (
        "Backup",
        "`sayso backup`; `keyring` is null where the keyring was not copied.",
        {
            "file": "club.backup",
            "bytes": 213071,
            "subjects": 1,
            "faces": 1,
            "events": 7,
            "keyring": "keyring.sqlite",
            "fingerprint": _FINGERPRINT,
        },
    )
    yield (
        "Restoration",
        "`sayso restore`; `erased` is how many of the backup's subjects did not come back.",
        {"file": "club.backup", "subjects": 1, "faces": 1, "erased": 0},
    )
    yield (
        "Models",
        "`sayso models list`; here the first of them.",
        [models._document(ModelStatus(next(iter(load_registry().values())), "installed"))],
    )


def _enrolment() -> Enrolment:
    pictures = (PictureEnrolment("ada.jpg", 1, face_id=_IDS[0], box=_FACE.box, quality=_QUALITY),)
    return Enrolment("club", "ada", _IDS[2], pictures)


def _redacted() -> Redacted:
    faces = (
        RedactedFace(
            *(_FACE.box, _FACE.score, _QUALITY.overall, False, "consent"),
            *(_MATCH.subject, _MATCH.similarity, _MATCH.expected_false_matches),
        ),
        RedactedFace((601.0, 33.2, 618.0, 54.0), 0.412, None, True, "too-small"),
    )
    threshold = Threshold(54.77, 0.0, 1, 1, 0.01, "picture")
    return Redacted(
        data=b"",
        suffix=".jpg",
        picture="",
        record=_SHA256,
        collection="club",
        purpose="photo-delivery",
        style="solid",
        thorough=False,
        made=_TIME,
        width=1280,
        height=720,
        faces=faces,
        threshold=threshold,
    )


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
        last_interaction=_TIME,
        ends={"photo-delivery": _TIME.replace(year=2029)},
        notices={"photo-delivery": 1},
        withdrawn={},
    )


def _report() -> SubjectReport:
    enrolled = FacesEnrolled("club", _IDS[1], _IDS[2], (_IDS[0],), (_SHA256,))
    recorded = ConsentRecorded("club", _IDS[1], _IDS[2], ("photo-delivery",), None)
    return SubjectReport(
        subject=_SUBJECT,
        faces=(_ENROLLED,),
        consents=(_consent(),),
        notices={("photo-delivery", 1): _PURPOSE.notice},
        entries=tuple(about(_entry(each), _IDS[1]) for each in (recorded, enrolled, _SEARCHED)),
    )


def _in_utc(document: dict[str, Any]) -> dict[str, Any]:
    """Put one time for the local ones in the sentences, which differ from machine to machine."""
    for told in (*document["searches"], *document["history"]):
        told["what"] = _LOCAL.sub("On 4 May 2026 at 09:30 ", told["what"])
    return document


def _entry(event: Event) -> Entry:
    purpose = "photo-delivery" if event is _SEARCHED else None
    who = Who("user:ada", None, purpose)
    body = write_body(7, microseconds(_TIME), _SHA256, who, event.kind, to_fields(event))
    return Entry(7, _TIME, who.actor, None, purpose, event, body, _SHA256, _SHA256 * 2)


def _fields(sample: Any) -> Iterator[str]:
    if isinstance(sample, dict):
        for name, value in sample.items():
            if name not in _DATA:
                yield name
            if name != "entry":  # each kind of event has its own
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
