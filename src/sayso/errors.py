"""Every error that Sayso raises on purpose, as one tree.

::

    SaysoError
    ├── PictureError
    │   ├── UnreadablePicture     no picture, damaged, truncated
    │   ├── UnsupportedPicture    a format or mode not accepted here
    │   │   └── PictureTooSmall   a side below a limit; says limit and value
    │   ├── PictureTooLarge       over a limit; says limit and value
    │   ├── PictureTooCostly      over the limit on seconds or memory of one piece of work
    │   └── TooManyFaces          over the limit on faces in one picture
    ├── WorkAbandoned             stopped, since nobody waits for it any more
    ├── DecoderUnavailable        the process that decodes pictures cannot be started
    ├── ModelError
    │   ├── ModelFileError        content is not what the description says
    │   ├── RuntimeMissing        runtime or precision asked for is not there
    │   ├── NotEnoughMemory       too little to load or run the models
    │   └── ModelStoreError
    │       ├── UnknownModel      no model of that name in the registry
    │       ├── ModelMissing      not installed, and not to be fetched by itself
    │       ├── ModelMismatch     sha256 or size is not the registered one
    │       ├── ModelSourceError  no source could deliver the file
    │       └── ModelFolderError  the folder cannot be written or read
    ├── AccessDenied              the caller may not do that; says which right is missing
    │   └── UnknownKey            no such access key, a wrong secret, expired or revoked
    ├── KeyringError
    │   ├── KeyringUnavailable    it cannot be opened, read or written
    │   ├── MasterKeyMissing      the file with the master key is not where it should be
    │   ├── MasterKeyWrong        that master key did not wrap this keyring
    │   └── SealBroken            what was sealed was changed, or another key sealed it
    ├── AuditError                the audit log cannot be read for what it is
    ├── BackupError               the backup cannot be made or restored
    ├── CalibrationError          the calibration cannot be used
    └── GalleryError
        ├── InvalidName           of a collection, subject or purpose
        ├── CollectionExists
        ├── CollectionNotFound
        ├── CollectionNotEmpty    it has subjects, and nobody said that they are to be erased
        ├── SubjectNotFound
        ├── ConsentNotFound
        ├── FaceNotFound
        ├── UserNotFound
        ├── UserExists
        ├── TooManyFacesOfUser    over the limit on faces that make a fused template
        ├── TooManyTags           over the limit on tags of a collection
        ├── InvalidTag            the key or value of a tag breaks the rules
        ├── TokenReused           an idempotency token came with another request
        ├── InvalidPageToken      not given here, for something else, or expired
        ├── ConsentRequired       no live consent covers what was asked
        ├── PurposeNotDeclared    the collection declares its purposes, and not this one
        ├── KeyNotFound           there is no access key of that id
        ├── EvaluationNotFound    no evaluation of that id is in this process
        ├── EvaluationNotReady    it is not so far yet, or takes nothing more
        ├── ModelConflict         templates of another model than the collection's
        ├── StoreUnavailable      the store cannot be opened, read or written
        └── EnrolmentError
            ├── NoFaceFound       no face in the picture
            ├── FaceTooPoor       the face is too poor to recognise by
            ├── AmbiguousFace     several faces are equally likely meant
            └── LooksLikeAnother  the face is more like another enrolled subject

A message says what was wrong, with what value, and what to do about it.
"""

from __future__ import annotations

from sayso.vision.errors import (
    DecoderUnavailable,
    ModelError,
    ModelFileError,
    NotEnoughMemory,
    PictureError,
    PictureTooCostly,
    PictureTooLarge,
    PictureTooSmall,
    RuntimeMissing,
    SaysoError,
    TooManyFaces,
    UnreadablePicture,
    UnsupportedPicture,
    WorkAbandoned,
)


class ModelStoreError(ModelError):
    """A model file cannot be found, fetched, checked or kept."""


class UnknownModel(ModelStoreError):
    """The registry has no model of that name."""


class ModelMissing(ModelStoreError):
    """The model is not installed, and is not one that is fetched by itself."""


class ModelMismatch(ModelStoreError):
    """The bytes are not those that the registry names; they were not parsed."""


class ModelSourceError(ModelStoreError):
    """No source could deliver the model file."""


class ModelFolderError(ModelStoreError):
    """The models folder cannot be read or written."""


class AccessDenied(SaysoError):
    """The caller has no right to do what was asked."""


class UnknownKey(AccessDenied):
    """There is no such access key, its secret is another, or it has expired or been revoked."""


class KeyringError(SaysoError):
    """The keys that the gallery is encrypted with cannot be used."""


class KeyringUnavailable(KeyringError):
    """The keyring cannot be opened, read or written."""


class MasterKeyMissing(KeyringError):
    """The file with the master key is not there or cannot be read."""


class MasterKeyWrong(KeyringError):
    """The master key is not the one that this keyring is wrapped by."""


class SealBroken(KeyringError):
    """What was sealed was changed since, or was sealed by another key."""


class AuditError(SaysoError):
    """A log, or the head of one, is not what it should be."""


class BackupError(SaysoError):
    """A backup cannot be made or restored."""


class CalibrationError(SaysoError):
    """A calibration cannot be read, or cannot be used here."""


class GalleryError(SaysoError):
    """What was asked of the gallery cannot be done."""


class InvalidName(GalleryError):
    """The name of a collection, subject or purpose breaks the rules for names."""


class CollectionExists(GalleryError):
    """A collection of that name exists already."""


class CollectionNotFound(GalleryError):
    """There is no collection of that name."""


class CollectionNotEmpty(GalleryError):
    """A collection has ``subjects``, a number, and nobody said that they are to be erased."""

    def __init__(self, message: str, subjects: int = 0) -> None:
        super().__init__(message)
        self.subjects = subjects


class SubjectNotFound(GalleryError):
    """There is no subject of that name in the collection."""


class ConsentNotFound(GalleryError):
    """There is no such consent to act on."""


class FaceNotFound(GalleryError):
    """There is no enrolled face of that id in the collection."""


class UserNotFound(GalleryError):
    """There is no user of that name in the collection."""


class UserExists(GalleryError):
    """There is a user of that name in the collection already."""


class TooManyFacesOfUser(GalleryError):
    """A user would be made from more faces than are allowed."""


class TooManyTags(GalleryError):
    """A collection would have more tags than are allowed."""


class InvalidTag(GalleryError):
    """The key or the value of a tag breaks the rules for them."""


class TokenReused(GalleryError):
    """An idempotency token was used before, with another request."""


class InvalidPageToken(GalleryError):
    """A token to go on reading was not given here, is for something else, or has expired."""


class ConsentRequired(GalleryError):
    """No live consent of the subject covers what was asked."""


class PurposeNotDeclared(GalleryError):
    """The collection declares its purposes, and this is none of them, or it was met."""


class KeyNotFound(GalleryError):
    """There is no access key of that id."""


class EvaluationNotFound(GalleryError):
    """There is no evaluation of that id in this process."""


class EvaluationNotReady(GalleryError):
    """The evaluation is not so far yet, or is over and takes nothing more."""


class ModelConflict(GalleryError):
    """Templates of one model were offered to a collection of another."""


class StoreUnavailable(GalleryError):
    """The store cannot be opened, read or written."""


class EnrolmentError(GalleryError):
    """The picture cannot enrol the subject."""


class NoFaceFound(EnrolmentError):
    """No face was found in the picture."""


class FaceTooPoor(EnrolmentError):
    """The face is too small, blurred, turned or hidden to recognise anybody by."""


class AmbiguousFace(EnrolmentError):
    """Several faces are equally likely to be the subject's."""


class LooksLikeAnother(EnrolmentError):
    """The face is more like another enrolled subject than like the one it was given for."""


class NameConflict(EnrolmentError):
    """The name means somebody else, for another purpose: the face does not resemble theirs."""


__all__ = [
    "AccessDenied",
    "AmbiguousFace",
    "AuditError",
    "BackupError",
    "CollectionExists",
    "CollectionNotEmpty",
    "CollectionNotFound",
    "ConsentNotFound",
    "ConsentRequired",
    "DecoderUnavailable",
    "EnrolmentError",
    "EvaluationNotFound",
    "EvaluationNotReady",
    "FaceNotFound",
    "FaceTooPoor",
    "GalleryError",
    "InvalidName",
    "InvalidPageToken",
    "InvalidTag",
    "KeyNotFound",
    "KeyringError",
    "KeyringUnavailable",
    "LooksLikeAnother",
    "MasterKeyMissing",
    "MasterKeyWrong",
    "ModelConflict",
    "ModelError",
    "ModelFileError",
    "ModelFolderError",
    "ModelMismatch",
    "ModelMissing",
    "ModelSourceError",
    "ModelStoreError",
    "NameConflict",
    "NoFaceFound",
    "NotEnoughMemory",
    "PictureError",
    "PictureTooCostly",
    "PictureTooLarge",
    "PictureTooSmall",
    "PurposeNotDeclared",
    "RuntimeMissing",
    "SaysoError",
    "SealBroken",
    "StoreUnavailable",
    "SubjectNotFound",
    "TokenReused",
    "TooManyFaces",
    "TooManyFacesOfUser",
    "TooManyTags",
    "UnknownKey",
    "UnknownModel",
    "UnreadablePicture",
    "UnsupportedPicture",
    "UserExists",
    "UserNotFound",
    "WorkAbandoned",
]
