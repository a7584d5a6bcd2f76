"""Every kind of problem that the API answers with: its name, its status, and what to do about it.

The names are part of the API: programs tell problems apart by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from sayso import errors
from sayso.errors import SaysoError
from sayso.evaluation.folder import EvaluationError
from sayso.service.engine import Overloaded

#: Where a problem is explained; the ``type`` of a problem is this and its name.
PLACE: Final = "/v1/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. ``told`` is whether its detail says what exactly was wrong."""

    name: str
    status: HTTPStatus
    title: str
    explanation: str
    told: bool = True

    @property
    def type(self) -> str:
        """The ``type`` of such a problem, a reference to its explanation."""
        return PLACE + self.name


_ALL: list[Kind] = []


def _kind(name: str, status: int, title: str, explanation: str, *, told: bool = True) -> Kind:
    kind = Kind(name, HTTPStatus(status), title, explanation, told)
    _ALL.append(kind)
    return kind


# --- what any request may meet --------------------------------------------------------------------

UNAUTHENTICATED = _kind(
    "unauthenticated",
    401,
    "No access key that is good",
    "Send an access key with every request: Authorization: Bearer ID.SECRET. It is missing, or not "
    "known, or its secret is another, or it has expired or was revoked.",
)
ACCESS_DENIED = _kind(
    "access-denied",
    403,
    "The access key does not allow this",
    "The key lacks the right, the collection or the purpose that this takes; the detail says "
    "which. Whoever may admin can make another one.",
)
INVALID_REQUEST = _kind(
    "invalid-request",
    422,
    "Part of the request is not valid",
    "The errors tell which parts of the path, the query, the headers or the body are not as the "
    "API describes them, and why. What was sent is not repeated there.",
)
TOO_MANY_REQUESTS = _kind(
    "too-many-requests",
    429,
    "Too many requests for now",
    "The access key, the address, or all clients together ask more than is answered in time. Come "
    "again after the seconds that the header Retry-After names.",
)
INTERNAL_ERROR = _kind(
    "internal-error",
    500,
    "Something went wrong here",
    "Nobody expected this. The log of the service has it under the request_id.",
    told=False,
)
UNAVAILABLE = _kind(
    "unavailable",
    503,
    "Something that the service needs is not there",
    "The store, the keyring or the models cannot be used at the moment. The log of the service "
    "says more, under the request_id.",
    told=False,
)
NOT_FOUND = _kind("not-found", 404, "Nothing is here", "The API has no such path: see /v1/docs.")
METHOD_NOT_ALLOWED = _kind(
    "method-not-allowed",
    405,
    "Not with this method",
    "The path is there, but not for this method; the header Allow names those that are.",
)

# --- bodies, conditions, requests that come again ---------------------------------------------

MALFORMED = _kind(
    "malformed-body",
    400,
    "The body cannot be read",
    "It is no JSON in UTF-8, or no multipart form, or it was cut off.",
)
BODY_TIMEOUT = _kind(
    "body-timeout",
    408,
    "The body did not come in time",
    "The body of a request must have come within the time that SAYSO_BODY_TIMEOUT allows.",
)
BODY_TOO_LARGE = _kind(
    "body-too-large",
    413,
    "The body is too large",
    "The detail names the limit: SAYSO_MAX_BODY_BYTES where pictures are sent, less elsewhere.",
)
UNSUPPORTED_MEDIA_TYPE = _kind(
    "unsupported-media-type",
    415,
    "A body of this type is not taken",
    "The header Content-Type must be one of those that the detail names.",
)
INVALID_CURSOR = _kind(
    "invalid-cursor",
    400,
    "Nothing goes on from this cursor",
    "A cursor is good for an hour, for the same key and the same list with the same filters. Begin "
    "anew without one.",
)
PRECONDITION_FAILED = _kind(
    "precondition-failed",
    412,
    "It has changed meanwhile",
    "What stands there now has another ETag than If-Match names. Get it again, and decide anew.",
)
KEY_REUSED = _kind(
    "idempotency-key-reused",
    422,
    "The Idempotency-Key belongs to another request",
    "It came before with another body or query. Take a new key for each request.",
)
IN_PROGRESS = _kind(
    "idempotency-in-progress",
    409,
    "The same request is being answered",
    "A request with this Idempotency-Key is still running. Come again a little later.",
)
SECRET_TOLD = _kind(
    "secret-told-already",
    409,
    "That was made, and its secret told, before",
    "A secret is told once and not kept, so this answer cannot be given again. If it was lost, "
    "revoke what was made (the member made says where it is) and make another.",
)

# --- what is not there ----------------------------------------------------------------------------

COLLECTION_NOT_FOUND = _kind(
    "collection-not-found", 404, "There is no such collection", "List them: GET /v1/collections."
)
SUBJECT_NOT_FOUND = _kind(
    "subject-not-found",
    404,
    "There is no such subject",
    "Nobody of that name is in the collection, or nobody whom the purpose of the access key covers:"
    " for the caller these are the same.",
)
CONSENT_NOT_FOUND = _kind(
    "consent-not-found", 404, "There is no such consent", "Nothing stands to be withdrawn."
)
FACE_NOT_FOUND = _kind(
    "face-not-found",
    404,
    "There is no such face",
    "No enrolled face of that id is in the collection, or none that the purpose covers.",
)
USER_NOT_FOUND = _kind(
    "user-not-found",
    404,
    "There is no such user",
    "No user of that name is in the collection, or none whom the purpose covers.",
)
KEY_NOT_FOUND = _kind(
    "key-not-found", 404, "There is no such access key", "List them: GET /v1/keys."
)
EVALUATION_NOT_FOUND = _kind(
    "evaluation-not-found",
    404,
    "There is no such evaluation",
    "It was discarded, no picture came for an hour, newer ones took its place, or the service "
    "was started anew: an evaluation is in memory only. List them: GET /v1/evaluations.",
)
PURPOSE_NOT_FOUND = _kind(
    "purpose-not-found",
    404,
    "The collection has no such purpose",
    "List them: GET /v1/collections/{collection}/purposes.",
)
PROBLEM_NOT_FOUND = _kind(
    "problem-not-found", 404, "There is no such kind of problem", "List them: GET /v1/problems/."
)

# --- what cannot be done as things stand ----------------------------------------------------------

EVALUATION_NOT_READY = _kind(
    "evaluation-not-ready",
    409,
    "The evaluation is not so far, or takes nothing more",
    "Pictures come until it is finished, and what it found is there when it is done. "
    "GET /v1/evaluations/{evaluation} tells how far it is.",
)
COLLECTION_EXISTS = _kind(
    "collection-exists",
    409,
    "There is a collection of that name",
    "Take another name, or the collection that is there.",
)
COLLECTION_NOT_EMPTY = _kind(
    "collection-not-empty",
    409,
    "The collection has people, who would be erased",
    "Nobody is erased by the way. If it is meant, send the collection's name once more, as the "
    "query parameter confirm. The member subjects tells how many people would be erased.",
)
USER_EXISTS = _kind(
    "user-exists", 409, "There is a user of that name", "Take the user that is there."
)
FACE_OF_A_USER = _kind(
    "face-of-a-user",
    409,
    "The face is associated with a user",
    "Take it from the user first: DELETE /v1/collections/{collection}/users/{user}/faces.",
)
MODEL_CONFLICT = _kind(
    "model-conflict",
    409,
    "Other models made the templates of this collection",
    "Templates of different models cannot be compared. Use the model that the collection was made "
    "with, or enrol the pictures again in a new collection.",
)
CONSENT_REQUIRED = _kind(
    "consent-required",
    403,
    "No consent covers this",
    "Nobody is enrolled, and nobody searched for, without consent. Send one with the request, "
    "record one before, or use an access key with an attestation; the detail says what is missing.",
)
PURPOSE_NOT_DECLARED = _kind(
    "purpose-not-declared",
    403,
    "The collection is not for this purpose",
    "The collection declares its purposes, and this is none of them, or it was met.",
)
INVALID_NAME = _kind(
    "invalid-name", 422, "A name breaks the rules for names", "The detail says which rule."
)
INVALID_TAG = _kind(
    "invalid-tag", 422, "A tag breaks the rules for tags", "The detail says which rule."
)
TOO_MANY_TAGS = _kind(
    "too-many-tags", 422, "The collection would have too many tags", "The detail has the limit."
)
TOO_MANY_FACES_OF_USER = _kind(
    "too-many-faces-of-user",
    422,
    "The user would have too many faces",
    "The detail has the limit.",
)
REFUSED = _kind(
    "request-refused", 422, "What was asked cannot be done", "The detail says why, and what can."
)

# --- pictures -------------------------------------------------------------------------------------

PICTURE_TOO_LARGE = _kind(
    "picture-too-large",
    413,
    "The picture is too large",
    "It is over a limit in bytes, pixels or sides; the detail has the limit.",
)
PICTURE_TOO_COSTLY = _kind(
    "picture-too-costly",
    413,
    "The picture takes too much work",
    "Looking at it takes more seconds or memory than a request may have; send a smaller picture, "
    "or ask for a faster mode.",
)
UNSUPPORTED_PICTURE = _kind(
    "unsupported-picture",
    415,
    "A picture of this kind is not taken",
    "JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF and BMP are, of at least 8 pixels a side.",
)
UNREADABLE_PICTURE = _kind(
    "unreadable-picture", 422, "The picture cannot be read", "It is damaged, cut off, or none."
)
UNUSABLE_PICTURE = _kind(
    "unusable-picture", 422, "The picture cannot be used", "The detail says why."
)
TOO_MANY_FACES = _kind(
    "too-many-faces", 422, "The picture has too many faces", "The detail has the limit."
)
NO_FACE_FOUND = _kind(
    "no-face-found", 422, "No face was found", "Send a picture that shows a face."
)
FACE_TOO_POOR = _kind(
    "face-too-poor",
    422,
    "The face is too poor to recognise by",
    "It is too small, blurred, dark, turned or hidden; the detail says which.",
)
AMBIGUOUS_FACE = _kind(
    "ambiguous-face",
    422,
    "Several faces may be meant",
    "Crop the picture to the one who is to be enrolled.",
)
LOOKS_LIKE_ANOTHER = _kind(
    "looks-like-another",
    422,
    "The face is more like another subject's",
    "If it is the subject's all the same, say so: allow_lookalike=true. That is on record.",
)
NAME_CONFLICT = _kind(
    "name-conflict",
    409,
    "The name means somebody else",
    "It is another person's, for another purpose. Enrol this one under another name.",
)
ENROLMENT_REFUSED = _kind(
    "enrolment-refused", 422, "Nobody can be enrolled from this", "The detail says why."
)

#: Every kind, by its name.
KINDS: Final = {kind.name: kind for kind in _ALL}

_BY_ERROR: Final[dict[type[SaysoError], Kind]] = {
    SaysoError: INTERNAL_ERROR,
    Overloaded: TOO_MANY_REQUESTS,
    errors.UnknownKey: UNAUTHENTICATED,
    errors.AccessDenied: ACCESS_DENIED,
    errors.PictureError: UNUSABLE_PICTURE,
    errors.UnreadablePicture: UNREADABLE_PICTURE,
    errors.UnsupportedPicture: UNSUPPORTED_PICTURE,
    errors.PictureTooLarge: PICTURE_TOO_LARGE,
    errors.PictureTooCostly: PICTURE_TOO_COSTLY,
    errors.WorkAbandoned: MALFORMED,  # as for whoever leaves in the middle of a body
    errors.DecoderUnavailable: UNAVAILABLE,
    errors.TooManyFaces: TOO_MANY_FACES,
    errors.ModelError: UNAVAILABLE,
    errors.KeyringError: UNAVAILABLE,
    errors.CalibrationError: UNAVAILABLE,
    errors.StoreUnavailable: UNAVAILABLE,
    errors.GalleryError: REFUSED,
    errors.InvalidName: INVALID_NAME,
    errors.CollectionExists: COLLECTION_EXISTS,
    errors.CollectionNotFound: COLLECTION_NOT_FOUND,
    errors.CollectionNotEmpty: COLLECTION_NOT_EMPTY,
    errors.SubjectNotFound: SUBJECT_NOT_FOUND,
    errors.ConsentNotFound: CONSENT_NOT_FOUND,
    errors.FaceNotFound: FACE_NOT_FOUND,
    errors.UserNotFound: USER_NOT_FOUND,
    errors.KeyNotFound: KEY_NOT_FOUND,
    errors.EvaluationNotFound: EVALUATION_NOT_FOUND,
    errors.EvaluationNotReady: EVALUATION_NOT_READY,
    EvaluationError: REFUSED,
    errors.UserExists: USER_EXISTS,
    errors.TooManyFacesOfUser: TOO_MANY_FACES_OF_USER,
    errors.TooManyTags: TOO_MANY_TAGS,
    errors.InvalidTag: INVALID_TAG,
    errors.TokenReused: KEY_REUSED,
    errors.InvalidPageToken: INVALID_CURSOR,
    errors.ConsentRequired: CONSENT_REQUIRED,
    errors.PurposeNotDeclared: PURPOSE_NOT_DECLARED,
    errors.ModelConflict: MODEL_CONFLICT,
    errors.EnrolmentError: ENROLMENT_REFUSED,
    errors.NoFaceFound: NO_FACE_FOUND,
    errors.FaceTooPoor: FACE_TOO_POOR,
    errors.AmbiguousFace: AMBIGUOUS_FACE,
    errors.LooksLikeAnother: LOOKS_LIKE_ANOTHER,
    errors.NameConflict: NAME_CONFLICT,
}


def of(error: SaysoError) -> Kind:
    """Return the kind of problem that an error of the core is."""
    return next(_BY_ERROR[each] for each in type(error).__mro__ if each in _BY_ERROR)
