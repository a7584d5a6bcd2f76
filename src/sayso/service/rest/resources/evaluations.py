"""Evaluations: error rates, measured on labelled pictures that are sent one by one."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.service.rest import kinds, values
from sayso.service.rest.asking import DEFAULT_MODE
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Asking, Changing, Reading
from sayso.service.rest.operations import HTML, Resource
from sayso.service.rest.pages import Items
from sayso.service.rest.pictures import OnePicture, read_picture, takes_pictures
from sayso.service.rest.replays import Done
from sayso.service.rest.values import Answer, Asked, Label
from sayso.vision.types import Mode

resource = Resource(
    "evaluations",
    "How often Sayso is wrong with people and pictures like yours: measured on labelled pictures "
    "that are sent one by one. Nobody is enrolled. An evaluation is in the memory of the service "
    "only: it is gone when the service is started anew, or after an hour without a picture, and "
    "the 20 that were done last are kept. They take the right to `admin`, in all collections.",
)
_NO_EVALUATION = kinds.EVALUATION_NOT_FOUND
_NOT_READY = kinds.EVALUATION_NOT_READY
#: A report is styled, and has its drawings in it; it runs nothing and asks nobody.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
_NAME: Final = r"^[^\x00/]+$"
_MOST_LABELS: Final = 20_000
EvaluationPath = Annotated[str, Path(pattern=values.UUID, description="The id of an evaluation.")]
PersonQuery = Annotated[
    str,
    Query(
        pattern=_NAME,
        min_length=1,
        max_length=255,
        description="Who is in the picture, by whatever name you give them; without a slash.",
    ),
]
FileQuery = Annotated[
    str,
    Query(
        pattern=_NAME,
        min_length=1,
        max_length=255,
        description="What the report calls the picture; without a slash. Another picture of the "
        "same person and file takes the place of the one before.",
    ),
]
Person = Annotated[str, Field(min_length=1, max_length=255)]


class EvaluatedPictures(Answer):
    """How many pictures there are."""

    pictures: int
    people: int = Field(description="How many the pictures are of.")
    with_template: int = Field(description="How many of the pictures show a face that is usable.")

    @classmethod
    def of(cls, found: results.EvaluatedPictures) -> EvaluatedPictures:
        """Return it as a document."""
        return cls(pictures=found.pictures, people=found.people, with_template=found.with_template)


class Evaluation(Answer):
    """How far an evaluation is."""

    id: str
    name: str = Field(description="What the report calls it.")
    state: Literal["open", "waiting", "measuring", "drawing", "done", "failed", "discarded"] = (
        Field(
            description="It is open to pictures until it is finished; then it waits for its turn, "
            "is measured, and its report is drawn."
        )
    )
    mode: Mode = Field(description="How much work detection takes.")
    compare: bool = Field(description="Whether every way of scoring is measured.")
    created: datetime
    created_by: str
    finished: datetime | None = Field(description="When it was done or failed.")
    pictures: EvaluatedPictures
    gallery: EvaluatedPictures = Field(description="Those that the others are searched for in.")
    labelled: int = Field(description="How many people have a group.")
    step: str | None = Field(description="What is being done.")
    progress: float = Field(description="How much was done since it was finished, 0 to 1.")
    problem: str | None = Field(description="Why it failed.")

    @classmethod
    def of(cls, found: results.EvaluationRun) -> Evaluation:
        """Return it as a document."""
        return cls(
            id=found.id,
            name=found.name,
            state=found.state,
            mode=found.mode,
            compare=found.compare,
            created=found.created,
            created_by=found.created_by,
            finished=found.finished,
            pictures=EvaluatedPictures.of(found.pictures),
            gallery=EvaluatedPictures.of(found.searched),
            labelled=found.labelled,
            step=found.step,
            progress=round(found.progress, 3),
            problem=found.problem,
        )


class Evaluations(Items[Evaluation]):
    """Every evaluation, the oldest first."""


class NewEvaluation(Asked):
    """An evaluation to be begun."""

    name: Label = Field(description="What the report calls it.")
    mode: Mode = Field(default=DEFAULT_MODE, description="How much work detection may take.")
    compare: bool = Field(
        default=False, description="Measure every way of scoring, not only that of searches."
    )


class EvaluatedPicture(Answer):
    """What was made of a picture; its template is not told."""

    usable: bool = Field(description="Whether there is a face to compare.")
    quality: float | None = Field(description="Of that face, 0 to 100.")
    why: str | None = Field(description="Why the picture is of no use.")

    @classmethod
    def of(cls, found: results.EvaluatedPicture) -> EvaluatedPicture:
        """Return it as a document."""
        quality = None if found.quality is None else round(found.quality, 3)
        return cls(usable=found.why is None, quality=quality, why=found.why)


class GroupLabels(Asked):
    """Which groups people are in: your own labels, which are never inferred."""

    groups: dict[Person, Label] = Field(
        min_length=1,
        max_length=_MOST_LABELS,
        description="By person the group. People who are not named keep theirs.",
    )


class Figures(Answer):
    """What an evaluation found."""

    summary: list[str] = Field(description="In plain words.")
    figures: dict[str, Any] = Field(
        description="Everything that was measured, as `sayso evaluate --json` writes it."
    )

    @classmethod
    def of(cls, found: results.EvaluationFigures) -> Figures:
        """Return it as a document."""
        return cls(summary=list(found.summary), figures=found.figures)


@resource.operation("GET", "/evaluations", "List evaluations", answer=Evaluations)
async def list_evaluations(call: Reading) -> Response:
    """List every evaluation in the memory of the service, the oldest first."""

    def work() -> Evaluations:
        return Evaluations(items=[Evaluation.of(each) for each in call.app.evaluations()])

    return await call.read(work)


@resource.operation(
    "POST",
    "/evaluations",
    "Begin an evaluation",
    answer=Evaluation,
    status=HTTPStatus.CREATED,
    takes=takes(NewEvaluation),
    problems=(kinds.INVALID_NAME, kinds.REFUSED),
)
async def begin_evaluation(call: Changing) -> Response:
    """Begin an evaluation, to which pictures are then sent. At most four are not done at a time."""
    body = await read_json(call.request, NewEvaluation)

    def work() -> Done:
        asked = body.asked
        found = call.app.begin_evaluation(asked.name, mode=asked.mode, compare=asked.compare)
        place = f"{call.path}/{found.id}"
        return Done(Evaluation.of(found), HTTPStatus.CREATED, location=place)

    return await call.change(work, body=body)


@resource.operation(
    "GET",
    "/evaluations/{evaluation}",
    "Get how far an evaluation is",
    answer=Evaluation,
    problems=(_NO_EVALUATION,),
)
async def get_evaluation(call: Reading, evaluation: EvaluationPath) -> Response:
    """Get how far one evaluation is. Ask every second or so while it is being measured."""
    return await call.read(lambda: Evaluation.of(call.app.evaluation(evaluation)))


@resource.operation(
    "DELETE",
    "/evaluations/{evaluation}",
    "Discard an evaluation",
    answer=Evaluation,
    problems=(_NO_EVALUATION,),
)
async def discard_evaluation(call: Changing, evaluation: EvaluationPath) -> Response:
    """Drop an evaluation with all that it has. If it is being measured, that ends."""
    return await call.change(lambda: Done(Evaluation.of(call.app.discard_evaluation(evaluation))))


@resource.operation(
    "POST",
    "/evaluations/{evaluation}/pictures",
    "Send a picture to an evaluation",
    answer=EvaluatedPicture,
    takes=takes_pictures(OnePicture, raw=True),
    problems=(_NO_EVALUATION, _NOT_READY, kinds.INVALID_NAME, kinds.REFUSED),
)
async def add_evaluation_picture(
    call: Changing,
    evaluation: EvaluationPath,
    person: PersonQuery,
    file: FileQuery,
    gallery: Annotated[
        bool,
        Query(description="It is one of the gallery that the other pictures are searched for in."),
    ] = False,
) -> Response:
    """Make a template of the face that a picture is of, which is dropped with the evaluation.

    Of several faces the largest and most central counts. A picture that cannot be used is no
    problem: the answer says why, and so does the report. At most 20,000 can be evaluated together.
    """
    body = await read_picture(call)

    def work() -> Done:
        found = call.app.add_evaluation_picture(
            evaluation, person=person, file=file, picture=body.asked.picture, searched=gallery
        )
        return Done(EvaluatedPicture.of(found))

    return await call.change(work, body=body, heavy=True)


@resource.operation(
    "POST",
    "/evaluations/{evaluation}/groups",
    "Label the people of an evaluation",
    answer=Evaluation,
    takes=takes(GroupLabels),
    problems=(_NO_EVALUATION, _NOT_READY, kinds.INVALID_NAME, kinds.REFUSED),
)
async def label_evaluation(call: Changing, evaluation: EvaluationPath) -> Response:
    """Say which groups people are in, to see whether some are mistaken more often than others.

    The people must have pictures in the evaluation already.
    """
    body = await read_json(call.request, GroupLabels)

    def work() -> Done:
        return Done(Evaluation.of(call.app.label_evaluation(evaluation, body.asked.groups)))

    return await call.change(work, body=body)


@resource.operation(
    "POST",
    "/evaluations/{evaluation}/finish",
    "Finish an evaluation",
    answer=Evaluation,
    status=HTTPStatus.ACCEPTED,
    problems=(_NO_EVALUATION, _NOT_READY, kinds.REFUSED),
)
async def finish_evaluation(call: Changing, evaluation: EvaluationPath) -> Response:
    """Take no more pictures, and compare them; that goes on after the answer.

    Where the pictures leave nothing to compare, this is refused, and more of them can be sent.
    """

    def work() -> Done:
        found = call.app.finish_evaluation(evaluation)
        return Done(Evaluation.of(found), HTTPStatus.ACCEPTED)

    return await call.change(work)


@resource.operation(
    "GET",
    "/evaluations/{evaluation}/figures",
    "Get what an evaluation found",
    answer=Figures,
    problems=(_NO_EVALUATION, _NOT_READY),
)
async def get_figures(call: Asking, evaluation: EvaluationPath) -> Response:
    """Get what was found: in plain words, and all figures for a program."""
    return await call.tell(lambda: Figures.of(call.app.evaluation_figures(evaluation)))


@resource.operation(
    "GET",
    "/evaluations/{evaluation}/report",
    "Get the report of an evaluation",
    answer=None,
    media=HTML,
    problems=(_NO_EVALUATION, _NOT_READY),
)
async def get_report(call: Asking, evaluation: EvaluationPath) -> Response:
    """Get the report: one HTML document that needs no other. Save it: it is not kept for good.

    It names people and files as you did, and holds no picture and no template.
    """
    report = await call.light(lambda: call.app.evaluation_report(evaluation))
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(report, headers=headers, media_type=HTML)
