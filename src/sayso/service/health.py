"""Whether the service is up, and whether it is ready to answer."""

from __future__ import annotations

import asyncio
import logging
import threading

from sayso.core import Sayso
from sayso.errors import GalleryError, KeyringError, ModelError
from sayso.service.engine import Engine, Overloaded
from sayso.sqlite import FULL

_log = logging.getLogger(__name__)
#: How long, in seconds, until it is tried again to load what could not be loaded.
RETRY = 10.0
#: How long, in seconds, an answer is given again: who asks often must not make work.
FRESH = 1.0
#: How long, in seconds, a question about readiness may take.
PATIENCE = 5.0
STARTING = "starting: the models are being loaded"
STOPPING = "stopping"


class Health:
    """Loads what is needed in the background, and tells whether everything is there."""

    def __init__(
        self, app: Sayso, engine: Engine, *, retry: float = RETRY, fresh: float = FRESH
    ) -> None:
        self._app, self._engine, self._retry, self._fresh = app, engine, retry, fresh
        self._problem: str | None = STARTING
        self._stopping = threading.Event()
        self._told = ""
        self._asked: asyncio.Future[str | None] | None = None
        self._since = 0.0
        # None of the threads that work: requests go on meanwhile, and a download may take long.
        self._loading = threading.Thread(target=self._load, name="sayso-load", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._loading.start()

    def stop(self) -> None:
        """From now on it is not ready: nothing more should be sent here."""
        self._stopping.set()
        self._problem = STOPPING

    @property
    def loading(self) -> bool:
        """Whether something is still being loaded."""
        return self._loading.is_alive()

    async def problem(self) -> str | None:
        """Return why it is not ready, without a path or a name in it; None when it is."""
        if self._problem is not None:
            return self._problem
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(self._looked())
        except TimeoutError:
            return "the store does not answer"
        except Overloaded as error:
            return error.reason

    def _looked(self) -> asyncio.Future[str | None]:
        """Return the answer of a moment ago, or that which is being found, or ask anew."""
        now = asyncio.get_running_loop().time()
        asked = self._asked
        if asked is None or (asked.done() and now - self._since >= self._fresh):
            self._since = now
            self._asked = asked = asyncio.ensure_future(self._engine.light(self._ready))
            asked.add_done_callback(_retrieve)
        return asked

    def _load(self) -> None:
        _log.info("loading the models; those that are missing are fetched first")
        while not self._stopping.is_set():
            problem = self._ready()
            if self._stopping.is_set():
                return
            self._problem = problem
            if problem is None:
                _log.info("ready")
                return
            self._stopping.wait(self._retry)

    def _ready(self) -> str | None:
        try:
            self._app.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
            self._tell(error)
            return _reason(error)
        self._told = ""
        return None

    def _tell(self, error: Exception) -> None:
        """Log what is wrong, once and not each time that somebody asks."""
        told = f"{type(error).__name__}: {error}"
        if told != self._told and not self._stopping.is_set():
            _log.warning("not ready: %s", told)
        self._told = told


def _reason(error: Exception) -> str:
    if isinstance(error, ModelError):
        return "the models cannot be loaded"
    if isinstance(error, KeyringError):
        return "the disk is full" if FULL in str(error) else "the keyring cannot be used"
    if isinstance(error, GalleryError):
        return "the disk is full" if FULL in str(error) else "the store cannot be used"
    return "an unexpected error"


def _retrieve(asked: asyncio.Future[str | None]) -> None:
    """Take note of an error that nobody waited for."""
    if not asked.cancelled():
        asked.exception()
