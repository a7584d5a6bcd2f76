"""What is told when something cannot be done: Amazon's types of errors for ours."""

from __future__ import annotations

from http import HTTPStatus

from sayso import errors
from sayso.service.engine import Overloaded
from sayso.service.refusals import SOMETHING_WRONG


class Fault(Exception):
    """An error as AWS clients read it; ``retry_after`` is in seconds."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = int(status)
        self.retry_after = retry_after


#: The first class that an error is of decides.
_KINDS: tuple[tuple[type[errors.SaysoError], str], ...] = (
    (errors.UnknownKey, "UnrecognizedClientException"),
    (errors.AccessDenied, "AccessDeniedException"),
    (errors.ConsentRequired, "AccessDeniedException"),
    (errors.PurposeNotDeclared, "AccessDeniedException"),
    (errors.CollectionNotFound, "ResourceNotFoundException"),
    (errors.SubjectNotFound, "ResourceNotFoundException"),
    (errors.FaceNotFound, "InvalidParameterException"),
    (errors.UserNotFound, "ResourceNotFoundException"),
    (errors.CollectionExists, "ResourceAlreadyExistsException"),
    (errors.UserExists, "ConflictException"),
    (errors.TokenReused, "IdempotentParameterMismatchException"),
    (errors.InvalidPageToken, "InvalidPaginationTokenException"),
    (errors.TooManyTags, "ServiceQuotaExceededException"),
    (errors.TooManyFacesOfUser, "ServiceQuotaExceededException"),
    (errors.PictureTooLarge, "ImageTooLargeException"),
    (errors.PictureTooCostly, "ImageTooLargeException"),
    (errors.TooManyFaces, "ImageTooLargeException"),
    (errors.PictureTooSmall, "InvalidParameterException"),
    (errors.PictureError, "InvalidImageFormatException"),
)
#: Errors that are told in Amazon's words: clients look for them.
_AMAZON_SAYS: dict[type[errors.SaysoError], str] = {
    errors.FaceNotFound: "faceId was not found in the collection."
}
#: What is wrong on this side, and told without saying what.
_OURS = (
    errors.StoreUnavailable,
    errors.KeyringError,
    errors.AuditError,
    errors.ModelError,
    errors.DecoderUnavailable,
)


def fault_of(error: errors.SaysoError) -> Fault:
    """Return the fault that tells of an error of the core or of the service."""
    if isinstance(error, Overloaded):
        return Fault("ThrottlingException", str(error), retry_after=error.header)
    for known, kind in _KINDS:
        if isinstance(error, known):
            return Fault(kind, _AMAZON_SAYS.get(known, str(error)))
    if isinstance(error, errors.WorkAbandoned):  # the client has left, and does not read this
        return Fault("ThrottlingException", str(error))
    if isinstance(error, _OURS):
        return internal()
    if isinstance(error, errors.GalleryError):
        return Fault("InvalidParameterException", str(error))
    return internal()


def internal() -> Fault:
    """Return the fault of what nobody expected."""
    return Fault("InternalServerError", SOMETHING_WRONG, HTTPStatus.INTERNAL_SERVER_ERROR)
