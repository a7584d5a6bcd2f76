"""The API on the real models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.core import Sayso
from sayso.settings import Settings
from tests.gallery.clock import Clock
from tests.service.rest.conftest import Api, serving
from tests.service.rest.people import consent


@pytest.fixture
def real(data_dir: Path) -> Iterator[Api]:
    clock = Clock()
    opened = Sayso(data_dir, settings=Settings(data=data_dir), clock=clock)
    with opened as app, serving(app, clock) as found:
        yield found


def test_a_portrait_is_detected_compared_enrolled_and_recognised(real: Api, portrait: Path) -> None:
    data = portrait.read_bytes()
    found = real("POST", "/faces", 200, files={"picture": (portrait.name, data)}).json()
    assert (found["width"], found["height"]) == (512, 512)
    (face,) = found["faces"]
    left, top, right, bottom = face["box"]
    assert 0 <= left < face["landmarks"][2][0] < right <= 512
    assert 0 <= top < face["landmarks"][2][1] < bottom <= 512

    same = real("POST", "/compare", 200, files={"a": ("a", data), "b": ("b", data)}).json()
    assert same["similarity"] > 99

    real.post("/collections", {"collection": "crew"}, 201)
    path = "/collections/crew/subjects/eileen"
    real.post(f"{path}/consents", consent(), 201)
    done = real("POST", f"{path}/faces", 201, files={"pictures": (portrait.name, data)}).json()
    assert done["pictures"][0]["quality"]["overall"] > 20
    sent = {"content": data, "headers": {"Content-Type": "image/png"}}
    named = real("POST", "/collections/crew/recognize", 200, **sent).json()["faces"]
    assert [each["subject"] for each in named] == ["eileen"]
    assert named[0]["box"] == face["box"]
