"""What happens when there is more to do than can be done, and where pictures are meanwhile."""

from __future__ import annotations

import gc
import tempfile
import threading
from typing import Any, cast

import pytest

from sayso.analyzer import Analyzer
from sayso.vision.types import Analysis, Picture
from tests.service.rest.conftest import Api, serving
from tests.service.rest.people import Reader, picture


def test_more_than_can_wait_is_told_to_come_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    class Slow(Reader):
        def analyze(self, picture: Picture, **mode: str) -> Analysis:
            assert go_on.wait(30)
            return super().analyze(picture, **mode)

    resources = cast("Any", api.app)._resources
    monkeypatch.setattr(resources, "_analyzer", cast("Analyzer", Slow()))
    sent = {"content": picture("ada"), "headers": {"Content-Type": "image/png"}}
    with serving(api.app, api.clock, workers=1, patience=0.2) as small:
        threading.Timer(1, go_on.set).start()
        answers = small.together(*[("POST", "/faces", sent)] * 5)
    statuses = sorted(each.status_code for each in answers)
    assert statuses == [200, 429, 429, 429, 429]
    for each in answers:
        if each.status_code == 429:
            assert each.json()["type"] == "/v1/problems/too-many-requests"
            assert int(each.headers["retry-after"]) >= 1


def test_pictures_are_never_written_to_a_file(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise AssertionError("a picture would have been written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    files = {"picture": ("large.png", picture("ada") + b"\0" * (5 << 20))}
    assert api("POST", "/faces", files=files).status_code in (200, 422)
    files = {"picture": ("large.png", b"x" * (5 << 20))}
    api.problem("unreadable-picture", "POST", "/faces", files=files)


def test_a_form_that_ends_in_the_middle_of_a_file_leaves_nothing_open(
    api: Api, recwarn: pytest.WarningsRecorder
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = api("POST", "/faces", content=head + b"x" * 999, headers=headers)
    assert answer.status_code in (400, 422)
    gc.collect()
    assert [each for each in recwarn if issubclass(each.category, ResourceWarning)] == []
