"""Where somebody comes to first, and the sample; tests/browser takes its steps with real models."""

from __future__ import annotations

from datetime import timedelta

from sayso.results import Consent
from tests.console.visiting import Console


def test_an_empty_installation_begins_with_the_first_steps(console: Console) -> None:
    assert console.get().came_to == "/console/start"
    console.app.create_collection("club")
    assert console.get().came_to == "/console/look"


def test_only_who_may_do_everything_is_led_to_them(console: Console) -> None:
    theirs = console.as_key("search")
    assert theirs.get().came_to == "/console/look"
    assert console.as_key("audit").get().came_to == "/console/collections"


def test_steps_come_one_after_the_other(console: Console) -> None:
    assert console.get("start").deeds == {"enrol"}
    refused = console.post("start", do="look", expect=422)
    assert "begin with the first step" in refused.problem


def test_the_sample_takes_the_rights_that_it_shows(console: Console) -> None:
    theirs = console.as_key("search")
    refused = theirs.post("start", do="enrol", expect=403)
    assert "admin" in refused.problem
    assert console.app.collections() == ()


def add(console: Console, name: str) -> None:
    console.clock.time += timedelta(seconds=1)
    console.app.add_consent("first-steps", name, Consent(["door"], "form 17"))


def test_a_collection_of_others_is_not_taken_for_the_sample(console: Console) -> None:
    console.app.create_collection("first-steps")
    add(console, "ada")
    page = console.get("start")
    assert page.deeds == set()
    assert "has people in it who are not of the sample" in page.text
    for deed in ("enrol", "remove"):
        refused = console.post("start", do=deed, expect=422)
        assert "has people in it who are not of the sample" in refused.problem
    assert [each.name for each in console.app.subjects("first-steps")] == ["ada"]
    assert [each.name for each in console.app.purposes("first-steps")] == ["door"]


def test_removing_the_sample_erases_nobody_else(console: Console) -> None:
    console.app.create_collection("first-steps")
    add(console, "eileen-collins")
    for name in ("ada", "bob"):
        add(console, name)
    page = console.get("start")
    assert "The collection first-steps stays" in page.text
    assert "remove" in page.deeds
    gone = console.post("start", do="remove")
    assert "The collection stays, since others are in it" in gone.notes[0]
    assert [each.name for each in console.app.subjects("first-steps")] == ["ada", "bob"]
    assert console.get("start").deeds == set()


def test_the_sample_goes_with_its_collection(console: Console) -> None:
    console.app.create_collection("first-steps")
    add(console, "eileen-collins")
    page = console.get("start")
    assert "stays" not in page.text
    assert "remove" in page.deeds
    gone = console.post("start", do="remove")
    assert "The sample is gone" in gone.notes[0]
    assert console.app.collections() == ()


def test_the_sample_can_be_removed(console: Console) -> None:
    console.app.create_collection("first-steps")
    assert "The sample is gone" in console.post("start", do="remove").notes[0]
    assert console.app.collections() == ()
