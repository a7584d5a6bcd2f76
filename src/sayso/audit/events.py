"""What the audit log tells of: one class for each kind of event.

No event holds a picture, a template, the name of a subject, the text of a consent, or a secret.
Subjects, faces, consents and access keys are told by their ids. Pictures are told by a keyed
digest, 64 hexadecimal digits: the same picture has the same digest throughout one gallery, and
without its keyring nobody can tell which picture a digest is of. Times are ISO 8601 in UTC,
similarities 0 to 100.

Who did it, when, with which access key and for which purpose is not here but in every entry of the
log (see ``log``); so no field may be named like those of an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

#: A change of very many subjects is told in several events of at most so many.
SUBJECTS_PER_EVENT = 1000

EndingReason = Literal["withdrawn", "expired"]
FacesErasureReason = Literal["withdrawn", "expired", "asked"]
ErasureReason = Literal["asked", "withdrawn", "expired", "collection", "restore"]
SubjectPart = Literal["subject", "faces", "consents", "report"]
EvaluationPart = Literal["figures", "report"]
EvaluationEnd = Literal["asked", "expired", "closed"]
AuditUse = Literal["tail", "export", "verify", "head"]
SignInWay = Literal["key", "link"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done or asked. ``kind`` is how the log writes the class."""

    kind: ClassVar[str]


@dataclass(frozen=True, slots=True)
class LogBegun(Event):
    """The log begins: always the first entry, and only that.

    ``public_key`` is the Ed25519 key (RFC 8032, hex) that every entry is signed for.
    """

    kind = "log-begun"
    public_key: str


@dataclass(frozen=True, slots=True)
class CollectionCreated(Event):
    """A collection was made."""

    kind = "collection-created"
    collection: str


@dataclass(frozen=True, slots=True)
class CollectionDeleted(Event):
    """A collection was deleted with its ``subjects``, so many; each has its own erasure."""

    kind = "collection-deleted"
    collection: str
    subjects: int


@dataclass(frozen=True, slots=True)
class PurposeDeclared(Event):
    """A purpose was declared for a collection, or its notice or retention was changed.

    ``notice`` is the version of the plain-language notice, and ``notice_sha256`` the SHA-256 of
    its text (UTF-8, hex). Consents to it end ``max_days`` after they were given, where there is a
    number, and ``idle_days`` after the subject was last in touch. ``by_default`` is true where
    nobody declared it, and the first consent that named it did.
    """

    kind = "purpose-declared"
    collection: str
    purpose_declared: str
    notice: int
    notice_sha256: str
    max_days: int | None
    idle_days: int
    by_default: bool


@dataclass(frozen=True, slots=True)
class PurposeMet(Event):
    """A purpose was declared met: every consent to it has ended."""

    kind = "purpose-met"
    collection: str
    purpose_met: str


@dataclass(frozen=True, slots=True)
class ConsentRecorded(Event):
    """A subject's consent was recorded, until ``until`` where it names a day."""

    kind = "consent-recorded"
    collection: str
    subject: str
    consent: str
    purposes: tuple[str, ...]
    until: str | None


@dataclass(frozen=True, slots=True)
class ConsentsImported(Event):
    """The same consent was recorded for many subjects at once."""

    kind = "consents-imported"
    collection: str
    subjects: tuple[str, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn(Event):
    """A subject's consent to these purposes was withdrawn."""

    kind = "consent-withdrawn"
    collection: str
    subject: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InteractionRecorded(Event):
    """A subject was in touch at ``at``, from which the idle time counts anew."""

    kind = "interaction-recorded"
    collection: str
    subject: str
    at: str


@dataclass(frozen=True, slots=True)
class FacesEnrolled(Event):
    """Faces of a subject were enrolled on a consent.

    ``faces`` are their ids and ``pictures`` the digests of the pictures they came from.
    ``lookalikes`` are other subjects that some of them are more like, where the caller said that
    they are the subject's all the same.
    """

    kind = "faces-enrolled"
    collection: str
    subject: str
    consent: str
    faces: tuple[str, ...]
    pictures: tuple[str, ...]
    lookalikes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookalikeRefused(Event):
    """A face was not enrolled, because it is more like the subject ``lookalike``.

    ``subject`` is whom it was to be enrolled for, None for somebody who is not in the collection;
    ``picture`` is the one that it is in, None where a template was offered.
    """

    kind = "lookalike-refused"
    collection: str
    subject: str | None
    lookalike: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class ConflictRefused(Event):
    """A face was not enrolled, because it is not like the subject's for another purpose.

    ``picture`` is the one that it is in, None where a template was offered.
    """

    kind = "conflict-refused"
    collection: str
    subject: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class TemplatesEnrolled(Event):
    """Ready templates of these subjects were enrolled: ``faces`` of them.

    ``lookalikes`` are other subjects that some of them are more like, where the caller said that
    they are these subjects' all the same.
    """

    kind = "templates-enrolled"
    collection: str
    subjects: tuple[str, ...]
    faces: int
    lookalikes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A subject that a search returned, and how similar the best face was, 0 to 100."""

    subject: str
    similarity: float


@dataclass(frozen=True, slots=True)
class PictureSearched(Event):
    """The faces of a picture were searched for in a collection.

    ``picture`` is None where templates were given in its place. ``probes`` is how many faces were
    searched for, ``found`` everybody who was returned for any of them. ``min_similarity`` is what
    the caller asked for, and ``threshold`` what had to be reached by the collection's rule: None
    where no similarity was known to keep it, and in entries of earlier versions.
    """

    kind = "picture-searched"
    collection: str
    picture: str | None
    probes: int
    min_similarity: float
    found: tuple[Found, ...]
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class EnrolledSearched(Event):
    """A collection was searched for others who are like somebody in it.

    ``subject`` is whose faces were searched with: the one of the id ``face``, or all that are
    associated with the user, where it is None. ``found`` is everybody who was returned; for the
    rest see ``PictureSearched``.
    """

    kind = "enrolled-searched"
    collection: str
    subject: str
    face: str | None
    min_similarity: float
    found: tuple[Found, ...]
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class PictureRedacted(Event):
    """A copy of a picture was made in which everybody is covered but who agreed to be seen.

    ``picture`` is the original. Of so many ``faces`` in it so many are ``covered``; ``subjects``
    are those who are not, since they were recognised and their consent covers the purpose: the
    search of the same picture, just before, tells how similar they were. ``style`` is how the
    others were covered. ``covered_by_hand`` and ``uncovered_by_hand`` are the boxes, x1, y1, x2,
    y2 in whole pixels, where somebody decided otherwise.
    """

    kind = "picture-redacted"
    collection: str
    picture: str
    style: str
    faces: int
    covered: int
    subjects: tuple[str, ...]
    covered_by_hand: tuple[tuple[int, int, int, int], ...] = ()
    uncovered_by_hand: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FacesRead(Event):
    """The list of a collection's faces was read: so many of them."""

    kind = "faces-read"
    collection: str
    faces: int


@dataclass(frozen=True, slots=True)
class UserCreated(Event):
    """A subject was made a user, who can be searched for by several faces at once."""

    kind = "user-created"
    collection: str
    subject: str


@dataclass(frozen=True, slots=True)
class UserDeleted(Event):
    """A user was deleted; the subject and the faces stay."""

    kind = "user-deleted"
    collection: str
    subject: str


@dataclass(frozen=True, slots=True)
class UsersRead(Event):
    """Users of a collection were read: so many of them."""

    kind = "users-read"
    collection: str
    users: int


@dataclass(frozen=True, slots=True)
class FacesAssociated(Event):
    """Faces, told by id, were said to be of one user.

    ``subject`` is the user, ``subjects`` those whom the faces were enrolled for.
    """

    kind = "faces-associated"
    collection: str
    subject: str
    faces: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FacesDisassociated(Event):
    """Faces, told by id, were taken from a user; they stay enrolled."""

    kind = "faces-disassociated"
    collection: str
    subject: str
    faces: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionTagged(Event):
    """Tags of a collection were set, or taken away; told by their keys."""

    kind = "collection-tagged"
    collection: str
    tags_set: tuple[str, ...]
    tags_removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FalseMatchRuleSet(Event):
    """A collection's searches may expect so many false matches, in each ``per`` (picture or face).

    The rule raises a caller's threshold and never lowers it. The number is told as a text: numbers
    in the log have four decimals, which are too few for it.
    """

    kind = "false-match-rule-set"
    collection: str
    max_expected_false_matches: str
    per: str


@dataclass(frozen=True, slots=True)
class FacesDetected(Event):
    """The faces of a picture were found and described, and compared with nobody.

    Also where they were to be enrolled or compared, and the picture was of no use for that.
    """

    kind = "faces-detected"
    picture: str
    faces: int


@dataclass(frozen=True, slots=True)
class FacesCompared(Event):
    """The faces of two pictures were compared with each other; no collection was asked."""

    kind = "faces-compared"
    pictures: tuple[str, str]
    similarity: float


@dataclass(frozen=True, slots=True)
class PicturesEvaluated(Event):
    """So many ``pictures`` of ``people`` were measured against each other, to tell error rates.

    They came from a labelled folder; no collection was asked, and nothing of them was kept.
    """

    kind = "pictures-evaluated"
    pictures: int
    people: int


@dataclass(frozen=True, slots=True)
class EvaluationBegun(Event):
    """An evaluation was begun, whose pictures are sent one by one.

    Each picture is on record by itself (``faces-detected``), and ``pictures-evaluated`` follows
    before they are compared with each other; an evaluation without it was not finished.
    """

    kind = "evaluation-begun"
    evaluation: str


@dataclass(frozen=True, slots=True)
class EvaluationLabelled(Event):
    """So many ``people`` of an evaluation were put into groups, by the labels of whoever did it."""

    kind = "evaluation-labelled"
    evaluation: str
    people: int


@dataclass(frozen=True, slots=True)
class EvaluationRead(Event):
    """What an evaluation found was read: its ``figures``, or its ``report``."""

    kind = "evaluation-read"
    evaluation: str
    what: EvaluationPart


@dataclass(frozen=True, slots=True)
class EvaluationDropped(Event):
    """An evaluation was dropped with all that was made of so many ``pictures`` for it.

    ``reason`` is ``asked`` (somebody discarded it), ``expired`` (no picture had come for long) or
    ``closed`` (the process ended before it was done; one that is killed leaves no such entry).
    """

    kind = "evaluation-dropped"
    evaluation: str
    pictures: int
    reason: EvaluationEnd


@dataclass(frozen=True, slots=True)
class SubjectErased(Event):
    """A subject was erased with so many faces and consents, and the data key destroyed.

    ``reason`` is ``asked`` (somebody erased the subject), ``withdrawn`` (the last consent was
    withdrawn), ``expired`` (the last consent ended), ``collection`` (the collection was deleted)
    or ``restore`` (the erasure is older than the restore of a backup that held the subject).
    """

    kind = "subject-erased"
    collection: str
    subject: str
    reason: ErasureReason
    faces: int
    consents: int


@dataclass(frozen=True, slots=True)
class FacesErased(Event):
    """So many faces of a subject were erased; the subject stays.

    ``reason`` is ``asked`` (somebody deleted them), or why the consent that they were enrolled on
    stands no more: ``withdrawn`` (its last purpose was) or ``expired`` (it ended).
    """

    kind = "faces-erased"
    collection: str
    subject: str
    faces: int
    reason: FacesErasureReason


@dataclass(frozen=True, slots=True)
class FacesTaken(Event):
    """Faces of subjects were deleted for the caller's purpose; they stay for others."""

    kind = "faces-taken"
    collection: str
    subjects: tuple[str, ...]
    faces: int


@dataclass(frozen=True, slots=True)
class CollectionsRead(Event):
    """The list of collections was read: so many."""

    kind = "collections-read"
    collections: int


@dataclass(frozen=True, slots=True)
class SubjectsRead(Event):
    """The list of a collection's subjects was read: so many of them."""

    kind = "subjects-read"
    collection: str
    subjects: int


@dataclass(frozen=True, slots=True)
class SubjectRead(Event):
    """What is held of a subject was read.

    ``what`` says which part: ``subject``, ``faces``, ``consents``, or the whole ``report``.
    """

    kind = "subject-read"
    collection: str
    subject: str
    what: SubjectPart


@dataclass(frozen=True, slots=True)
class RetentionSwept(Event):
    """Somebody asked to erase everybody whose consents had ended: so many were left to erase."""

    kind = "retention-swept"
    erased: int


@dataclass(frozen=True, slots=True)
class TombstonesRead(Event):
    """The list of a collection's erased subjects was read: so many."""

    kind = "tombstones-read"
    collection: str
    tombstones: int


@dataclass(frozen=True, slots=True)
class PurposesRead(Event):
    """The purposes of a collection were read."""

    kind = "purposes-read"
    collection: str


@dataclass(frozen=True, slots=True)
class KeysRead(Event):
    """The list of access keys was read, without their secrets."""

    kind = "keys-read"


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    """Somebody signed in to the console, with an access key or by a link that signs in once."""

    kind = "signed-in"
    by: SignInWay


@dataclass(frozen=True, slots=True)
class KeyCreated(Event):
    """An access key, whose id is ``key_created``, was made for an actor and one purpose.

    ``collections`` is None where it is good for all of them, ``expires`` where it does not end by
    itself. ``attested`` is true where somebody stated how consent is collected.
    """

    kind = "key-created"
    key_created: str
    for_actor: str
    for_purpose: str
    actions: tuple[str, ...]
    collections: tuple[str, ...] | None
    expires: str | None
    attested: bool


@dataclass(frozen=True, slots=True)
class KeyRevoked(Event):
    """The access key whose id is ``key_revoked`` was revoked."""

    kind = "key-revoked"
    key_revoked: str


@dataclass(frozen=True, slots=True)
class MasterKeyRotated(Event):
    """The keyring was wrapped by a new master key, of this ``fingerprint``."""

    kind = "master-key-rotated"
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KeyringRead(Event):
    """Somebody asked what the keyring holds, and where its master key is; no key was told."""

    kind = "keyring-read"


@dataclass(frozen=True, slots=True)
class KeyringCopied(Event):
    """A copy of the keyring was made."""

    kind = "keyring-copied"


@dataclass(frozen=True, slots=True)
class BackupMade(Event):
    """A backup of the gallery was made, which holds the first ``events`` entries of this log."""

    kind = "backup-made"
    events: int


@dataclass(frozen=True, slots=True)
class Restored(Event):
    """The gallery was restored from a backup with ``events`` entries of the log.

    ``subjects`` came back; ``erased`` did not, since they were erased after the backup.
    """

    kind = "restored"
    events: int
    subjects: int
    erased: int


@dataclass(frozen=True, slots=True)
class AuditRead(Event):
    """The audit log itself was read: so many entries.

    ``what`` is how: shown (``tail``), exported, verified, or asked for its ``head``.
    """

    kind = "audit-read"
    what: AuditUse
    entries: int


@dataclass(frozen=True, slots=True)
class CallRefused(Event):
    """Something was asked that the caller may not do, or that consent does not cover.

    ``error`` is the name of the class of the error that told the caller so.
    """

    kind = "call-refused"
    action: str
    error: str
    collection: str | None


_CLASSES: tuple[type[Event], ...] = (
    LogBegun,
    CollectionCreated,
    CollectionDeleted,
    PurposeDeclared,
    PurposeMet,
    ConsentRecorded,
    ConsentsImported,
    ConsentWithdrawn,
    InteractionRecorded,
    FacesEnrolled,
    LookalikeRefused,
    ConflictRefused,
    TemplatesEnrolled,
    PictureSearched,
    EnrolledSearched,
    PictureRedacted,
    FacesRead,
    UserCreated,
    UserDeleted,
    UsersRead,
    FacesAssociated,
    FacesDisassociated,
    CollectionTagged,
    FalseMatchRuleSet,
    FacesDetected,
    FacesCompared,
    PicturesEvaluated,
    EvaluationBegun,
    EvaluationLabelled,
    EvaluationRead,
    EvaluationDropped,
    SubjectErased,
    FacesErased,
    FacesTaken,
    CollectionsRead,
    SubjectsRead,
    SubjectRead,
    TombstonesRead,
    RetentionSwept,
    PurposesRead,
    KeysRead,
    SignedIn,
    KeyCreated,
    KeyRevoked,
    MasterKeyRotated,
    KeyringRead,
    KeyringCopied,
    BackupMade,
    Restored,
    AuditRead,
    CallRefused,
)

#: Every kind of event, by the name that the log has for it.
EVENTS: dict[str, type[Event]] = {each.kind: each for each in _CLASSES}
