"""What all callers of one gallery share in a process: files, caches, models, and the watch."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sayso.audit.events import EvaluationDropped, EvaluationEnd, Event, SubjectErased
from sayso.audit.log import Log, Who
from sayso.core.erased import faces_erased
from sayso.core.runs import Run, Runs
from sayso.errors import CalibrationError, SaysoError
from sayso.evidence import calibration
from sayso.evidence.calibration import COSINES, Calibration, Scoring
from sayso.gallery import answers, collections, coverage, erasure
from sayso.gallery.index import Index
from sayso.gallery.store import Change, Store
from sayso.gallery.types import Tombstone
from sayso.keyring.store import Keyring
from sayso.settings import Settings

if TYPE_CHECKING:
    from sayso.analyzer import Analyzer
    from sayso.vision.limits import PictureLimits
    from sayso.vision.types import Picture

_log = logging.getLogger(__name__)
#: How often, in seconds, a process looks for what others erased and for what has ended.
WATCH = 0.25
#: Who erases what has ended, and drops what was left lying: nobody had to ask for it.
RETENTION = Who("retention", None, None)


class Resources:
    """The store, the keyring, the index, the audit log and the analyzer of an open gallery.

    A thread watches: what other processes erased leaves this one's memory, and whoever's last
    consent has ended is erased, both within a second, whether or not anybody asks for anything.
    """

    def __init__(
        self, store: Store, keyring: Keyring, settings: Settings, analyzer: Analyzer | None
    ) -> None:
        self.store = store
        self.keyring = keyring
        self.settings = settings
        self._calibration = _own_calibration(settings)
        self.index = Index(store, threads=settings.threads, scoring_of=self._scoring)
        self.log = Log(keyring.signing_key())
        self.runs = Runs()
        #: Whether pictures are decoded in a process of their own, which can be stopped.
        self.apart = settings.decode_apart
        self._analyzer = analyzer
        self._analyzer_lock = threading.Lock()
        self._swept = -1
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._watching, name="sayso-watch", daemon=True)
        self._watch.start()

    def close(self) -> None:
        """Stop watching, drop the templates from memory, and close the files."""
        self._closing.set()
        if self._watch is not threading.current_thread():
            self._watch.join()
        self._drop_unfinished()
        self.runs.close()
        self.index.close()
        self.store.close()
        self.keyring.close()

    def analyzer(self) -> Analyzer:
        """Return what makes templates of pictures; the default is made when it is first needed."""
        with self._analyzer_lock:
            if self._analyzer is None:
                # Models and runtimes are slow to import and not needed for most of upkeep.
                from sayso.analyzer import Analyzer

                self._analyzer = Analyzer(settings=self.settings)
            return self._analyzer

    def decode(self, data: bytes, limits: PictureLimits, *, whole: bool) -> Picture:
        """Return the pixels of a picture's file; see ``sayso.vision.picture.decode``."""
        # OpenCV and Pillow, too, are slow to import.
        from sayso.vision.decoding import decode_apart
        from sayso.vision.picture import decode

        return (decode_apart if self.apart else decode)(data, limits, whole=whole)

    def calibration(self, model: str, template_version: str) -> Calibration | None:
        """Return what was measured of such templates: the operator's own, or the shipped one."""
        return calibration.of(model, template_version, self._calibration)

    def _scoring(self, model: str, template_version: str) -> Scoring:
        found = self.calibration(model, template_version)
        return COSINES if found is None else found.scoring

    @contextlib.contextmanager
    def change(self, *, ends: bool = False) -> Iterator[Change]:
        """Run a change, after erasing whoever's last consent has ended by then.

        ``ends`` is for what ends something: it has the room that is kept for that.
        """
        with self.store.reserves.lent() if ends else contextlib.nullcontext():
            with self.store.write() as change:
                self.sweep(change)
                yield change
            self._swept = change.now
            if change.endings or change.stripped:
                self.settle()

    def sweep(self, change: Change, since: int | None = None) -> tuple[Tombstone, ...]:
        """Erase everybody whose consents have all ended; return what is left of them.

        And the faces of others that were enrolled on a consent that has ended.

        ``since`` is the time up to which that was done: by this process, unless given. Whatever
        ends consents before that time must sweep anew.
        """
        erased: list[Tombstone] = []
        lapsed: dict[int, list[int]] = {}
        swept = self._swept if since is None else since
        for collection, subject in coverage.lapsed(change.connection, swept, change.now):
            lapsed.setdefault(collection, []).append(subject)
        for key, subjects in lapsed.items():
            pinned = collections.by_key(change.connection, key)
            erased += erasure.erase_subjects(change, pinned, subjects, "expired")
        if erased:
            self.log.append(change.connection, change.now, RETENTION, erasures(erased))
        stripped = erasure.erase_faces(change, since=swept)
        if stripped:
            events = faces_erased(stripped, "expired")
            self.log.append(change.connection, change.now, RETENTION, events)
        return tuple(erased)

    def settle(self) -> None:
        """After something ended: nothing of it stays in the files or in this process's memory."""
        self.store.settle()
        try:
            self.index.refresh()
        except SaysoError as error:
            # What was asked for is done. That templates cannot be read is for a search to tell;
            # the cache has been dropped.
            _log.warning("the templates in memory were dropped: %s", error)

    def look(self) -> None:
        """Do once what the watch does all the time."""
        self.sweep_due()
        self.store.settle_pending()
        self.store.reserves.tend()
        self.index.refresh_if_changed()
        self._drop_answers()
        self._drop_idle()

    def sweep_due(self) -> None:
        """Erase whoever's last consent has ended, and faces whose own has, if there are any."""
        now = self.store.now()
        with self.store.read() as connection:
            due = bool(coverage.lapsed(connection, self._swept, now))
            due = due or erasure.faces_ended(connection, self._swept, now)
        if due:
            with self.change(ends=True):
                pass
        else:  # also back, when the clock was set back
            self._swept = now

    def _drop_answers(self) -> None:
        with self.store.read() as connection:
            old = answers.any_old(connection, self.store.now())
        if old:
            with self.store.write() as change:
                answers.drop_old(change)

    def _drop_idle(self) -> None:
        """Drop evaluations that nobody goes on with."""
        for run in self.runs.idle(self.store.now()):
            self._drop(run, "expired")

    def _drop_unfinished(self) -> None:
        """Drop the evaluations that are not done; whatever the log says, they end here."""
        try:
            for run in self.runs.unfinished():
                self._drop(run, "closed")
        except Exception as error:  # noqa: BLE001 - the rest has to be closed all the same
            _log.warning("recording which evaluations were dropped: %s", type(error).__name__)

    def _drop(self, run: Run, reason: EvaluationEnd) -> None:
        event = EvaluationDropped(
            evaluation=run.id, pictures=sum(each.pictures for each in run.told), reason=reason
        )
        with self.change() as change:
            self.log.append(change.connection, change.now, RETENTION, [event])
        self.runs.drop(run)

    def _watching(self) -> None:
        told = ""
        while not self._closing.wait(WATCH):
            try:
                self.look()
                told = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, it must go on watching
                problem = f"{type(error).__name__}: {error}"
                if told != problem:  # once, and not four times a second
                    _log.warning("looking for what has ended or was erased: %s", problem)
                told = problem


def _own_calibration(settings: Settings) -> Calibration | None:
    """Return the operator's own calibration, if one is set; raises CalibrationError."""
    if settings.calibration is None:
        return None
    shown = f"{str(settings.calibration)!r} (SAYSO_CALIBRATION)"
    try:
        return calibration.loads(settings.calibration.read_text("utf-8"))
    except CalibrationError as error:
        raise CalibrationError(
            f"{shown} cannot be used: {error}; unset it, and make one anew (sayso calibrate FOLDER)"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise CalibrationError(f"{shown} cannot be read: {reason}") from None


def erasures(tombstones: list[Tombstone] | tuple[Tombstone, ...]) -> list[Event]:
    """Return the events of these erasures."""
    return [
        SubjectErased(
            collection=each.collection,
            subject=each.id,
            reason=each.reason,
            faces=each.faces,
            consents=each.consents,
        )
        for each in tombstones
    ]
