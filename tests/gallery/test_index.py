from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.core import Sayso
from sayso.errors import CollectionNotFound, ModelConflict
from sayso.evidence.calibration import default
from sayso.gallery import scored, search
from sayso.gallery.search import ExactSearch
from sayso.results import Consent
from tests.gallery.synthetic import (
    ANYBODY,
    CONSENT,
    PURPOSE,
    VERSION,
    enrol,
    named,
    near,
    templates,
)


def test_a_stranger_is_unknown(app: Sayso) -> None:
    enrol(app, ["ada", "bob"])
    assert named(app, templates(5, seed=1)) == [None] * 5


def test_an_empty_collection_names_nobody(app: Sayso) -> None:
    assert named(app, templates(2)) == [None, None]


def test_no_probe_gives_no_answer(app: Sayso) -> None:
    enrol(app, ["ada"])
    assert named(app, templates(0)) == []


def test_candidates_are_subjects_by_their_best_face(app: Sayso) -> None:
    probe = templates(1)
    # Nine faces of ada are all more alike than bob's only one.
    ada = np.concatenate([near(probe, 0.99 - 0.01 * i, seed=1 + i) for i in range(9)])
    bob, cy = near(probe, 0.8, seed=50), near(probe, 0.7, seed=51)
    app.enroll_templates(
        "club",
        subjects=["ada"] * 9 + ["bob", "cy"],
        templates=np.concatenate([ada, bob, cy]),
        consent=CONSENT,
        version=VERSION,
    )
    for top in (1, 2, 3, 10):
        (found,) = app.recognize_templates(
            "club", probe, purpose=PURPOSE, version=VERSION, min_similarity=0, top=top
        )
        assert [c.subject for c in found] == ["ada", "bob", "cy"][:top]
        assert [c.cosine for c in found] == pytest.approx([0.99, 0.8, 0.7][:top], abs=1e-5)
    best = {face.id for face in app.faces("club", "ada")}
    assert found[0].face_id in best


def test_only_who_is_similar_enough_is_a_candidate(app: Sayso) -> None:
    probe = templates(1)
    app.enroll_templates(
        "club",
        subjects=["ada", "bob"],
        templates=np.concatenate([near(probe, 0.9, 1), near(probe, 0.3, 2)]),
        consent=CONSENT,
        version=VERSION,
    )
    (found,) = app.recognize_templates("club", probe, purpose=PURPOSE, version=VERSION, top=5)
    assert [c.subject for c in found] == ["ada"]
    assert all(c.similarity >= 80 for c in found)


def test_somebody_more_alike_who_is_not_covered_leaves_no_trace(app: Sayso) -> None:
    probe = templates(1)
    app.enroll_templates(
        "club", subjects=["bob"], templates=near(probe, 0.9, 1), consent=CONSENT, version=VERSION
    )
    before = app.recognize_templates("club", probe, purpose=PURPOSE, version=VERSION, top=3)
    other = Consent(["security"], "form")
    app.enroll_templates(
        "club",
        subjects=["ada"],
        templates=probe,
        consent=other,
        version=VERSION,
        allow_lookalike=True,
    )
    assert app.recognize_templates("club", probe, purpose=PURPOSE, version=VERSION, top=3) == before


def test_the_answer_is_that_of_plain_sorting(app: Sayso) -> None:
    rng = np.random.default_rng(5)
    names = [f"s{rng.integers(120)}" for _ in range(400)]
    matrix = templates(400, seed=5)
    app.enroll_templates("club", subjects=names, templates=matrix, consent=CONSENT, version=VERSION)
    for name in {f"s{i}" for i in range(0, 120, 7)} & set(names):
        app.erase_subject("club", name)
    left = np.array([int(name[1:]) % 7 != 0 for name in names])
    probes = templates(20, seed=6)
    app.set_false_match_rule("club", ANYBODY)
    found = app.recognize_templates(
        "club", probes, purpose=PURPOSE, version=VERSION, min_similarity=0, top=8
    )
    every = default().between(probes, matrix)
    for probe, scores, candidates in zip(probes, every, found, strict=True):
        best: dict[str, int] = {}
        for row in np.argsort(-scores):
            if left[row]:
                best.setdefault(names[row], int(row))
        assert [c.subject for c in candidates] == list(best)[:8]
        rows = list(best.values())[:8]
        assert [c.cosine for c in candidates] == pytest.approx(matrix[rows] @ probe, abs=1e-5)
        assert [c.similarity for c in candidates] == pytest.approx(
            default().similarity(scores[rows]), abs=1e-2
        )


def test_probes_of_another_length_are_refused(app: Sayso) -> None:
    enrol(app, ["ada"])
    with pytest.raises(ModelConflict, match="128 numbers, not of 64"):
        named(app, np.eye(64, dtype=np.float32)[:1])


@pytest.mark.parametrize(
    "bad", np.array([[[0.0] * 128], [[1.0] * 128], [[np.nan] * 128]], np.float32)
)
def test_what_is_no_template_is_refused(app: Sayso, bad: NDArray[np.float32]) -> None:
    with pytest.raises(ModelConflict, match="length"):
        named(app, bad)
    with pytest.raises(ModelConflict, match="length"):
        app.enroll_templates(
            "club", subjects=["ada"], templates=bad, consent=CONSENT, version=VERSION
        )


def test_searches_go_on_while_others_write(app: Sayso) -> None:
    """Whoever is enrolled all along is found by every search, whatever else comes and goes."""
    probes = enrol(app, ["ada", "bob"])
    wrong: list[object] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                found = named(app, probes)
            except Exception as error:  # noqa: BLE001 - the test reports it
                wrong.append(error)
                return
            if found != ["ada", "bob"]:
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(30):
        enrol(app, [f"s{number}"], seed=100 + number)
        if number % 2:
            app.erase_subject("club", f"s{number}")
    app.create_collection("other")
    enrol(app, ["cy"], collection="other", seed=500)
    named(app, templates(1, 500), collection="other")
    app.delete_collection("other", erase_subjects=True)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    with pytest.raises(CollectionNotFound):
        named(app, probes, collection="other")


def test_more_faces_of_one_subject_than_groups_hide_nobody(
    app: Sayso, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_computes_bf16", lambda: False)  # as on an older processor
    probe = templates(1)
    ada = np.concatenate([near(probe, 0.95, seed=1 + i) for i in range(140)])
    app.enroll_templates(
        "club",
        subjects=["ada"] * 140 + ["bob"],
        templates=np.concatenate([ada, near(probe, 0.6, seed=500)]),
        consent=CONSENT,
        version=VERSION,
    )
    (found,) = app.recognize_templates(
        "club", probe, purpose=PURPOSE, min_similarity=0, top=2, version=VERSION
    )
    assert [c.subject for c in found] == ["ada", "bob"]


def test_templates_too_long_to_be_searched_are_refused(app: Sayso) -> None:
    long = np.eye(1024, dtype=np.float32)[:1]
    with pytest.raises(ModelConflict, match="1024 numbers; at most 512"):
        app.enroll_templates(
            "club", subjects=["ada"], templates=long, consent=CONSENT, version=VERSION
        )
    with pytest.raises(ModelConflict, match="at most 512"):
        named(app, long)
    assert app.collection("club").dimension is None


def test_searches_use_the_cores_that_the_settings_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int | None] = []

    class Search(ExactSearch):
        def __init__(self, dimension: int, *, threads: int | None = None) -> None:
            made.append(threads)
            super().__init__(dimension, threads=threads)

    monkeypatch.setattr(scored, "ExactSearch", Search)
    monkeypatch.setenv("SAYSO_THREADS", "1")
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        assert named(app, enrol(app, ["ada"])) == ["ada"]
    assert set(made) == {1}
