"""Redaction: copies of pictures in which everybody is covered but who agreed to be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sayso.audit.events import SUBJECTS_PER_EVENT, Event, PictureRedacted
from sayso.core.covering import (
    LEAST_SIMILARITY,
    Box,
    ByHand,
    Heads,
    Judgement,
    check_boxes,
    check_within,
    good_enough,
)
from sayso.core.looking import PictureSource, shown
from sayso.core.recognising import Recognising
from sayso.errors import GalleryError, UnsupportedPicture
from sayso.gallery.matches import Matches
from sayso.gallery.times import moment
from sayso.redacted import MEDIA_TYPES, Redacted, RedactedFace
from sayso.redaction.detecting import REDACTION_MIN_SCORE, REDACTION_PLAN
from sayso.redaction.encoding import suffix_for
from sayso.redaction.picture import cover as paint
from sayso.redaction.types import STYLES, Style
from sayso.results import Candidate
from sayso.vision.encoding import encode


class Redacting(Recognising):
    """What can be given out of pictures."""

    def redact(
        self,
        collection: str,
        picture: PictureSource,
        *,
        purpose: str | None = None,
        style: Style = "solid",
        cover: Sequence[Sequence[float]] = (),
        uncover: Sequence[Sequence[float]] = (),
        thorough: bool = False,
        suffix: str | None = None,
    ) -> Redacted:
        """Cover every face of a picture but of those subjects whose consent covers the purpose.

        Unsure means covered: a face that is too small or too blurred to be recognised, or that is
        perhaps none; one that resembles nobody as much as the collection's rule asks, and as a
        similarity of 50 in any case; and of two that resemble the same subject the one that does
        less. Where a cover reaches over a face that is kept, it wins. The copy has no metadata but
        its colour profile, and is upright.

        ``cover`` and ``uncover`` are a second look: boxes x1, y1, x2, y2 in pixels of the upright
        picture, at most 100 each. Whoever is found there is covered, or not, whatever was decided
        before; a box in ``cover`` is covered as it is, too, unless it is a face's own. They are on
        record. With ``thorough`` faces are looked for more closely: some more are found, in several
        times the time.
        ``suffix`` names the format to write, such as ``.jpg``: that of the picture unless given,
        or one that can be written.

        Raises GalleryError for a style that there is not, for boxes that are none, and for one in
        ``uncover`` where no face was found; UnsupportedPicture for a ``suffix`` that cannot be
        written; and all that ``recognize`` raises.
        """
        # Uncovering by hand takes no right of its own: whoever asks has the picture already, so
        # that what matters is the record of it.
        call = self._searching(collection, purpose)
        _check_style(style)
        boxes = check_boxes(cover, "cover"), check_boxes(uncover, "uncover")
        if suffix is not None:
            suffix = _writable(suffix)
        measured = self._measured(self._comparable(collection))
        decoded, digest = self._decoded(picture)
        for each in boxes:
            check_within(each, decoded.width, decoded.height)

        analyzer = self._resources.analyzer()
        found = Heads.of(
            analyzer.detect(
                decoded,
                mode="thorough" if thorough else REDACTION_PLAN,
                min_score=REDACTION_MIN_SCORE,
                in_front=True,
            )
        )
        try:
            hands = ByHand.of(found, *boxes)
        except GalleryError:
            self._record_detected(call, [(digest, len(found.rows))])
            raise
        # Only those who can be recognised are looked up: whoever is covered in any case would
        # raise what the collection's rule asks of the others.
        seen = found.worth_a_look()
        looked_at = found.found.take(np.array(seen, np.intp))
        analysis = analyzer.describe(
            decoded, looked_at, mode="thorough" if thorough else "balanced"
        )
        good = good_enough(analysis)
        probes = [seen[place] for place in good]

        record = self._audited(digest)
        judged: list[Judgement] = []

        def settle(matches: Matches) -> list[Event]:
            hits = dict(zip(probes, matches.hits, strict=True))
            judged.append(Judgement.of(found, hands, hits))
            return _events(collection, record, style, judged[0], boxes)

        decision = self._decision(collection, measured, LEAST_SIMILARITY, len(probes))
        matches = self._match(
            call, analysis.templates[good], 1, decision, picture=record, settle=settle
        )
        (judgement,) = judged
        suffix = suffix or suffix_for(decoded.format)
        qualities = dict(zip(seen, (face.quality.overall for face in analysis.faces), strict=True))
        candidates = dict(zip(probes, matches, strict=True))
        return Redacted(
            data=encode(paint(decoded, judgement.covers(), style), suffix),
            suffix=suffix,
            picture=shown(picture),
            record=record,
            collection=collection,
            purpose=call.caller.purpose or "",
            style=style,
            thorough=thorough,
            made=moment(self._resources.store.now()),
            width=decoded.width,
            height=decoded.height,
            faces=(
                *_faces(judgement, qualities, candidates),
                *(RedactedFace(box, None, None, True, "by-hand") for box in hands.drawn),
            ),
            threshold=matches.threshold,
            notices=decoded.notices,
        )


def _faces(
    judgement: Judgement,
    qualities: Mapping[int, float],
    candidates: Mapping[int, Sequence[Candidate]],
) -> Iterator[RedactedFace]:
    hidden = set(judgement.hidden)
    for row in judgement.heads.rows:
        # Of whom a face that is covered is, or might be, nothing is told.
        named = candidates[row][0] if row in judgement.kept else None
        yield RedactedFace(
            box=judgement.heads.box(row),
            score=float(judgement.heads.found.scores[row]),
            quality=qualities.get(row),
            covered=row in hidden,
            reason=judgement.reason(row),
            subject=None if named is None else named.subject,
            similarity=None if named is None else named.similarity,
            expected_false_matches=None if named is None else named.expected_false_matches,
        )


def _events(
    collection: str,
    picture: str,
    style: Style,
    judgement: Judgement,
    by_hand: tuple[Sequence[Box], Sequence[Box]],
) -> list[Event]:
    """Return what the log is to tell: in several entries where very many are shown."""
    kept = sorted(hit.subject_id for hit in judgement.kept.values())
    cover, uncover = (tuple(map(_whole, boxes)) for boxes in by_hand)
    return [
        PictureRedacted(
            collection=collection,
            picture=picture,
            style=style,
            faces=judgement.faces,
            covered=len(judgement.hidden) + len(judgement.hands.drawn),
            subjects=tuple(kept[start : start + SUBJECTS_PER_EVENT]),
            covered_by_hand=cover,
            uncovered_by_hand=uncover,
        )
        for start in range(0, max(1, len(kept)), SUBJECTS_PER_EVENT)
    ]


def _check_style(style: str) -> None:
    if style not in STYLES:
        raise GalleryError(
            f"there is no style {str(style)[:64]!r}: it can be {', '.join(STYLES[:-1])} or "
            f"{STYLES[-1]}"
        )


def _writable(suffix: str) -> str:
    if suffix.lower() not in MEDIA_TYPES:
        raise UnsupportedPicture(
            f"no picture can be written as {suffix[:64]!r}; use one of {', '.join(MEDIA_TYPES)}"
        )
    return suffix.lower()


def _whole(box: Box) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(side) for side in box)
    return x1, y1, x2, y2
