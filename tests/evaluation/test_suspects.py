from __future__ import annotations

import numpy as np

from sayso.evaluation.folder import Measured
from sayso.evaluation.pairs import score_pairs
from sayso.evaluation.resampling import people_weights
from sayso.evaluation.scoring import RawCosine
from sayso.evaluation.suspects import Suspects, suspects
from sayso.evaluation.verification import verify
from tests.evaluation.synthetic import faces, measured


def run(data: Measured) -> Suspects:
    pairs = score_pairs(data, RawCosine())
    weights = people_weights(np.zeros(len(data.names), np.int64), np.random.default_rng(1), 20)
    return suspects(data, pairs, verify(pairs, weights).near(1e-3))


def test_a_picture_in_the_wrong_folder_is_listed_and_no_other() -> None:
    people, templates = faces(40, 5)
    people[17] = 30  # one of person 3's is in person 30's folder
    data = measured(people, templates)
    found = run(data)
    assert found.misplaced_count == 1
    (only,) = found.misplaced
    assert only.file == data.files[17] == "person030/0017.jpg"
    assert only.other.startswith("person003/")
    assert only.other_score > 0.5 > only.own_score
    # It is in the worst genuine pairs and in the highest impostor pairs, too.
    assert data.files[17] in (found.different[0].a, found.different[0].b)
    assert data.files[17] in (found.same_person[0].a, found.same_person[0].b)


def test_a_person_under_two_names_is_listed_once_with_all_their_pairs() -> None:
    people, templates = faces(40, 5)
    people[15:17] = [40, 40]  # two of person 3's five are filed as somebody new
    found = run(measured(people, templates))
    first, second = found.same_person[:2]
    assert {first.a[:9], first.b[:9]} == {"person003", "person040"}
    assert first.more == 2 * 3 - 1
    assert second.score < first.score - 0.1


def test_a_clean_folder_has_nothing_out_of_place() -> None:
    people, templates = faces(40, 5)
    found = run(measured(people, templates))
    assert found.misplaced == ()
    assert found.misplaced_count == 0
    assert found.different  # the lowest are always listed


def test_one_person_does_not_fill_the_list_of_the_lowest() -> None:
    people, templates = faces(40, 5)
    people[17] = 30
    different = run(measured(people, templates)).different
    owners = [pair.a[:9] for pair in different]
    assert owners.count("person030") <= 2
    assert len(different) == 25
    assert [pair.score for pair in different] == sorted(pair.score for pair in different)


def test_somebody_with_one_picture_is_never_out_of_place() -> None:
    people, templates = faces(40, 5)
    people[15] = 40  # the only picture of person 40 shows person 3
    assert run(measured(people, templates)).misplaced_count == 0
