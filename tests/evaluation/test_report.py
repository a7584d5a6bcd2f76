"""The whole evaluation, its JSON form and its report."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from sayso.evaluation.evaluate import Evaluation, Provenance, evaluate
from sayso.evaluation.folder import EvaluationError, Measured
from sayso.evaluation.report import render
from sayso.evaluation.scoring import RawCosine
from sayso.evaluation.wording import summary
from tests.evaluation.synthetic import cosine_claims, faces, measured

PROVENANCE = Provenance("club", "2026-11-25", "sface-2021dec", "sface/1", "balanced", "sayso 0.1.0")
HOSTILE = "<script>alert('x')</script>&amp;\"\udcff\x1b[31m"


class Halved(RawCosine):
    name = "half & <cosine>"

    def scores(self, a: Any, b: Any) -> Any:
        return super().scores(a, b) / 2


def club(*, grouped: bool = True) -> Measured:
    """60 people in two groups, one of which leans; one picture misplaced, one without a face."""
    common = np.repeat([0.0, 0.4], 30).astype(np.float32)
    people, templates = faces(60, 5, noise=0.9, common=common)
    people[17], templates[200] = 30, 0
    quality = np.random.default_rng(5).uniform(20, 90, len(people)).astype(np.float32)
    groups = ["a $x$ <b>"] * 30 + [HOSTILE] * 30 if grouped else None
    data = measured(people, templates, groups=groups, quality=quality)
    files = list(data.files)
    files[17] = f"person030/{HOSTILE}.jpg"
    return replace(data, files=tuple(files), failures=((HOSTILE, HOSTILE),))


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(club(), [RawCosine(), Halved()], PROVENANCE, (HOSTILE,))


@pytest.fixture(scope="module")
def page(found: Evaluation) -> str:
    return render(found)


class Reader(HTMLParser):
    """Notes what a page is made of, and that every element that is opened is closed."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in self.VOID:
            self.open.append(tag)
        self._note(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._note(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def _note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "xlink:href", "data", "action"}:
                self.links.append(value or "")


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_one_file_that_fetches_nothing(page: str) -> None:
    reader = read(page)
    assert reader.links
    assert all(link.startswith("#") for link in reader.links)
    assert not reader.tags.keys() & {"script", "link", "img", "iframe", "object", "image", "b"}
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_every_id_is_there_once_and_every_reference_leads_to_one(page: str) -> None:
    reader = read(page)
    assert [each for each, times in Counter(reader.ids).items() if times > 1] == []
    targets = {link[1:] for link in reader.links} | set(re.findall(r"url\(#([^)]*)\)", page))
    assert targets <= set(reader.ids)


def test_hostile_names_are_text(page: str) -> None:
    reader = read(page)
    assert "<script" not in page
    assert "\x1b" not in page
    page.encode("utf-8")  # no broken encoding is left
    told = "".join(reader.text)
    assert r"<script>alert('x')</script>&amp;" in told
    assert r"\xff\x1b[31m" in told
    assert "a $x$ <b>" in told


def test_every_drawing_has_a_caption_and_its_text_is_text(page: str) -> None:
    reader = read(page)
    assert reader.tags["svg"] == reader.tags["figure"] == reader.tags["figcaption"]
    # DET; and for each scorer: scores, searches, two rates of groups at most, discard.
    assert reader.tags["svg"] >= 1 + 2 * 4
    assert "false-match rate (FMR)" in "".join(reader.text)
    assert "#010203" not in page
    assert "currentColor" in page


def test_everything_is_there(page: str) -> None:
    text = " ".join("".join(read(page).text).split())
    for expected in (
        "300 pictures of 60 people",
        "sface-2021dec",
        "2026-11-25",
        "half & <cosine>",
        "1 in 1,000",
        "not measured",
        "person003/",
        "Look at these",
    ):
        assert expected in text, expected


def test_the_same_evaluation_gives_the_same_bytes(found: Evaluation, page: str) -> None:
    again = evaluate(club(), [RawCosine(), Halved()], PROVENANCE, (HOSTILE,))
    assert again.to_json() == found.to_json()
    assert render(again) == page


def test_the_json_form_is_strictly_valid(found: Evaluation) -> None:
    text = json.dumps(found.to_json(), allow_nan=False)
    document = json.loads(text)
    first, second = document["results"]
    assert first["scorer"] == "raw cosine"
    assert document["counts"]["with_template"] == 299
    points = first["verification"]["points"]
    assert [each["fnmr"] is None for each in points] == [False, False, True, True]
    # Halving all scores changes no rate.
    assert second["verification"]["points"][0]["fnmr"] == points[0]["fnmr"]
    assert (
        second["identification"]["galleries"][0]["points"][0]["fnir"]
        == (first["identification"]["galleries"][0]["points"][0]["fnir"])
    )


def test_the_summary_warns_of_what_is_out_of_place(found: Evaluation) -> None:
    told = summary(found)
    assert any(each.startswith("1 picture looked more like somebody else") for each in told)
    assert "1 of them (0.33 %) gave no usable face" in told[0]


def test_what_is_left_out_is_told(page: str) -> None:
    found = evaluate(club(grouped=False), [RawCosine()], PROVENANCE)
    assert "differences between groups: no labels were given (--groups)" in found.left_out
    assert any(each.startswith("FNMR at a false-match rate of 1e-05") for each in found.left_out)
    alone = render(found)
    assert 'id="groups"' not in alone
    assert 'id="groups"' in page
    assert "no labels were given" in alone


def test_promises_stand_beside_what_happened() -> None:
    people, templates = faces(160, 4, noise=0.9)
    scorer = RawCosine(cosine_claims(1 / 3))
    found = evaluate(measured(people, templates), [scorer], PROVENANCE)
    page = render(found)
    assert 'id="promises"' in page
    assert "a ratio of at most 1 keeps the promise" in page
    assert "that promise was not kept" in page
    (result,) = json.loads(json.dumps(found.to_json(), allow_nan=False))["results"]
    one = result["identification"]["galleries"][-1]["promises"]["others"][-1]
    assert one["ratio"]["value"] == pytest.approx(3, rel=0.2)
    people, templates = faces(40, 3, noise=0.9)
    few = evaluate(measured(people, templates), [RawCosine(cosine_claims())], PROVENANCE)
    untold = [each for each in few.left_out if each.startswith("false matches by promised at")]
    assert untold[0].startswith("false matches by promised at 0.01 a search")


def test_the_smallest_folder_gives_a_report() -> None:
    people, templates = faces(2, 2)
    found = evaluate(measured(people, templates), [RawCosine()], PROVENANCE)
    json.dumps(found.to_json(), allow_nan=False)
    read(render(found))
    assert any(each.startswith("identification: it needs 10 people") for each in found.left_out)


def test_where_nobody_is_missed_the_drawings_say_so() -> None:
    found = evaluate(measured(*faces(40, 3, noise=0.1)), [RawCosine()], PROVENANCE)
    assert found.results[0].identification is not None
    page = render(found)
    assert "no pair of pictures of one person was missed" in page
    assert "no search missed the person" in page


def test_templates_that_make_no_pair_are_refused() -> None:
    people, templates = faces(2, 2)
    templates[1] = templates[2] = 0
    with pytest.raises(EvaluationError, match="of 4 pictures 2 gave a template, of 2 people"):
        evaluate(measured(people, templates), [RawCosine()], PROVENANCE)
    templates[3] = 0
    with pytest.raises(EvaluationError, match="no face was found"):
        evaluate(measured(people, templates), [RawCosine()], PROVENANCE)
    nothing = measured(people, np.zeros((4, 0), np.float32))
    with pytest.raises(EvaluationError, match="0 gave a template"):
        evaluate(nothing, [RawCosine()], PROVENANCE)
