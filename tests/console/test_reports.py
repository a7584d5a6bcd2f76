"""The pages of evaluations: what a script needs to send one, how far it is, and what it found."""

from __future__ import annotations

import time

import pytest

from sayso.console import words
from sayso.results import EvaluationRun
from tests.console.visiting import HOST, Console
from tests.service.rest.people import picture


def begun(console: Console, name: str = "our school") -> EvaluationRun:
    """Begin an evaluation of three people with two pictures each."""
    run = console.app.begin_evaluation(name)
    for person in ("ada", "bob", "eve"):
        for extra in (1, 2):
            console.app.add_evaluation_picture(
                run.id, person=person, file=f"{extra}.png", picture=picture(person, extra=extra)
            )
    return run


def done(console: Console, name: str = "our school") -> EvaluationRun:
    """Run an evaluation to its end."""
    run = begun(console, name)
    console.app.finish_evaluation(run.id)
    end = time.monotonic() + 60
    while console.app.evaluation(run.id).state != "done":
        assert time.monotonic() < end, console.app.evaluation(run.id)
        time.sleep(0.02)
    return console.app.evaluation(run.id)


def test_the_page_says_what_is_needed_and_lists_nothing_yet(console: Console) -> None:
    page = console.get("reports")
    folder = page.one(id="folder")
    assert "webkitdirectory" in folder.attributes
    assert page.one(id="new")["data-most"] == "20000"
    assert words.say("reports.list.none") in page.text
    assert "sayso evaluate" in page.one("noscript").text


def test_what_was_found_is_told_and_the_report_is_framed_without_rights(console: Console) -> None:
    run = done(console, name="school <b>2026</b>")
    page = console.get("reports/one", evaluation=run.id)
    for sentence in console.app.evaluation_figures(run.id).summary:
        assert " ".join(sentence.split()) in page.text
    frame = page.one("iframe")
    assert frame["sandbox"] == ""
    report = console.send("GET", frame["src"])
    assert report.status_code == 200
    policy = report.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy
    (saved,) = [each for each in page.all("a") if "download" in each.attributes]
    assert saved["download"].endswith(".html")
    assert set(saved["download"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert "school <b>2026</b>" in console.get("reports").text


def test_one_that_takes_pictures_or_waits_is_told_as_such(console: Console) -> None:
    run = begun(console)
    page = console.get("reports/one", evaluation=run.id)
    assert words.say("reports.one.open_title") in page.text
    assert page.all("iframe") == []


def test_an_evaluation_is_deleted_on_both_pages(console: Console) -> None:
    for where in ("reports", "reports/one"):
        run = done(console)
        assert console.get("reports").fields("discard")["evaluation"] == run.id
        page = console.post(where, do="discard", evaluation=run.id)
        assert page.came_to == "/console/reports"
        assert words.say("reports.discarded", name="our school") in page.notes
        assert console.app.evaluations() == ()


def test_one_that_is_gone_is_told(console: Console) -> None:
    assert (
        "there is no evaluation 'x'"
        in console.get("reports/one", evaluation="x", expect=404).problem
    )
    console.post("reports", do="discard", evaluation="x", expect=404)


def test_the_script_can_do_all_with_the_session_and_nothing_without_its_token(
    console: Console,
) -> None:
    own = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", "X-Sayso-Csrf": console.csrf}
    octets = {"Content-Type": "application/octet-stream"}
    api = "/v1/evaluations"
    assert console.send("POST", api, json={"name": "a"}).status_code == 403
    made = console.send("POST", api, json={"name": "a", "mode": "fast"}, headers=own)
    assert made.status_code == 201
    here = f"{api}/{made.json()['id']}"
    for person in ("ada", "bob"):
        for extra in (1, 2):
            sent = console.send(
                "POST",
                f"{here}/pictures",
                params={"person": person, "file": f"{extra}.png"},
                content=picture(person, extra=extra),
                headers=own | octets,
            )
            assert sent.json()["usable"], sent.text
    groups = {"groups": {"ada": "x", "bob": "y"}}
    assert console.send("POST", f"{here}/groups", json=groups, headers=own).status_code == 200
    assert console.send("DELETE", here, headers=own).status_code == 200
    assert console.send("GET", here).status_code == 404


@pytest.mark.parametrize("page", ["reports", "reports/one"])
def test_it_takes_the_right_to_admin(console: Console, page: str) -> None:
    console.as_key("audit", "search").get(page, evaluation="x", expect=403)
