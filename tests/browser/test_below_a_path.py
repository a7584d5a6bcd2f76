"""The console below a path of its host: what scripts ask for is there as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import SECOND, Running, signed_in
from tests.browser.visitor import Visitor


@pytest.fixture(scope="module")
def running(
    browser: Browser, model_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("below")
    (data / "models").symlink_to(model_data / "models", target_is_directory=True)
    with signed_in(browser, data, "/faces") as started:
        yield started


def test_pictures_are_looked_at_and_covered(
    context: Callable[..., BrowserContext], running: Running
) -> None:
    running.collection("paper", "eileen")
    visitor = Visitor(context().new_page(), running.url, axe="")
    elsewhere: list[str] = []
    visitor.page.on(
        "request",
        lambda asked: None if "/faces/" in asked.url else elsewhere.append(asked.url),
    )
    visitor.open("look?collection=paper&purpose=photo-delivery")
    visitor.main.get_by_label("Choose pictures").set_input_files(SECOND)
    visitor.says("1 face")
    visitor.open("publish?collection=paper")
    visitor.main.get_by_label("Choose pictures").set_input_files(SECOND)
    visitor.says(re.compile("0 covered, 1 kept"))
    visitor.menu("Reports")
    expect(visitor.page).to_have_url(f"{running.url}/console/reports")
    assert [each for each in elsewhere if not each.startswith(("blob:", "data:"))] == []
    assert visitor.problems == []
