"""Faces of two pictures compared; no collection is involved."""

from __future__ import annotations

import asyncio

from sayso.core import DEFAULT_SIMILARITY
from sayso.service.rekognition.answers import Document, box, confidence, face_detail, percent
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.pictures import least_quality, picture_of
from sayso.service.rekognition.registry import Operation


async def compare_faces(context: Context, request: Document) -> Document:
    """CompareFaces: the largest face of one picture with each of another."""
    source, target = await asyncio.gather(
        picture_of(context, request["SourceImage"], "compare"),
        picture_of(context, request["TargetImage"], "compare"),
    )
    found = await context.state.engine.run(
        context.caller.key,
        lambda: context.app.compare_faces(
            source,
            target,
            min_similarity=request.get("SimilarityThreshold", DEFAULT_SIMILARITY),
            min_quality=least_quality(request),
        ),
    )
    return {
        "SourceImageFace": {
            "BoundingBox": box(found.source.box, found.source_size),
            "Confidence": confidence(found.source.score),
        },
        "FaceMatches": [
            {
                "Similarity": percent(each.similarity),
                "Face": face_detail(each.face, found.target_size),
            }
            for each in found.matches
        ],
        "UnmatchedFaces": [face_detail(each.face, found.target_size) for each in found.unmatched],
    }


OPERATIONS: dict[str, Operation] = {"CompareFaces": compare_faces}
