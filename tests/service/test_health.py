from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from sayso.core import Sayso
from sayso.models.registry import load_registry
from sayso.service.engine import LIGHT_QUEUE, LIGHT_WORKERS, Engine
from sayso.service.health import STARTING, STOPPING, Health
from sayso.service.logs import json_logs
from sayso.settings import Settings


@pytest.fixture
def app(data_dir: Path) -> Iterator[Sayso]:
    with Sayso(data_dir) as opened:
        yield opened


@pytest.fixture
def wrong_models(tmp_path: Path) -> Path:
    """A folder of models that are not what they should be; replace them, and they are."""
    folder = tmp_path / "wrong"
    folder.mkdir()
    for model in load_registry().values():
        (folder / model.file).write_bytes(b"no model")
    return folder


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.01)


def test_it_is_ready_once_everything_is_loaded(app: Sayso) -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)
        health = Health(app, engine)
        assert await health.problem() == STARTING
        health.start()

        async def ready() -> bool:
            return await health.problem() is None

        await until(ready)
        assert not health.loading
        health.stop()
        assert await health.problem() == STOPPING
        await engine.close()

    asyncio.run(scenario())


def test_a_store_that_is_damaged_is_told(app: Sayso, data_dir: Path) -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)
        health = Health(app, engine, fresh=0)
        health.start()

        async def ready() -> bool:
            return await health.problem() is None

        await until(ready)
        for file in data_dir.glob("gallery.sqlite*"):
            file.write_bytes(b"\xff" * file.stat().st_size)
        assert await health.problem() == "the store cannot be used"
        await engine.close()

    asyncio.run(scenario())


def test_a_service_whose_files_were_pulled_from_under_it_is_not_ready(
    app: Sayso, data_dir: Path
) -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)
        health = Health(app, engine, fresh=0)
        health.start()

        async def ready() -> bool:
            return await health.problem() is None

        await until(ready)
        (data_dir / "gallery.sqlite").rename(data_dir / "elsewhere")
        assert await health.problem() == "the store cannot be used"
        (data_dir / "elsewhere").rename(data_dir / "gallery.sqlite")
        assert await health.problem() is None
        await engine.close()

    asyncio.run(scenario())


def test_whoever_asks_often_is_given_the_answer_of_a_moment_ago(app: Sayso) -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)
        health = Health(app, engine, fresh=60)
        health.start()

        async def ready() -> bool:
            return await health.problem() is None

        await until(ready)
        app.close()
        assert [await health.problem() for _ in range(3)] == [None] * 3
        await engine.close()

    asyncio.run(scenario())


def test_a_service_that_cannot_even_look_is_not_ready(app: Sayso) -> None:
    async def scenario() -> None:
        engine, gate = Engine(1, 0), threading.Event()
        health = Health(app, engine, fresh=0)
        health.start()

        async def ready() -> bool:
            return await health.problem() is None

        await until(ready)
        loop = asyncio.get_running_loop()
        room = LIGHT_WORKERS + LIGHT_QUEUE
        held = [loop.create_task(engine.light(lambda: gate.wait(60))) for _ in range(room)]
        await asyncio.sleep(0)
        assert await health.problem() == "the service is busy"
        gate.set()
        await asyncio.gather(*held)
        await engine.close()

    asyncio.run(scenario())


def test_what_is_wrong_is_told_without_saying_where(tmp_path: Path, wrong_models: Path) -> None:
    settings = Settings(data=tmp_path / "data", model_dir=wrong_models)
    log = io.StringIO()

    async def scenario(app: Sayso) -> None:
        engine = Engine(1, 0)
        health = Health(app, engine, retry=0.01)
        health.start()

        async def tried() -> bool:
            return await health.problem() != STARTING

        await until(tried)
        assert await health.problem() == "the models cannot be loaded"
        await asyncio.sleep(0.2)  # it goes on trying, and tells the log once
        assert health.loading
        health.stop()

        async def ended() -> bool:
            return not health.loading

        await until(ended)
        await engine.close()

    with json_logs("warning", log), Sayso(tmp_path / "data", settings=settings) as app:
        asyncio.run(scenario(app))
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["message"].startswith("not ready: ModelMismatch: ")
