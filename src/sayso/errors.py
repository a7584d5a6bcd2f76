"""Every error that Sayso raises on purpose, as one tree.

::

    SaysoError
    ├── PictureError
    │   ├── UnreadablePicture     no picture, damaged, truncated
    │   ├── UnsupportedPicture    a format or mode not accepted here
    │   ├── PictureTooLarge       over a limit; says limit and value
    │   └── TooManyFaces          over the limit on faces in one picture
    ├── ModelError
    │   ├── ModelFileError        content is not what the description says
    │   ├── RuntimeMissing        runtime or precision asked for is not there
    │   └── ModelStoreError
    │       ├── UnknownModel      no model of that name in the registry
    │       ├── ModelMissing      not installed, and not to be fetched by itself
    │       ├── ModelMismatch     sha256 or size is not the registered one
    │       ├── ModelSourceError  no source could deliver the file
    │       └── ModelFolderError  the folder cannot be written or read
    └── GalleryError
        ├── InvalidName           of a collection, subject or purpose
        ├── CollectionExists
        ├── CollectionNotFound
        ├── SubjectNotFound
        ├── ConsentNotFound
        ├── ConsentRequired       no live consent covers what was asked
        ├── ModelConflict         templates of another model than the collection's
        ├── StoreUnavailable      the store cannot be opened, read or written
        └── EnrolmentError
            ├── NoFaceFound       no face in the picture
            ├── FaceTooPoor       the face is too poor to recognise by
            └── AmbiguousFace     several faces are equally likely meant

A message says what was wrong, with what value, and what to do about it.
"""

from __future__ import annotations

from sayso.vision.errors import (
    ModelError,
    ModelFileError,
    PictureError,
    PictureTooLarge,
    RuntimeMissing,
    SaysoError,
    TooManyFaces,
    UnreadablePicture,
    UnsupportedPicture,
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


class GalleryError(SaysoError):
    """What was asked of the gallery cannot be done."""


class InvalidName(GalleryError):
    """The name of a collection, subject or purpose breaks the rules for names."""


class CollectionExists(GalleryError):
    """A collection of that name exists already."""


class CollectionNotFound(GalleryError):
    """There is no collection of that name."""


class SubjectNotFound(GalleryError):
    """There is no subject of that name in the collection."""


class ConsentNotFound(GalleryError):
    """There is no such consent to act on."""


class ConsentRequired(GalleryError):
    """No live consent of the subject covers what was asked."""


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


__all__ = [
    "AmbiguousFace",
    "CollectionExists",
    "CollectionNotFound",
    "ConsentNotFound",
    "ConsentRequired",
    "EnrolmentError",
    "FaceTooPoor",
    "GalleryError",
    "InvalidName",
    "ModelConflict",
    "ModelError",
    "ModelFileError",
    "ModelFolderError",
    "ModelMismatch",
    "ModelMissing",
    "ModelSourceError",
    "ModelStoreError",
    "NoFaceFound",
    "PictureError",
    "PictureTooLarge",
    "RuntimeMissing",
    "SaysoError",
    "StoreUnavailable",
    "SubjectNotFound",
    "TooManyFaces",
    "UnknownModel",
    "UnreadablePicture",
    "UnsupportedPicture",
]
