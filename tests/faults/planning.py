"""What a worker is to do next: calls that are possible in their order, by chance."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from tests.faults.model import Model
from tests.faults.worker import Call

PURPOSES = ("door", "lists", "photos")
#: The kinds of calls that enrol, withdraw or erase.
MAIN = (
    "enrol one",
    "enrol a known one",
    "enrol many",
    "withdraw one purpose",
    "withdraw the last",
    "erase",
)

#: How often each kind of call is planned.
_WEIGHTS = {
    "enrol one": 12,
    "enrol a known one": 10,
    "enrol many": 10,
    "refuse one": 2,
    "record a consent": 4,
    "record an interaction": 5,
    "withdraw one purpose": 14,
    "withdraw the last": 14,
    "erase": 16,
    "purpose met": 5,
    "delete a collection": 5,
    "make an access key": 3,
    "revoke an access key": 3,
    "rotate the master key": 6,
    "search": 3,
}


class Planner:
    """Plans calls in the collections of one worker, whose model tells what is there.

    Names and templates are never planned twice; but for names of the erased, which may come back.
    """

    def __init__(self, model: Model, chance: random.Random, *, keys: bool = True) -> None:
        self._model = model
        self._chance = chance
        self._club = f"{model.actor}-club"
        left = () if keys else ("make an access key", "revoke an access key")
        self._weights = {kind: each for kind, each in _WEIGHTS.items() if kind not in left}
        self._next = 0
        self._known: dict[str, dict[str, set[str]]] = {}
        self._keys: list[str] = []
        self._plan: list[Call] = []

    def plan(self, count: int) -> list[Call]:
        """Return at least so many calls, from what the model has now."""
        now = datetime.now(UTC)
        self._known = {
            collection: {name: person.standing(now) for name, person in group.people.items()}
            for collection, group in self._model.groups.items()
        }
        self._keys = [actor for actor, key in self._model.keys.items() if key.revoked is None]
        self._plan = []
        if self._club not in self._known:
            self._create(self._club)
        while len(self._plan) < count:
            kinds, weights = list(self._weights), list(self._weights.values())
            while len(self._known[self._club]) < 6:
                self._enrol_many("enrol many", self._club)
            self._step(self._chance.choices(kinds, weights)[0])
        return self._plan

    def _step(self, kind: str) -> None:
        chance, people = self._chance, self._known[self._club]
        match kind:
            case "enrol one":
                self._enrol(kind, [self._new_name()])
            case "enrol a known one":
                name, consent = chance.choice(list(people)), chance.random() < 0.5
                # To all that was agreed to before, too: these templates do not resemble each other,
                # and such a one is refused where another serves a purpose that this one does not.
                agreed = sorted({*people[name], *self._some_purposes()})
                if not consent:  # on what is on record, which is the latest consent
                    self._agree(name, agreed)
                names = [name] * chance.randint(1, 2)
                self._enrol(kind, names, consent=consent, purposes=agreed)
            case "enrol many":
                self._enrol_many(kind, self._club)
            case "record a consent":
                self._agree(chance.choice([self._new_name(), chance.choice(list(people))]))
            case "record an interaction":
                self._add(kind, "touch", name=chance.choice(list(people)))
            case "withdraw one purpose" | "withdraw the last":
                self._withdraw(kind)
            case "erase":
                name = chance.choice(list(people))
                del people[name]
                self._add(kind, "erase", name=name)
            case "purpose met":
                self._meet(kind)
            case _:
                self._keep(kind)

    def _keep(self, kind: str) -> None:
        match kind:
            case "delete a collection":
                others = [each for each in self._known if each != self._club]
                if not others:
                    others = [f"{self._model.actor}-{self._number()}"]
                    self._create(others[0])
                    self._enrol_many("enrol many", others[0])
                del self._known[others[0]]
                self._plan.append(Call(kind, "delete", {"collection": others[0]}))
            case "make an access key":
                self._keys.append(f"{self._model.actor}-key-{self._number()}")
                self._plan.append(Call(kind, "key", {"actor": self._keys[-1]}))
            case "revoke an access key":
                if not self._keys:
                    self._keep("make an access key")
                self._plan.append(Call(kind, "revoke", {"actor": self._keys.pop()}))
            case "rotate the master key":
                self._plan.append(Call(kind, "rotate", {}))
            case _:
                self._ask(kind)

    def _ask(self, kind: str) -> None:
        if kind == "refuse one":
            self._add(kind, "refuse", name=f"refused-{self._number()}", seed=self._number())
            return
        seeds = self._chance.sample(range(1, self._next + 1), min(5, self._next))
        self._add(kind, "search", seeds=seeds, purpose=self._chance.choice(PURPOSES))

    def _agree(self, name: str, purposes: list[str] | None = None) -> None:
        agreed = purposes or self._some_purposes()
        self._known[self._club].setdefault(name, set()).update(agreed)
        evidence = self._evidence()
        self._add("record a consent", "agree", name=name, purposes=agreed, evidence=evidence)

    def _withdraw(self, kind: str) -> None:
        people, last = self._known[self._club], kind == "withdraw the last"
        fitting = [name for name, purposes in people.items() if last or len(purposes) > 1]
        if not fitting:
            fitting = [self._new_name()]
            self._enrol("enrol one", fitting, purposes=list(PURPOSES))
        name = self._chance.choice(fitting)
        purposes = people[name]
        purpose = self._chance.choice(sorted(purposes))
        if not last or (len(purposes) == 1 and self._chance.random() < 0.5):
            purposes.discard(purpose)
            self._add(kind, "withdraw", name=name, purpose=purpose)
        else:
            purposes.clear()
            self._add(kind, "withdraw", name=name, purpose=None)
        if not purposes:
            del people[name]

    def _meet(self, kind: str) -> None:
        purpose, people = f"event-{self._number()}", self._known[self._club]
        some = self._chance.sample(list(people), 2)
        for name in [*some, self._new_name()]:
            self._agree(name, [purpose])
        self._add(kind, "met", purpose=purpose)
        for name in list(people):
            people[name].discard(purpose)
            if not people[name]:
                del people[name]

    def _enrol_many(self, kind: str, collection: str) -> None:
        names = [self._new_name() for _ in range(self._chance.randint(2, 12))]
        self._enrol(kind, list(dict.fromkeys(names)), collection=collection)

    def _enrol(
        self,
        kind: str,
        names: list[str],
        *,
        collection: str | None = None,
        consent: bool = True,
        purposes: list[str] | None = None,
    ) -> None:
        agreed = sorted(purposes or self._some_purposes())
        people = self._known[collection or self._club]
        if consent:
            for name in names:
                people.setdefault(name, set()).update(agreed)
        self._add(
            kind,
            "enrol",
            collection,
            names=names,
            seeds=[self._number() for _ in names],
            purposes=agreed,
            evidence=self._evidence() if consent else None,
        )

    def _create(self, collection: str) -> None:
        self._known[collection] = {}
        self._plan.append(Call("create a collection", "create", {"collection": collection}))

    def _add(self, kind: str, method: str, collection: str | None = None, **rest: object) -> None:
        self._plan.append(Call(kind, method, {"collection": collection or self._club} | rest))

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _new_name(self) -> str:
        """Name somebody who is not there: now and then one who was."""
        if self._chance.random() < 0.3:
            earlier = f"person-{self._chance.randint(1, self._next + 1)}"
            if not any(earlier in people for people in self._known.values()):
                return earlier
        return f"person-{self._number()}"

    def _evidence(self) -> str:
        return f"form {self._number()}"

    def _some_purposes(self) -> list[str]:
        return sorted(self._chance.sample(PURPOSES, self._chance.randint(1, len(PURPOSES))))
