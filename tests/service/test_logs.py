from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

import pytest

from sayso.service.logs import RequestLine, json_logs

LINE = RequestLine(
    request="id",
    method="POST",
    route="POST /",
    status=200,
    ms=1.5,
    bytes_in=3,
    bytes_out=4,
    key="K",
)


def logged(level: str = "info") -> tuple[io.StringIO, Any]:
    stream = io.StringIO()
    return stream, json_logs(level, stream)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_one_line_of_json() -> None:
    stream, logs = logged()
    with logs:
        LINE.log()
    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "message": "request",
        "request": "id",
        "method": "POST",
        "route": "POST /",
        "status": 200,
        "ms": 1.5,
        "bytes_in": 3,
        "bytes_out": 4,
        "key": "K",
    }


def test_an_error_says_its_type_and_place_and_nothing_that_it_quotes() -> None:
    stream, logs = logged()
    with logs:
        try:
            raise ValueError("ada lovelace")
        except ValueError:
            logging.getLogger("sayso.x").exception("it went wrong")
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    ours, theirs = lines(stream)
    assert "ada" not in stream.getvalue()
    assert ours["message"] == "it went wrong"
    assert ours["error"] == theirs["error"] == "ValueError"
    (place,) = ours["at"]
    assert place.startswith("service/test_logs.py:")
    assert place.endswith(" test_an_error_says_its_type_and_place_and_nothing_that_it_quotes")


@pytest.mark.parametrize(("level", "told"), [("debug", 2), ("info", 1), ("warning", 0)])
def test_the_level_says_what_is_logged(level: str, told: int) -> None:
    stream, logs = logged(level)
    with logs:
        LINE.log()
        logging.getLogger("sayso.x").debug("detail")
        logging.getLogger("uvicorn.error").info("Started server process")
    assert len(lines(stream)) == told


def test_a_line_stays_one_line_whatever_is_in_it() -> None:
    stream, logs = logged()
    with logs:
        logging.getLogger("sayso.x").warning("a\n%s\u2028", "b\x1b[31m")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "a\nb\x1b[31m\u2028"


def test_afterwards_everything_logs_as_before() -> None:
    ours, theirs = logging.getLogger("sayso"), logging.getLogger("uvicorn.error")
    before = [(each.handlers, each.level, each.propagate) for each in (ours, theirs)]
    stream, logs = logged("debug")
    with logs, warnings.catch_warnings():
        pass
    ours.warning("later")
    assert stream.getvalue() == ""
    assert before == [(each.handlers, each.level, each.propagate) for each in (ours, theirs)]
