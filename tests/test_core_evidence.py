"""The expected false matches are of the gallery as the caller may see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sayso.core import Sayso
from sayso.evidence.calibration import default
from sayso.results import Consent
from tests.gallery.synthetic import templates as unit_rows


def test_every_enrolled_face_that_may_be_shown_is_a_chance_to_err(tmp_path: Path) -> None:
    templates = unit_rows(9, seed=3)
    delivery = Consent(purposes=["delivery"], evidence="form")
    other = Consent(purposes=["other"], evidence="form")
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        app.enroll_templates(
            "club", subjects=["ada"] * 4 + ["bob"], templates=templates[:5], consent=delivery
        )
        app.enroll_templates("club", subjects=["eve"] * 4, templates=templates[5:], consent=other)
        ((hit,),) = app.recognize_templates("club", templates[:1], purpose="delivery")
    rate = float(default().false_match_rate(np.array([hit.cosine], np.float32))[0])
    assert hit.subject == "ada"
    # Four faces of ada's and one of bob's; eve may not be shown, so she cannot be mistaken.
    assert hit.expected_false_matches == pytest.approx(5 * rate)
