"""What can go wrong between bytes and templates.

The root of the tree of errors lives here, because vision imports nothing of ours but itself;
``sayso.errors`` shows the whole tree and is what everything else imports.
"""

from __future__ import annotations


class SaysoError(Exception):
    """The root: every error that Sayso raises on purpose, with a message fit for its user."""


class PictureError(SaysoError):
    """A picture cannot be used."""


class UnreadablePicture(PictureError):
    """The bytes are no picture, or a damaged or truncated one."""


class UnsupportedPicture(PictureError):
    """The bytes are a picture in a format or mode that is not accepted here."""


class PictureTooSmall(UnsupportedPicture):
    """A side of the picture is below the limit."""


class PictureTooLarge(PictureError):
    """The picture is over a limit on bytes, pixels or sides; says the limit and the value."""


class PictureTooCostly(PictureError):
    """Looking at the picture took more seconds or memory than one piece of work may."""


class TooManyFaces(PictureError):
    """More faces were found than one picture may have; says the limit and the value."""


class WorkAbandoned(SaysoError):
    """Work was stopped because nobody waits for it any more."""


class DecoderUnavailable(SaysoError):
    """The process that decodes pictures cannot be started."""


class ModelError(SaysoError):
    """A model cannot be used."""


class ModelFileError(ModelError):
    """The model file's content is not what its description says."""


class NotEnoughMemory(ModelError):
    """There is not enough memory to load or run the models."""


class RuntimeMissing(ModelError):
    """The runtime or precision asked for is not there; there is no silent fallback."""
