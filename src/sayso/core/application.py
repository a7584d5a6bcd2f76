"""The application itself, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sayso.callers import Caller
from sayso.core.auditing import Auditing
from sayso.core.evaluations import Evaluations
from sayso.core.galleries import Galleries
from sayso.core.indexing import Indexing
from sayso.core.keeping import Keeping
from sayso.core.keys import Keys
from sayso.core.linking import Linking
from sayso.core.people import People
from sayso.core.redacting import Redacting
from sayso.core.resources import Resources
from sayso.core.searching import Searching
from sayso.core.tokens import Tokens
from sayso.errors import StoreUnavailable
from sayso.gallery.opening import is_there, open_gallery
from sayso.gallery.store import Clock, utc_now
from sayso.settings import Settings, load_settings
from sayso.sqlite import FULL

if TYPE_CHECKING:
    from sayso.analyzer import Analyzer


class Sayso(
    Galleries,
    Indexing,
    Searching,
    Redacting,
    Linking,
    People,
    Evaluations,
    Auditing,
    Keys,
    Keeping,
    Tokens,
):
    """A gallery and what can be done with it; a context manager, safe to share between threads.

    ``folder`` is the data folder. ``actor`` is who asks: the operating-system user unless given;
    whoever opens a gallery like this may do everything in it. ``acting_as`` gives the same gallery
    to somebody else, with their rights. ``analyzer`` turns pictures into templates; without one,
    the default is made when it is needed. ``shown`` is what messages call the folder; ``clock``
    tells the time, in UTC.

    Raises StoreUnavailable or KeyringError when the gallery cannot be used, and so may every
    method; InvalidName for an actor that is not text.
    """

    def __init__(
        self,
        folder: Path,
        *,
        actor: str | None = None,
        analyzer: Analyzer | None = None,
        settings: Settings | None = None,
        shown: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        caller = Caller.local(actor)
        settings = settings or load_settings()
        store, keyring = open_gallery(folder, settings, shown=shown, clock=clock)
        try:
            resources = Resources(store, keyring, settings, analyzer)
        except BaseException:
            store.close()
            keyring.close()
            raise
        super().__init__(resources, caller)
        self._owner = True

    def acting_as(self, caller: Caller) -> Sayso:
        """Return this gallery for another caller; it is closed when this one is."""
        other = object.__new__(Sayso)
        super(Sayso, other).__init__(self._resources, caller)
        other._owner = False
        return other

    def decode_apart(self) -> None:
        """Decode pictures in processes of their own from now on, as ``SAYSO_DECODE_APART`` does."""
        self._resources.apart = True

    def ready(self) -> None:
        """Load what is needed to answer, and see that a change would be committed.

        Raises the error of whatever is not there.
        """
        resources = self._resources
        resources.store.probe()
        resources.keyring.probe()
        if not resources.store.reserves.room():
            raise StoreUnavailable(f"the gallery cannot be used: {FULL}")
        resources.analyzer().load()
        resources.index.load()

    def index_size(self) -> int:
        """Return how many templates this process has in memory."""
        return self._resources.index.size()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the templates from memory and close the files."""
        if self._owner:
            self._resources.close()


def open(location: str | Path | None = None, *, actor: str | None = None) -> Sayso:  # noqa: A001
    """Open the gallery in a data folder, which is made when it is not there.

    Without a location it is the folder that ``SAYSO_DATA`` names, or else the user's own. Raises
    StoreUnavailable or KeyringError when the gallery cannot be used.
    """
    settings = load_settings()
    folder, shown = place_of(location, settings)
    return Sayso(folder, actor=actor, settings=settings, shown=shown)


def place_of(location: str | Path | None, settings: Settings) -> tuple[Path, str | None]:
    """Return the folder of a location, and what messages call it; raises StoreUnavailable."""
    if location is None:
        # The default folder is a path that nobody typed: messages do not tell it.
        chosen = "data" in settings.model_fields_set
        shown = f"{str(settings.data)!r} (SAYSO_DATA)" if chosen else "your data folder"
        return settings.data, shown
    if isinstance(location, str) and "://" in location:
        scheme = location.split("://", 1)[0]
        raise StoreUnavailable(f"a {scheme}:// address cannot be opened yet: give a folder")
    return Path(location), None


def require_gallery(
    location: str | Path | None = None, *, settings: Settings | None = None
) -> None:
    """Raise StoreUnavailable where there is no gallery, nor what is left of one, at a location."""
    settings = settings or load_settings()
    folder, shown = place_of(location, settings)
    if not is_there(folder, settings):
        raise StoreUnavailable(
            f"there is no gallery in {shown or repr(str(folder))}: make one (sayso collections "
            "create NAME), or set SAYSO_DATA to the folder that it is in"
        )
