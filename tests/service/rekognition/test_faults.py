"""Every error that the core can raise has a type that AWS clients know, and tells no secrets."""

from __future__ import annotations

import inspect

import pytest

from sayso import errors
from sayso.service.engine import Overloaded
from sayso.service.rekognition.faults import Fault, fault_of, internal
from sayso.service.rekognition.model import service

_CLASSES = sorted(
    (
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, errors.SaysoError)
    ),
    key=lambda each: each.__name__,
)
_PROTOCOL = {
    # Of every AWS service, and so in no service's model.
    "UnrecognizedClientException",
    "InvalidSignatureException",
}


def raised(kind: type[errors.SaysoError], text: str) -> errors.SaysoError:
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    error.args = (text,)
    return error


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_one_that_clients_know(kind: type[errors.SaysoError]) -> None:
    fault = fault_of(raised(kind, "told"))
    modelled = {shape.name for shape in service().error_shapes}
    assert fault.code in modelled | _PROTOCOL
    assert fault.status == (500 if fault.code == "InternalServerError" else 400)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UnknownKey, "UnrecognizedClientException"),
        (errors.AccessDenied, "AccessDeniedException"),
        (errors.ConsentRequired, "AccessDeniedException"),
        (errors.PurposeNotDeclared, "AccessDeniedException"),
        (errors.CollectionNotFound, "ResourceNotFoundException"),
        (errors.SubjectNotFound, "ResourceNotFoundException"),
        (errors.UserNotFound, "ResourceNotFoundException"),
        (errors.CollectionExists, "ResourceAlreadyExistsException"),
        (errors.UserExists, "ConflictException"),
        (errors.TokenReused, "IdempotentParameterMismatchException"),
        (errors.InvalidPageToken, "InvalidPaginationTokenException"),
        (errors.TooManyTags, "ServiceQuotaExceededException"),
        (errors.TooManyFacesOfUser, "ServiceQuotaExceededException"),
        (errors.UnreadablePicture, "InvalidImageFormatException"),
        (errors.UnsupportedPicture, "InvalidImageFormatException"),
        (errors.PictureTooLarge, "ImageTooLargeException"),
        (errors.PictureTooSmall, "InvalidParameterException"),
        (errors.TooManyFaces, "ImageTooLargeException"),
        (errors.NoFaceFound, "InvalidParameterException"),
        (errors.LooksLikeAnother, "InvalidParameterException"),
        (errors.NameConflict, "InvalidParameterException"),
        (errors.InvalidName, "InvalidParameterException"),
        (errors.ModelConflict, "InvalidParameterException"),
    ],
)
def test_callers_are_told_what_was_wrong(kind: type[errors.SaysoError], code: str) -> None:
    fault = fault_of(raised(kind, "what was wrong"))
    assert (fault.code, fault.message, fault.status) == (code, "what was wrong", 400)


def test_a_face_that_is_not_there_is_told_of_as_amazon_does() -> None:
    fault = fault_of(errors.FaceNotFound("there is no face 'x' in collection 'club'"))
    told = "faceId was not found in the collection."
    assert (fault.code, fault.message, fault.status) == ("InvalidParameterException", told, 400)


@pytest.mark.parametrize(
    "kind",
    [
        errors.StoreUnavailable,
        errors.KeyringError,
        errors.MasterKeyWrong,
        errors.SealBroken,
        errors.AuditError,
        errors.BackupError,
        errors.ModelMissing,
        errors.SaysoError,
    ],
)
def test_what_is_wrong_here_is_not_told(kind: type[errors.SaysoError]) -> None:
    fault = fault_of(raised(kind, "/var/lib/sayso/master.key"))
    assert (fault.code, fault.status) == ("InternalServerError", 500)
    assert "sayso/master" not in fault.message
    assert fault.message == internal().message


def test_who_is_refused_for_now_is_told_when_to_come_again() -> None:
    fault = fault_of(Overloaded(1.2, "the queue is full"))
    assert (fault.code, fault.status, fault.retry_after) == ("ThrottlingException", 400, "2")
    assert "the queue is full" in str(fault)


def test_a_fault_is_a_bad_request_unless_said_otherwise() -> None:
    fault = Fault("InvalidParameterException", "no")
    assert (fault.status, fault.retry_after, str(fault)) == (400, None, "no")


def test_a_picture_that_takes_too_long_is_too_large() -> None:
    fault = fault_of(errors.PictureTooCostly("the picture took more than 30 s"))
    assert (fault.code, fault.status) == ("ImageTooLargeException", 400)
