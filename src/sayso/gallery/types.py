"""The data that travels: collections, subjects, consents and what erasure leaves.

Every time is a ``datetime`` in UTC. Where a caller gives one without a time zone, it is taken as
local time, as ``datetime.astimezone`` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sayso.errors import ConsentRequired
from sayso.evidence.rule import FalseMatchRule
from sayso.gallery.names import check_purposes, is_text

#: Longest text of evidence, in characters; a longer document is named by an EvidenceFile.
LONGEST_EVIDENCE = 10_000
_LONGEST_LABEL = 255
_SHA256_HEX = 64
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A document that the operator keeps as evidence of a consent: its name and sha256 in hex.

    The document itself is never stored here.
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _LONGEST_LABEL:
            raise ConsentRequired(
                f"a document of evidence needs a name of 1 to {_LONGEST_LABEL} characters, "
                f"not of {len(self.name)}"
            )
        _require_text("the name of a document of evidence", self.name)
        if len(self.sha256) != _SHA256_HEX or set(self.sha256) - set("0123456789abcdef"):
            raise ConsentRequired("the sha256 of a document of evidence must be 64 hex digits")

    @classmethod
    def of(cls, path: str | Path) -> EvidenceFile:
        """Name a file and hash it; raises OSError when it cannot be read."""
        path = Path(path)
        with path.open("rb") as file:
            return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agrees to, as it is offered for the record.

    ``evidence`` says how one knows: a text such as ``"form 17"``, or an EvidenceFile.
    The consent is live from ``valid_from`` (None: from the moment of recording), while the time
    is before ``until`` (None: until withdrawn), and no longer than the collection's rules for its
    purposes allow. ``given`` is when the person agreed (None: when it is recorded), and
    ``last_interaction`` when they were last in touch since then; ``policy_version`` names the text
    that was agreed to.

    Raises InvalidName for purposes that break the rules for names, ConsentRequired for missing
    evidence or a window that is never open.
    """

    purposes: Sequence[str]
    evidence: str | EvidenceFile
    valid_from: datetime | None = None
    until: datetime | None = None
    policy_version: str | None = None
    given: datetime | None = None
    last_interaction: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "purposes", check_purposes(self.purposes))
        for name in ("valid_from", "until", "given", "last_interaction"):
            moment = getattr(self, name)
            if moment is not None:
                object.__setattr__(self, name, moment.astimezone(UTC))
        if not isinstance(self.evidence, EvidenceFile):
            if not isinstance(self.evidence, str) or not self.evidence.strip():
                raise ConsentRequired("a consent needs evidence, such as the number of a form")
            if len(self.evidence) > LONGEST_EVIDENCE:
                raise ConsentRequired(
                    f"evidence may have {LONGEST_EVIDENCE} characters, not {len(self.evidence)}: "
                    "keep the document and name it as an EvidenceFile"
                )
            _require_text("evidence", self.evidence)
        if self.policy_version is not None and not 0 < len(self.policy_version) <= _LONGEST_LABEL:
            raise ConsentRequired(
                f"a policy version has 1 to {_LONGEST_LABEL} characters, "
                f"not {len(self.policy_version)}"
            )
        _require_text("a policy version", self.policy_version or "")
        if self.until is not None and self.until <= (
            self.valid_from or datetime.min.replace(tzinfo=UTC)
        ):
            raise ConsentRequired(
                f"a consent until {self.until.isoformat()} that begins only at "
                f"{self.valid_from and self.valid_from.isoformat()} is never live"
            )


@dataclass(frozen=True, slots=True)
class Collection:
    """A gallery: subjects, and templates of one model.

    ``model``, ``template_version`` and ``dimension`` are None until the first enrolment decides
    them. ``subjects`` and ``faces`` are counts. ``rule`` says how many false matches may be
    expected of its searches.
    """

    name: str
    created: datetime
    model: str | None
    template_version: str | None
    dimension: int | None
    subjects: int
    faces: int
    rule: FalseMatchRule


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a collection is for, what people are told about it, and how long it may last.

    ``notice`` is the text in force, the ``version``-th. A consent ends at the earliest of: when it
    says, ``max_days`` after it was given, ``idle_days`` after the last interaction with the
    person, and when the purpose was ``met``. ``by_default`` tells that nobody declared it: the
    first consent to it did, with a notice of ours.
    """

    id: str
    collection: str
    name: str
    version: int
    notice: str
    max_days: int | None
    idle_days: int
    by_default: bool
    declared: datetime
    declared_by: str
    met: datetime | None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Leave to call: who by it, for which one purpose, what they may do, where and until when.

    ``collections`` is None for all of them. ``attestation`` is the operator's statement of how
    consent is collected before an enrolment by this key; it then serves as evidence. None where
    there is none; it stays on record when the key is revoked.
    """

    id: str
    actor: str
    purpose: str
    actions: tuple[str, ...]
    collections: tuple[str, ...] | None
    attestation: str | None
    created: datetime
    created_by: str
    expires: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class NewAccessKey:
    """A key as it was just made: the only time that its secret is told."""

    key: AccessKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """A person who may be enrolled in one collection.

    ``id`` outlives the name: a tombstone carries it. ``faces`` counts the enrolled faces;
    ``purposes`` are those that a live consent covers at the moment of asking.
    """

    id: str
    collection: str
    name: str
    created: datetime
    faces: int
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """A face that is in the gallery.

    ``box`` is x1, y1, x2, y2 in pixels of the picture it came from, and ``quality`` its overall
    quality, 0 to 100; both are None for an imported template. ``consent`` is the id of the
    consent that it was enrolled on. ``picture`` is a random id of that picture, ``picture_size``
    its width and height in pixels, and ``score`` how sure the detector was, 0 to 1; None where it
    is not known. ``user`` is the user that the face is associated with.
    """

    id: str
    subject: str
    consent: str
    model: str
    template_version: str
    box: tuple[float, float, float, float] | None
    quality: float | None
    created: datetime
    picture: str | None = None
    picture_size: tuple[int, int] | None = None
    score: float | None = None
    user: str | None = None


#: What a user's fused template is: there, yet to be made, or none for want of faces.
UserStatus = Literal["ACTIVE", "UPDATING", "CREATING", "CREATED"]


@dataclass(frozen=True, slots=True)
class User:
    """A subject as somebody to search for by several faces at once.

    The fused template is made from the ``faces`` that are associated with the user, so many. A
    user is ``ACTIVE`` with at least one face, and ``CREATED`` with none. ``id`` is the subject's.
    """

    id: str
    name: str
    collection: str
    status: UserStatus
    faces: int
    created: datetime


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent as it stands in the record.

    ``ends`` tells for each purpose when it ends unless it is withdrawn: the earliest of ``until``
    and what the collection's rules for that purpose say. ``notices`` tells which version of its
    notice was agreed to. ``withdrawn`` tells for each withdrawn purpose when that was.
    ``recorded_by`` is the actor; ``last_interaction`` is when the person was last in touch.
    """

    id: str
    subject: str
    purposes: tuple[str, ...]
    evidence: str | EvidenceFile
    policy_version: str | None
    given: datetime
    valid_from: datetime
    until: datetime | None
    recorded: datetime
    recorded_by: str
    last_interaction: datetime
    ends: Mapping[str, datetime]
    notices: Mapping[str, int]
    withdrawn: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    def limited_to(self, purpose: str) -> ConsentRecord:
        """Return the record without the other purposes that it is to."""

        def own(told: Mapping[str, Any]) -> Mapping[str, Any]:
            return MappingProxyType({name: told[name] for name in told if name == purpose})

        return replace(
            self,
            purposes=(purpose,),
            ends=own(self.ends),
            notices=own(self.notices),
            withdrawn=own(self.withdrawn),
        )

    def covers(self, purpose: str, at: datetime) -> bool:
        """Tell whether the consent covers the purpose at that moment."""
        return (
            purpose in self.purposes
            and purpose not in self.withdrawn
            and self.valid_from <= at < self.ends[purpose]
        )


#: Why somebody was erased: on request, with the last withdrawal, because every consent had ended,
#: with the collection, or because a backup held somebody whose key was gone.
Reason = Literal["asked", "withdrawn", "expired", "collection", "restore"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of an erased subject: an id, times, counts and why; no name, no biometrics."""

    id: str
    collection: str
    created: datetime
    erased: datetime
    faces: int
    consents: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a withdrawal did.

    ``purposes`` were withdrawn now. With the last of them the subject was erased, and
    ``tombstone`` is what is left; it is None while another purpose remains, and for a caller who
    may not know of others.
    """

    purposes: tuple[str, ...]
    tombstone: Tombstone | None


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup has: entries of the audit log, subjects and faces; and its size in bytes."""

    events: int
    subjects: int
    faces: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a restored backup brought: subjects and faces, and how many stay ``erased``."""

    subjects: int
    faces: int
    erased: int


def _require_text(what: str, value: str) -> None:
    if not is_text(value):
        raise ConsentRequired(
            f"{what} must be text, in UTF-8 where it comes from a command line: "
            f"{value[:_SHOWN]!r} is none"
        )
