"""How faces are looked for where a missed one would be shown to the world."""

from __future__ import annotations

from typing import Final

from sayso.vision.passes import PlanName

#: The passes that find most faces in the time that redaction may take; see benchmarks/results.md.
REDACTION_PLAN: Final[PlanName] = "redaction"
#: Faces from this score are covered, far below what ``DEFAULT_MIN_SCORE`` calls a face: it is the
#: lowest at which at least half of what is covered is on a labelled face of WIDER FACE.
REDACTION_MIN_SCORE: Final = 0.1
