from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from sayso.evaluation.evaluate import Gallery, evaluate
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.open_set import OpenSet, count_gallery, search_open_set
from sayso.evaluation.report import render
from sayso.evaluation.scoring import RawCosine, scorers_of
from tests.evaluation.synthetic import (
    claims,
    cosine_claims,
    faces,
    measured,
    some_normaliser,
)
from tests.evaluation.test_report import PROVENANCE, read

PEOPLE = 60
ENROLLED = 40  # of whom the first half have probes, as have the 20 who are not enrolled


def folders(*, pictures: int = 1, noise: float = 0.5) -> tuple[Measured, Measured]:
    """Probes of people 0 to 19 and 40 to 59, and a gallery with two pictures of 0 to 39."""
    people, templates = faces(PEOPLE, pictures + 2, noise=noise)
    owner = np.array(people)
    picture = np.tile(np.arange(pictures + 2), PEOPLE)
    enrolled = (owner < ENROLLED) & (picture < 2)
    probing = ((owner < 20) | (owner >= ENROLLED)) & (picture >= 2)
    return part(owner, templates, probing), part(owner, templates, enrolled)


def part(owner: np.ndarray, templates: np.ndarray, rows: np.ndarray) -> Measured:
    """The pictures of some rows, with nobody in it who has none."""
    everybody = measured(owner.tolist(), templates)
    numbers, people = np.unique(owner[rows], return_inverse=True)
    return replace(
        everybody,
        files=tuple(np.array(everybody.files)[rows].tolist()),
        people=people.astype(np.int64),
        names=tuple(everybody.names[number] for number in numbers),
        groups=(None,) * len(numbers),
        templates=templates[rows],
        quality=everybody.quality[rows],
        failures=(),
    )


def run(probes: Measured, gallery: Measured, times: float = 1.0) -> OpenSet:
    return search_open_set(probes, gallery, RawCosine(cosine_claims(times)), seed=0)


def test_planted_mates_are_found_and_nobody_else() -> None:
    probes, gallery = folders()
    counts = count_gallery(probes, gallery, "club")
    assert (counts.probes, counts.faces, counts.people, counts.in_both) == (40, 80, 40, 20)
    found = run(probes, gallery)
    assert (found.found, found.missed) == (20, ())
    assert (found.named, found.named_count) == ((), 0)
    assert found.above_strangers == 20
    assert found.highest is not None
    assert found.highest.score < 0.45
    assert found.promises is not None
    assert found.promises.default.found is not None
    assert found.promises.default.found.value == 1


def test_a_planted_look_alike_is_listed_by_its_files() -> None:
    probes, gallery = folders()
    templates = probes.templates.copy()
    stranger = probes.files.index("person050/0152.jpg")
    # Like both enrolled pictures of person 30: a search names a person once.
    alike = gallery.templates[gallery.people == 30].sum(axis=0)
    templates[stranger] = alike / np.linalg.norm(alike)
    found = run(replace(probes, templates=templates), gallery)
    assert found.named_count == 1
    assert found.named is not None
    (named,) = found.named
    assert named.probe == "person050/0152.jpg"
    assert named.enrolled in {"person030/0090.jpg", "person030/0091.jpg"}
    assert named.similarity is not None
    assert named.similarity > 80
    assert found.highest == named
    assert found.above_strangers < 20
    assert found.promises is not None
    assert found.promises.default.named == 1
    assert found.promises.default.false_matches == 2  # both faces
    assert found.found == 20


def test_a_person_who_does_not_come_first_is_missed_by_name() -> None:
    probes, gallery = folders()
    templates = probes.templates.copy()
    templates[3] = gallery.templates[0]  # person 3 looks like person 0
    found = run(replace(probes, templates=templates), gallery, 100.0)
    assert found.found == 19
    assert found.missed is not None
    assert [each.person for each in found.missed] == ["person003"]
    assert found.named is not None
    assert [(each.probe, each.enrolled) for each in found.named] == [
        ("person003/0011.jpg", "person000/0000.jpg")
    ]


@pytest.mark.parametrize("claimed", [1 / 3, 1.0, 3.0])
def test_seen_by_promised_is_how_wrong_the_claim_is(claimed: float) -> None:
    people, templates = faces(1_000, 1)
    owner = np.array(people)
    probes, gallery = part(owner, templates, owner < 400), part(owner, templates, owner >= 300)
    promises = run(probes, gallery, claimed).promises
    assert promises is not None
    assert [each.expected for each in promises.others] == [0.1, 1.0]
    hundredth, (tenth, one) = promises.default, promises.others
    assert hundredth.expected == 0.01
    assert (hundredth.ratio is None) == (claimed >= 1)  # 4 promised, of which 12 were seen
    for promise, within in ((tenth, 0.6), (one, 0.2)):
        assert promise.ratio is not None
        assert promise.ratio.value == pytest.approx(1 / claimed, rel=within)
    assert one.promised == pytest.approx(400 * 1.0, rel=0.01)


def test_of_scores_without_a_calibration_only_the_order_is_told() -> None:
    probes, gallery = folders()
    found = search_open_set(probes, gallery, RawCosine(), seed=0)
    assert found.above_strangers == 20
    assert found.promises is None
    assert found.found is None
    assert found.highest is not None
    assert found.highest.similarity is None


def test_a_rate_that_is_not_claimed_names_nobody() -> None:
    probes, gallery = folders()
    bold = claims(np.array([0.0, 0.3]), np.array([1.0, 1e-3]))  # 0.01 among 80 faces is lower
    found = search_open_set(probes, gallery, RawCosine(bold), seed=0)
    assert found.promises is not None
    assert found.promises.default.threshold is None
    assert (found.found, found.named) == (None, None)
    assert found.above_strangers == 20


def test_one_picture_of_each_is_enough_and_the_rest_is_left_out_with_a_reason() -> None:
    probes, gallery = folders()
    scorers = [RawCosine(cosine_claims())]
    found = evaluate(probes, scorers, PROVENANCE, gallery=Gallery("club", gallery))
    assert found.results[0].verification is None
    assert found.left_out[0].startswith("verification, and what needs pairs: of 40 pictures 40")
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["gallery"]["in_both"] == 20
    assert document["results"][0]["open_set"]["found"] == 20
    text = " ".join("".join(read(render(found)).text).split())
    assert "20 of 20 people in both folders were found, and nobody was named" in text
    assert 'id="verification"' not in render(found)
    with pytest.raises(EvaluationError, match="two of one of them"):
        evaluate(probes, scorers, PROVENANCE)


def test_raw_and_normalised_stand_side_by_side() -> None:
    probes, gallery = folders(pictures=3)
    templates = probes.templates.copy()
    alike = gallery.templates[gallery.people == 30].sum(axis=0)
    templates[70] = alike / np.linalg.norm(alike)  # of a person who is not enrolled
    probes = replace(probes, templates=templates)
    scores = np.linspace(0.0, 0.7, 200)  # of strangers they reach 0.5, and of the look-alike 0.9
    careful = claims(scores, 10.0 ** (-7 * scores), normaliser=some_normaliser())
    scorers = scorers_of(careful)
    found = evaluate(probes, scorers, PROVENANCE, gallery=Gallery("<club>", gallery))
    normalised, raw = found.results
    assert normalised.open_set is not None
    assert raw.open_set is not None
    assert normalised.open_set.named_count == 1
    assert raw.open_set.named_count is None
    page = render(found)
    text = " ".join("".join(read(page).text).split())
    assert probes.files[70] in text
    assert "<club>" in text
    assert "<club>" not in page
    again = evaluate(probes, scorers, PROVENANCE, gallery=Gallery("<club>", gallery))
    assert render(again) == page


def test_a_gallery_of_one_person_has_no_stranger_for_that_person() -> None:
    people, templates = faces(1, 2)
    both = measured(people, templates)
    found = run(both, both)
    assert found.highest is None
    assert (found.found, found.above_strangers, found.named_count) == (1, 1, 0)


def test_folders_without_any_template_are_told() -> None:
    probes, gallery = folders()
    nothing = replace(gallery, templates=np.zeros_like(gallery.templates))
    with pytest.raises(EvaluationError, match="club: none of 80 pictures gave a template"):
        count_gallery(probes, nothing, "club")
    with pytest.raises(EvaluationError, match="the probes: none of 80 pictures"):
        count_gallery(nothing, gallery, "club")
