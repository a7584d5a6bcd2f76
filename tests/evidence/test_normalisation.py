"""The form in which scores are normalised: what is searched is what is scored."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.evidence.normalisation import (
    LARGEST_OFFSET,
    Normaliser,
    from_document,
    to_document,
)

D = 16


def some_normaliser(scale: float = 0.05) -> Normaliser:
    chance = np.random.default_rng(5)
    mean = (chance.standard_normal(D) * 0.05).astype(np.float32)
    square = chance.standard_normal((D, D)) * scale
    turned = np.linalg.qr(chance.standard_normal((D, D)))[0]
    whitening = turned * np.geomspace(0.5, 2, D) @ turned.T
    return Normaliser(
        mean,
        ((whitening + whitening.T) / 2).astype(np.float32),
        0.01,
        chance.standard_normal(D) * scale,
        square + square.T,
    )


def some_templates(count: int, seed: int = 1) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("scale", [0.05, 2.0])
def test_the_search_vectors_have_unit_length_and_give_the_scores(scale: float) -> None:
    normaliser = some_normaliser(scale)
    gallery, probes = some_templates(40), some_templates(7, 2)
    rows = normaliser.gallery(gallery)
    vectors, less = normaliser.probes(probes)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert rows.shape[1] == vectors.shape[1] == normaliser.searched_dimension
    found = normaliser.unscaled(vectors @ rows.T) - less[:, None]
    assert np.allclose(found, normaliser.scores(probes, gallery), atol=2e-6)


def test_a_score_is_the_whitened_cosine_less_both_offsets() -> None:
    normaliser = some_normaliser()
    a, b = some_templates(2, 3)
    moved = [(each.astype(np.float64) - normaliser.mean) @ normaliser.whitening for each in (a, b)]
    first, second = (each / np.linalg.norm(each) for each in moved)
    offsets = [
        normaliser.constant + x @ normaliser.linear + x @ normaliser.quadratic @ x
        for x in (first, second)
    ]
    expected = first @ second - sum(offsets)
    assert normaliser.scores(a[None], b[None])[0, 0] == pytest.approx(expected, abs=1e-6)


def test_templates_come_back_from_what_is_searched() -> None:
    normaliser, templates = some_normaliser(), some_templates(50)
    assert np.allclose(normaliser.templates(normaliser.gallery(templates)), templates, atol=1e-6)


def test_offsets_are_bounded_and_depend_on_nobody_beside_them() -> None:
    normaliser, templates = some_normaliser(5.0), some_templates(30)
    together = normaliser.offsets(templates)
    assert np.abs(together).max() == LARGEST_OFFSET
    alone = np.concatenate([normaliser.offsets(row[None]) for row in templates])
    assert np.allclose(together, alone, atol=1e-12)


def test_it_is_written_as_json_and_read_again() -> None:
    normaliser, templates = some_normaliser(), some_templates(20)
    again = from_document(json.loads(json.dumps(to_document(normaliser))))
    assert np.allclose(
        again.scores(templates, templates), normaliser.scores(templates, templates), atol=1e-6
    )


@pytest.mark.parametrize("part", ["mean", "linear", "whitening_upper", "constant", "kind"])
def test_what_is_no_normaliser_is_refused(part: str) -> None:
    document = to_document(some_normaliser())
    for bad in ("AAAA", "no base64!", None, 7):
        with pytest.raises(ValueError, match=r".+"):
            from_document({**document, part: bad} if bad != 7 else {"kind": document["kind"]})


def test_a_whitening_that_cannot_be_undone_is_refused() -> None:
    flat = replace(some_normaliser(), whitening=np.ones((D, D), np.float32))
    with pytest.raises(ValueError, match="inverted"):
        from_document(to_document(flat))
