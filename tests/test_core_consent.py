"""Whatever is called in whatever order: nobody is enrolled, and nobody shown, without consent.

Calls of the whole core, by callers with and without access keys, are drawn at random, and each is
held against a model (``consent_model``): what it refuses, what it answers, whom it leaves in the
gallery, and what it leaves in the audit log.
"""

from __future__ import annotations

import atexit
import inspect
import io
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PIL import Image
from sqlalchemy import func, select

from sayso.analyzer import Analyzer
from sayso.audit import log, verification
from sayso.callers import ACTIONS
from sayso.core import Sayso
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    LooksLikeAnother,
    NameConflict,
    SaysoError,
)
from sayso.evaluation.folder import LabelledFolder, labelled_folder
from sayso.gallery import schema
from sayso.results import Consent, EnrolledFace, FaceLinking, FalseMatchRule, User
from sayso.vision.picture import PictureLimits
from sayso.vision.types import Analysis, Face, Picture, Quality
from tests.consent_model import KNOWING, Holder, World, plain
from tests.gallery.synthetic import ANYBODY, MODEL, VERSION, templates
from tests.reading import Reading

pytestmark = pytest.mark.long

NAMES = ("olga", "yuri")
CLUBS = ("club", "team")
PURPOSES = ("photos", "security")
EVIDENCE = ("signed-formulary", "spoken-on-tape")
ATTESTATION = "our-shop-asks-everybody"
FACES = dict(zip(NAMES, templates(len(NAMES), seed=3), strict=True))
#: Like none of them.
STRANGER = templates(len(NAMES) + 1, seed=3)[-1]
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
LOCAL = Holder("user:test")

callers = st.integers(0, 11)
clubs = st.sampled_from([*CLUBS[:1] * 5, CLUBS[1]])  # most often the same one
people = st.sampled_from(NAMES)
purposes = st.sampled_from(PURPOSES)
hours = st.sampled_from([-2, 1, 5, 30])


def _picture(name: str) -> bytes:
    shade, file = 40 * NAMES.index(name), io.BytesIO()
    Image.new("RGB", (64, 64), (shade, shade, shade)).save(file, "PNG")
    return file.getvalue()


PICTURES = {name: _picture(name) for name in NAMES}


def _labelled(folder: Path) -> LabelledFolder:
    """Return a folder with two pictures of each, made inside another."""
    root = folder / "labelled"
    for name, picture in PICTURES.items():
        (root / name).mkdir(parents=True)
        for file in ("1.png", "2.png"):
            (root / name / file).write_bytes(picture)
    return labelled_folder(root)


class Reader(Reading):
    """In the place of the neural networks: reads from a picture's shade whose face is in it."""

    model, template_version, limits = MODEL, VERSION.template_version, PictureLimits()

    def analyze(self, picture: Picture, **_mode: str) -> Analysis:
        name = NAMES[round(int(picture.pixels[0, 0, 0]) / 40)]
        quality = Quality(90, 90, 90, 0, 0, 0, 60, 1)
        face = Face((2.0, 2.0, 62.0, 62.0), 0.99, np.zeros((5, 2), np.float32), quality)
        return Analysis(64, 64, (face,), FACES[name][None])


@st.composite
def offers(draw: st.DrawFn) -> tuple[list[str], str, int | None, int | None, int | None]:
    """Draw purposes, evidence, and in hours from now the window and when it was given."""
    named = draw(st.lists(purposes, min_size=1, max_size=2, unique=True))
    start = draw(st.none() | st.none() | hours)
    end = draw(st.none() | hours.filter(lambda h: start is None or h > start))
    given = draw(st.sampled_from([None, None, None, -1, -30, -72, 1]))
    return named, draw(st.sampled_from(EVIDENCE)), start, end, given


def told_of(user: User) -> tuple[str, str, int]:
    return user.name, user.status, user.faces


def whose(faces: Iterable[EnrolledFace]) -> list[tuple[str, str]]:
    return sorted((face.subject, face.user or "") for face in faces)


def linking(done: FaceLinking) -> tuple[Any, ...]:
    failed, others = sorted(done.failed.values()), sorted(set(done.users.values()))
    return len(done.linked), failed, others, told_of(done.user)


#: What an answer amounts to: as the model has it.
AMOUNTS: dict[str, Callable[[Any], Any]] = {
    "create_collection": lambda found: found.name,
    "set_false_match_rule": lambda found: found.name,
    "collections": lambda found: [(each.name, each.subjects, each.faces) for each in found],
    "collection": lambda found: (found.name, found.subjects, found.faces),
    "delete_collection": int,
    "declare_purpose": lambda p: (p.name, p.notice, p.max_days, p.idle_days, p.by_default),
    "purposes": lambda found: [(p.name, p.by_default, p.met is not None) for p in found],
    "purpose_met": len,
    "enroll": lambda found: [picture.repeated for picture in found.pictures],
    "enroll_templates": int,
    "index_picture": lambda found: found.repeated,
    "search_picture": lambda found: whose(c.face for c in found.candidates),
    "search_face": len,
    "search_users": lambda found: {told_of(c.user): c.cosine for c in found},
    "search_users_by_picture": lambda s: {told_of(c.user): c.cosine for c in s.candidates},
    "enrolled_faces": whose,
    "delete_faces": lambda done: (
        len(done.deleted),
        sorted(done.failed.values()),
        sorted(done.users.values()),
    ),
    "create_user": told_of,
    "user": told_of,
    "users": lambda found: sorted(map(told_of, found)),
    "count_users": int,
    "associate_faces": linking,
    "disassociate_faces": linking,
    "collection_tags": dict,
    "compare_faces": lambda found: (len(found.matches), len(found.unmatched)),
    "recognize": lambda r: [[f.candidate.subject] if f.candidate else [] for f in r.faces],
    "redact": lambda found: [[f.subject] if f.subject else [] for f in found.faces],
    "recognize_templates": lambda found: [[c.subject for c in each] for each in found],
    "detect": lambda found: len(found.faces),
    "threshold": lambda found: found.threshold.population,
    "measure": lambda found: int(found.found.sum()),
    "begin_evaluation": lambda run: run.name,
    "add_evaluation_picture": lambda seen: seen.why is None,
    "label_evaluation": lambda run: run.labelled,
    "finish_evaluation": lambda run: run.pictures.with_template,
    "evaluation_figures": lambda found: found.figures["counts"]["pictures"],
    "evaluation_report": lambda report: "labelled" in report,
    "discard_evaluation": lambda run: run.state,
    "compare": lambda found: found.similarity > 80,
    "subjects": lambda found: sorted((s.name, s.faces, s.purposes, s.created) for s in found),
    "subject": lambda found: (found.name, found.faces, found.purposes, found.created),
    "faces": len,
    "erase_subject": lambda stone: (stone.faces, stone.consents),
    "tombstones": lambda found: sorted(stone.reason for stone in found),
    "add_consent": lambda record: plain([record])[0],
    "withdraw_consent": lambda done: (done.purposes, done.tombstone is not None),
    "consents": plain,
    "record_interaction": plain,
    "report": lambda found: (
        found.subject.name,
        len(found.faces),
        plain(found.consents),
        sum(entry.event.kind == "picture-searched" for entry in found.entries),
    ),
    "audit_verify": lambda found: found.ok,
    "create_key": lambda new: (
        new.key.actor,
        new.key.purpose,
        frozenset(new.key.actions),
        None if new.key.collections is None else frozenset(new.key.collections),
        new.key.expires,
        new.key.attestation,
    ),
    "keys": lambda found: sorted(key.id for key in found),
    "revoke_key": lambda key: key.revoked is not None,
    "authenticate": lambda caller: caller.actor,
    "authenticate_signature": lambda caller: caller.actor,
    "keyring_status": lambda found: found.subjects,
    "backup": lambda found: (found.subjects, found.faces),
}

#: Methods that ask nothing of the gallery.
PLUMBING = {
    "acting_as", "caller", "close", "now", "require_foreign", "ready", "index_size",
    "template_version", "decode_apart",
    "calibration", "evaluation", "evaluations",
    "page_token", "page_position", "recall", "remember",
}  # fmt: skip
#: Whoever may read the log reads the ids of everybody in it, but no names.
AUDITING = {"audit_entries", "audit_export"}
#: Methods that are for the purpose that they are asked for.
SEARCHING = {
    "recognize", "recognize_templates", "redact", "search_face", "search_picture",
    "search_users", "search_users_by_picture",
}  # fmt: skip
#: Methods that take a picture after the collection.
OF_PICTURES = {"recognize", "redact", "search_picture", "search_users_by_picture"}
#: Methods that ask how alike faces are to those of users.
OF_USERS = {"associate_faces", "search_users", "search_users_by_picture"}


class ConsentMachine(RuleBasedStateMachine):
    """Calls of the core at random, against a model of what consent allows."""

    _empty: Path | None = None
    _measured = 0

    @initialize()
    def open(self) -> None:
        if ConsentMachine._empty is None:
            ConsentMachine._empty = Path(tempfile.mkdtemp())
            atexit.register(shutil.rmtree, ConsentMachine._empty)
            Sayso(ConsentMachine._empty).close()
        self.folder = Path(tempfile.mkdtemp())
        for name in ("gallery.sqlite", "keyring.sqlite", "master.key"):
            shutil.copy(ConsentMachine._empty / name, self.folder)
        self.world = World(START, FACES)
        self._start()
        self.holders = [LOCAL]
        self.told = [ATTESTATION, *EVIDENCE, *NAMES]  # what must not be in the log
        self.head: Any = None
        self.step = 0
        self.ids: dict[tuple[str, str], str] = {}
        self._ask(LOCAL, "create_collection", "club")
        for purpose in PURPOSES:  # with what most of the rules need, so that they do not idle
            rights = frozenset(ACTIONS) - {"admin"}
            self.make_key(11, purpose, rights, None, None, None)
        for name, purpose in zip(NAMES, PURPOSES, strict=True):
            consent = Consent([purpose], EVIDENCE[0])
            self._ask(
                LOCAL, "enroll_templates", "club", subjects=[name], consent=consent, another=False
            )
        self._ask(LOCAL, "create_user", "club", NAMES[0], consent=None)
        for name in NAMES:  # a user of two people, each with a purpose of their own
            self._ask(LOCAL, "associate_faces", "club", NAMES[0], self._faces("club", name))

    def _start(self) -> None:
        self.app = Sayso(
            self.folder,
            actor=LOCAL.actor,
            clock=lambda: self.world.now,
            analyzer=cast("Analyzer", Reader()),
        )

    def teardown(self) -> None:
        resources = self.app._resources
        with resources.store.read() as connection:
            found = verification.verify(connection, resources.log.public_key, self.head)
        assert found.ok, found
        self.app.close()
        shutil.rmtree(self.folder)

    # One call, held against the model.

    def _ask(self, who: Holder, method: str, *args: Any, **options: Any) -> Any:
        """Call a method for somebody, and hold what it does against the model."""
        self.world._sweep()
        hidden = self._hidden(who, args, options)
        wrong: type[Exception] | None = None
        expected = None
        try:
            expected = getattr(self.world, method)(who, *args, **options)
        except SaysoError as error:
            wrong = type(error)
        before = self._entries_before()
        answer, caught = None, None
        try:
            answer = self._call(who, method, *args, **options)
        except SaysoError as error:
            caught = error
        asked = (method, args, options)
        if caught is None:
            assert wrong is None, (asked, wrong, answer)
            if method in AMOUNTS:
                assert AMOUNTS[method](answer) == expected, asked
        else:
            assert wrong is not None, (asked, caught)
            assert type(caught) is wrong, (asked, caught)
        shown = repr(answer) if caught is None else str(caught)
        if method not in AUDITING:
            assert not [name for name in hidden if name in shown], (method, shown)
        self._check_log(who, method, options, before, wrong)
        return answer

    def _call(self, who: Holder, method: str, *args: Any, **options: Any) -> Any:
        app = self.app if who is LOCAL else self.app.acting_as(self._caller(who))
        if (
            "another" in options or "stranger" in options
        ):  # their picture or template is of somebody else
            another = options.pop("another", False)
            name = options.get("subject") or options["subjects"][0]
            of = NAMES[1 - NAMES.index(name)] if another else name
            if method == "enroll":
                options["pictures"] = [PICTURES[of]]
            elif method == "index_picture":
                options["picture"] = PICTURES[of]
            else:
                faces = [FACES[of if another else each] for each in options["subjects"]]
                faces = [STRANGER] if options.pop("stranger", False) else faces
                options |= {"templates": np.stack(faces), "version": VERSION}
        if method in SEARCHING - {"redact"}:
            # The rule may take one stranger in a hundred for another.
            options["min_similarity"] = 80
        if method == "recognize_templates":
            args = (args[0], np.stack([FACES[name] for name in args[1]]))
            options["version"] = VERSION
        if method in OF_PICTURES:
            args = (args[0], PICTURES[args[1]])
        if method in OF_USERS:
            options["min_similarity"] = 0  # whatever they look like
        if method == "create_collection":
            options["rule"] = ANYBODY
        args, options = self._with_ids(method, args, options)
        if method == "authenticate_signature":
            args = (args[0], args[1].__eq__)
        return getattr(app, method)(*args, **options)

    def _with_ids(
        self, method: str, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what is asked with the ids of faces; the model only knows whose they are."""
        if method in ("delete_faces", "associate_faces", "disassociate_faces"):
            args = (*args[:-1], args[-1][1])
        if method == "search_face":
            args = (args[0], [*args[1][1], "no-such-face"][0])
        if options.get("face"):
            options = {**options, "face": [*options["face"][1], "no-such-face"][0]}
        return args, options

    def _caller(self, who: Holder) -> Any:
        return who.caller

    def _hidden(self, who: Holder, args: tuple[Any, ...], options: dict[str, Any]) -> set[str]:
        """Return names and ids that an answer must not have, but for what was asked."""
        club = args[0] if args and args[0] in CLUBS else None
        names = self.world._hidden(who, club) if club else set()
        ids = {self.ids[club, name] for name in names if (club, name) in self.ids}  # type: ignore[index]
        asked = {*map(str, args), *options.get("subjects", ())}
        asked |= {options.get(each) for each in ("subject", "user")}
        return (names | ids) - asked

    # The audit log.

    def _entries_before(self) -> int:
        with self.app._resources.store.read() as connection:
            return int(connection.execute(select(schema.state.c.events)).scalar_one())

    def _check_log(
        self,
        who: Holder,
        method: str,
        options: dict[str, Any],
        before: int,
        wrong: type[Exception] | None,
    ) -> None:
        """Whatever was done, told, or not allowed is on record; no name, evidence or secret is."""
        with self.app._resources.store.read() as connection:
            new = list(log.entries(connection, after=before))
        for entry in new:
            assert not [each for each in self.told if each in entry.body], entry.body
        mine = [e for e in new if (e.actor, e.key) == (who.actor, who.id)]
        if method in ("authenticate", "authenticate_signature", "require_key"):
            assert wrong is None or [e.actor for e in new if e.event.kind == "call-refused"] == [
                "unknown"
            ]
        elif wrong is None or issubclass(wrong, LooksLikeAnother | NameConflict):
            purpose = who.purpose or options.get("purpose") if method in SEARCHING else who.purpose
            assert mine, method
            assert {e.purpose for e in mine} == {purpose}
        elif issubclass(wrong, AccessDenied | ConsentRequired):
            (refused,) = [e for e in mine if e.event.kind == "call-refused"]
            assert refused.event.error == wrong.__name__  # type: ignore[attr-defined]
            assert len(mine) == 1  # and nothing was done

    # What can be called.

    def _who(self, number: int) -> Holder:
        """Return a caller: about as often as all keys together, the one at the machine."""
        return self.holders[number % len(self.holders)] if number < 6 else LOCAL

    def _consent(self, offer: tuple[list[str], str, int | None, int | None, int | None]) -> Consent:
        named, evidence, start, end, given = offer

        def at(hour: int | None) -> datetime | None:
            return None if hour is None else self.world.now + hour * HOUR

        return Consent(named, evidence, valid_from=at(start), until=at(end), given=at(given))

    @rule(who=callers, club=st.sampled_from(["team", "team", "team", "club"]), delete=st.booleans())
    def create_or_delete(self, who: int, club: str, delete: bool) -> None:
        if delete:
            self._ask(self._who(who), "delete_collection", club)
        else:
            self._ask(self._who(who), "create_collection", club)

    @rule(
        who=callers,
        club=clubs,
        purpose=purposes,
        notice=st.sampled_from(["We look.", "We look at you."]),
        most=st.sampled_from([None, 1, 2]),
        idle=st.sampled_from([1, 2, 1095]),
    )
    def declare(
        self, who: int, club: str, purpose: str, notice: str, most: int | None, idle: int
    ) -> None:
        self._ask(
            self._who(who),
            "declare_purpose",
            club,
            purpose,
            notice=notice,
            max_days=most,
            idle_days=idle,
        )

    @rule(who=callers, club=clubs, purpose=purposes)
    def meet(self, who: int, club: str, purpose: str) -> None:
        self._ask(self._who(who), "purpose_met", club, purpose)

    @rule(who=callers, club=clubs, name=people, offer=st.none() | offers(), another=st.booleans())
    def enrol_picture(self, who: int, club: str, name: str, offer: Any, another: bool) -> None:
        another = another and self._has_faces(club, NAMES[1 - NAMES.index(name)])
        self._ask(
            self._who(who),
            "enroll",
            club,
            subject=name,
            consent=offer and self._consent(offer),
            another=another,
        )

    @rule(
        who=callers,
        club=clubs,
        names=st.lists(people, min_size=1, max_size=3),
        offer=st.none() | offers(),
        another=st.booleans(),
    )
    def enrol_templates(
        self, who: int, club: str, names: list[str], offer: Any, another: bool
    ) -> None:
        another = another and self._has_faces(club, NAMES[1 - NAMES.index(names[0])])
        self._ask(
            self._who(who),
            "enroll_templates",
            club,
            subjects=names[:1] if another else names,
            consent=offer and self._consent(offer),
            another=another,
        )

    @rule(who=callers, club=clubs, name=people, offer=st.none() | offers(), another=st.booleans())
    def index(self, who: int, club: str, name: str, offer: Any, another: bool) -> None:
        another = another and self._has_faces(club, NAMES[1 - NAMES.index(name)])
        self._ask(
            self._who(who),
            "index_picture",
            club,
            subject=name,
            consent=offer and self._consent(offer),
            another=another,
        )

    @rule(who=callers, club=clubs, name=people, offer=st.none() | offers())
    def enrol_a_namesake(self, who: int, club: str, name: str, offer: Any) -> None:
        """Offer somebody else's face under a name that means somebody for another purpose."""
        caller, consent = self._who(who), offer and self._consent(offer)
        self.world._sweep()
        if club in self.world._clubs and self.world._conflicts(caller, club, name, consent):
            self._ask(
                caller, "enroll_templates", club, subjects=[name], consent=consent, stranger=True
            )

    def _faces(self, club: str, name: str) -> tuple[str, list[str]]:
        """Return somebody with the ids of their faces, the oldest first, as only Sayso knows."""
        self._ask(LOCAL, "enrolled_faces", club)
        return name, [face.id for face in self._ask(LOCAL, "faces", club, name) or ()]

    @rule(who=callers, club=clubs, name=people)
    def delete_some_faces(self, who: int, club: str, name: str) -> None:
        self._ask(self._who(who), "delete_faces", club, self._faces(club, name))

    @rule(who=callers, club=clubs, name=people, purpose=st.none() | purposes)
    def search(self, who: int, club: str, name: str, purpose: str | None) -> None:
        caller = self._who(who)
        self._ask(caller, "search_picture", club, name, purpose=purpose)
        self._ask(caller, "search_face", club, self._faces(club, name), purpose=purpose)

    @rule(who=callers, club=clubs, name=people, purpose=st.none() | purposes)
    def search_for_users(self, who: int, club: str, name: str, purpose: str | None) -> None:
        caller = self._who(who)
        self._ask(caller, "search_users", club, user=name, purpose=purpose)
        self._ask(caller, "search_users", club, face=self._faces(club, name), purpose=purpose)
        self._ask(caller, "search_users_by_picture", club, name, purpose=purpose)

    @rule(who=callers, club=clubs, user=people, name=people, take=st.booleans())
    def link(self, who: int, club: str, user: str, name: str, take: bool) -> None:
        caller, faces = self._who(who), self._faces(club, name)
        if take:
            self._ask(caller, "disassociate_faces", club, user, faces)
        else:
            self._ask(caller, "associate_faces", club, user, faces)

    @rule(who=callers, club=clubs, name=people, offer=st.none() | offers(), delete=st.booleans())
    def make_or_delete_user(self, who: int, club: str, name: str, offer: Any, delete: bool) -> None:
        caller = self._who(who)
        if delete:
            self._ask(caller, "delete_user", club, name)
        else:
            consent = offer and self._consent(offer)
            self._ask(caller, "create_user", club, name, consent=consent)

    @rule(
        who=callers,
        club=clubs,
        key=st.sampled_from("ab"),
        value=st.sampled_from(["red", "blue", None]),
    )
    def tag(self, who: int, club: str, key: str, value: str | None) -> None:
        caller = self._who(who)
        if value is None:
            self._ask(caller, "untag_collection", club, [key, "none-such"])
        else:
            self._ask(caller, "tag_collection", club, {key: value})
        self._ask(caller, "collection_tags", club)

    @rule(who=callers, club=clubs, most=st.sampled_from([1e5, 1e6]))
    def limit(self, who: int, club: str, most: float) -> None:
        self._ask(self._who(who), "set_false_match_rule", club, FalseMatchRule(most))

    def _has_faces(self, club: str, name: str) -> bool:
        self.world._sweep()
        known = self.world._clubs.get(club)
        return known is not None and name in known.people and known.people[name].faces > 0

    @rule(who=callers, club=clubs, name=people, offer=offers())
    def record(self, who: int, club: str, name: str, offer: Any) -> None:
        self._ask(self._who(who), "add_consent", club, name, self._consent(offer))

    @rule(who=callers, club=clubs, name=people, purpose=st.none() | purposes)
    def withdraw(self, who: int, club: str, name: str, purpose: str | None) -> None:
        self._ask(self._who(who), "withdraw_consent", club, name, purpose)

    @rule(who=callers, club=clubs, name=people, ago=st.sampled_from([None, 1, 20, -1]))
    def interact(self, who: int, club: str, name: str, ago: int | None) -> None:
        at = None if ago is None else self.world.now - ago * HOUR
        self._ask(self._who(who), "record_interaction", club, name, at)

    @rule(who=callers, club=clubs, name=people)
    def erase(self, who: int, club: str, name: str) -> None:
        self._ask(self._who(who), "erase_subject", club, name)

    @rule(who=callers, club=clubs, name=people, purpose=st.none() | purposes)
    def recognize(self, who: int, club: str, name: str, purpose: str | None) -> None:
        self._ask(self._who(who), "recognize", club, name, purpose=purpose)
        self._ask(self._who(who), "redact", club, name, purpose=purpose)

    @rule(who=callers, club=clubs, name=people)
    def read(self, who: int, club: str, name: str) -> None:
        caller = self._who(who)
        self._ask(caller, "collections")
        self._ask(caller, "collection", club)
        for purpose in (None, *PURPOSES):
            self._ask(caller, "threshold", club, purpose=purpose)
        self._ask(caller, "purposes", club)
        self._ask(caller, "subject", club, name)
        self._ask(caller, "faces", club, name)
        self._ask(caller, "enrolled_faces", club)
        self._ask(caller, "user", club, name)
        self._ask(caller, "users", club)
        self._ask(caller, "count_users", club)
        self._ask(caller, "consents", club, name)
        self._ask(caller, "tombstones", club)
        self._ask(caller, "report", club, name)

    @rule(who=callers, club=st.none() | clubs)
    def audit(self, who: int, club: str | None) -> None:
        caller = self._who(who)
        self._ask(caller, "audit_entries", collection=club, limit=10)
        self._ask(caller, "audit_export")
        self._ask(caller, "audit_verify", self.head)
        self.head = self._ask(caller, "audit_head") or self.head

    @rule(
        who=callers,
        purpose=purposes,
        actions=st.frozensets(st.sampled_from(ACTIONS), min_size=1),
        where=st.none() | st.lists(st.sampled_from(CLUBS), min_size=1, unique=True),
        until=st.sampled_from([None, None, 1, 30]),
        attestation=st.sampled_from([None, None, ATTESTATION]),
    )
    def make_key(
        self,
        who: int,
        purpose: str,
        actions: frozenset[Any],
        where: list[str] | None,
        until: int | None,
        attestation: str | None,
    ) -> None:
        made = self._ask(
            self._who(who),
            "create_key",
            f"desk-{len(self.holders)}",
            purpose=purpose,
            actions=sorted(actions),
            collections=where,
            until=None if until is None else self.world.now + until * HOUR,
            attestation=attestation,
        )
        if made is not None:
            holder = self.world._keys[-1]
            holder.id, holder.secret = made.key.id, made.secret
            self.told.append(made.secret)
            holder.caller = self._ask(LOCAL, "authenticate", made.key.id, made.secret)
            self.holders = [*self.holders[:3], holder]  # the last one makes room

    @rule(who=callers, number=st.integers(0, 3), right=st.booleans())
    def use_keys(self, who: int, number: int, right: bool) -> None:
        self._ask(self._who(who), "keys")
        key = self.holders[number % len(self.holders)]
        if key.id is not None:
            secret = key.secret if right else "another"
            self._ask(LOCAL, "authenticate", key.id, secret)
            self._ask(LOCAL, "authenticate_signature", key.id, secret)
            self._ask(LOCAL, "require_key", key.id)

    @rule(who=callers)
    def sign_in(self, who: int) -> None:
        self._ask(self._who(who), "signed_in", "key")

    @rule(who=callers, number=st.integers(0, 3))
    def revoke(self, who: int, number: int) -> None:
        key = self.holders[number % len(self.holders)]
        if key.id is not None:
            self._ask(self._who(who), "revoke_key", key.id)

    @rule(who=callers, a=people, b=people)
    def keep(self, who: int, a: str, b: str) -> None:
        caller = self._who(who)
        self._ask(caller, "sweep")
        self._ask(caller, "detect", PICTURES[a])
        self._ask(caller, "compare", PICTURES[a], PICTURES[b])
        self._ask(caller, "compare_faces", PICTURES[a], PICTURES[b])
        with tempfile.TemporaryDirectory() as elsewhere:
            self._ask(caller, "copy_keyring", Path(elsewhere) / "keyring.copy")
            self._ask(caller, "backup", Path(elsewhere) / "backup")
            self._ask(caller, "measure", _labelled(Path(elsewhere)))
        self._ask(caller, "keyring_status")
        self._ask(caller, "rotate_master_key")

    @rule(who=callers)
    def evaluate(self, who: int) -> None:
        caller = self._who(who)
        self._ask(caller, "begin_evaluation", "theirs")
        for each in self.app.evaluations():
            self._ask(caller, "discard_evaluation", each.id)
            if each.id in [left.id for left in self.app.evaluations()]:
                self._ask(LOCAL, "discard_evaluation", each.id)
        if ConsentMachine._measured >= 3:  # each takes a second
            return
        ConsentMachine._measured += 1
        run = self._ask(LOCAL, "begin_evaluation", "labelled").id
        for asking in (caller, LOCAL):
            for name, picture in PICTURES.items():
                for file in ("1.png", "2.png"):
                    self._ask(
                        asking,
                        "add_evaluation_picture",
                        run,
                        person=name,
                        file=file,
                        picture=picture,
                    )
        for asking in (caller, LOCAL):
            self._ask(asking, "label_evaluation", run, {NAMES[0]: "tall"})
        for asking in (caller, LOCAL):
            self._ask(asking, "finish_evaluation", run)
        until = time.monotonic() + 30
        while self.app.evaluation(run).state != "done":
            assert time.monotonic() < until, self.app.evaluation(run)
            time.sleep(0.01)
        self._ask(caller, "evaluation_figures", run)
        self._ask(caller, "evaluation_report", run)

    @rule(hours=st.sampled_from([1, 4, 12, 24, 30]), instants=st.sampled_from([-1, 0, 1]))
    def wait(self, hours: int, instants: int) -> None:
        self.world.now += hours * HOUR + instants * INSTANT

    @rule()
    def restart(self) -> None:
        self.app.close()
        self._start()

    # What must be so whatever was called.

    @invariant()
    def a_name_is_taken_up(self) -> None:
        """Now and then a key records a consent to its own purpose, whoever else has that name.

        Not as a rule: those are drawn too seldom for the two who are there to be met in time.
        """
        turn, due = divmod(self.step, 6)
        key = self.holders[1:][turn % (len(self.holders) - 1)]
        if due == 3 and key.purpose is not None and "club" in self.world._clubs:
            named = NAMES[1 - PURPOSES.index(key.purpose)]  # at first only the other purpose has it
            consent = Consent([key.purpose], EVIDENCE[1], until=self.world.now + 12 * HOUR)
            self._ask(key, "add_consent", "club", named, consent)

    @invariant()
    def shown_are_exactly_those_covered(self) -> None:
        for club in list(self.world._clubs):
            for purpose in PURPOSES:
                self._ask(LOCAL, "recognize_templates", club, NAMES, purpose=purpose)
                # By the cosine it shows of whose faces a user is made.
                self._ask(LOCAL, "search_users_by_picture", club, NAMES[0], purpose=purpose)
        self.step += 1
        key = self.holders[1:][self.step % (len(self.holders) - 1)]  # each in its turn
        self._ask(key, "recognize_templates", "club", NAMES, purpose=None)
        if key.actions.intersection(KNOWING):
            self._ask(key, "subjects", "club")

    @invariant()
    def nobody_is_there_without_consent(self) -> None:
        for club in list(self.world._clubs):
            for subject in self._ask(LOCAL, "subjects", club):
                self.ids[club, subject.name] = subject.id
        books = self.world._clubs.values()
        subjects, faces = sum(len(c.people) for c in books), sum(c.faces for c in books)
        with self.app._resources.store.read() as connection:
            for table, count in ((schema.subjects, subjects), (schema.faces, faces)):
                rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
                assert rows == count
        # The watch may have erased somebody just now, and the key goes after the rows.
        until = time.monotonic() + 2
        while self.app._resources.keyring.count() != subjects:
            assert time.monotonic() < until, "the data key of somebody erased is still there"
            time.sleep(0.01)


ConsentMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    # A failure is told as it was met: making it shorter can take longer than everything else.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
TestConsent = ConsentMachine.TestCase


def test_no_method_of_the_core_is_left_out() -> None:
    public = {name for name in dir(Sayso) if not name.startswith("_")} - PLUMBING
    modelled = {name for name in dir(World) if not name.startswith("_")}
    called = set(re.findall(r'\._ask\(\s*[^"]*?"(\w+)"', inspect.getsource(ConsentMachine)))
    assert modelled == public
    assert called == public
