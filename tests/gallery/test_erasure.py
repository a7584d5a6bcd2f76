from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from sayso.core import Sayso
from sayso.errors import CollectionNotFound, SubjectNotFound
from sayso.gallery import schema
from sayso.results import Consent
from tests.gallery.synthetic import PURPOSE, enrol, named, templates


def test_the_erased_are_gone_and_a_tombstone_stays(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob"])
    enrol(app, ["ada"], seed=1, consent=Consent(["research"], "form 18"))
    known = app.subject("club", "ada")
    stone = app.erase_subject("club", "ada")
    assert (stone.id, stone.faces, stone.consents) == (known.id, 2, 2)
    assert stone.created == known.created < stone.erased
    assert app.tombstones("club") == (stone,)
    assert "ada" not in repr(stone)
    assert named(app, probes) == [None, "bob"]
    for ask in (app.subject, app.consents, app.faces, app.erase_subject):
        with pytest.raises(SubjectNotFound):
            ask("club", "ada")


def test_who_comes_back_after_an_erasure_is_somebody_new(app: Sayso) -> None:
    enrol(app, ["ada"])
    first = app.erase_subject("club", "ada")
    probes = enrol(app, ["ada"], seed=1)
    assert named(app, probes) == ["ada"]
    assert named(app, templates(1)) == [None]
    assert app.subject("club", "ada").id != first.id


def test_neither_template_nor_evidence_nor_name_stays_in_the_files(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        consent = Consent([PURPOSE], "signed by Ada-Lovelace")
        probes = enrol(app, ["ada-lovelace", "bob"], consent=consent)

        def holding(needle: bytes) -> list[str]:
            return [file.name for file in tmp_path.iterdir() if needle in file.read_bytes()]

        # What is sealed can be found, and is gone afterwards; what it is can never be found.
        with app._resources.store.read() as connection:
            sealed = list(connection.execute(select(schema.faces.c.template)).scalars())
            sealed += list(connection.execute(select(schema.subjects.c.name)).scalars())
            sealed += list(connection.execute(select(schema.consents.c.evidence)).scalars())
        layouts = ("<f4", ">f4", "<f8", ">f8", "<f2", ">f2")
        plain = [probes[0].astype(layout).tobytes()[:64] for layout in layouts]
        plain += [b"ada-lovelace", b"signed by", json.dumps(probes[0].tolist()).encode()[:64]]
        assert len(sealed) == 6
        assert all(holding(each) for each in sealed)
        assert not any(holding(each) for each in plain)
        app.erase_subject("club", "ada-lovelace")
        assert sum(bool(holding(each)) for each in sealed) == 3
        app.erase_subject("club", "bob")
        assert not any(holding(each) for each in sealed)


def test_deleting_a_collection_erases_its_subjects(app: Sayso) -> None:
    app.create_collection("other")
    names = [f"s{i}" for i in range(100)]
    probes = enrol(app, names)
    enrol(app, ["ada"], collection="other", seed=1)
    assert named(app, probes) == names
    assert app.delete_collection("club") == 100
    with pytest.raises(CollectionNotFound):
        named(app, probes)
    assert len(app.tombstones("club")) == 100
    assert named(app, templates(1, 1), collection="other") == ["ada"]
    # A new collection of that name begins empty, whatever was cached under it.
    app.create_collection("club")
    assert app.tombstones("club")
    assert named(app, probes) == [None] * 100
    enrol(app, ["new"], seed=2)
    assert named(app, np.concatenate([probes[:1], templates(1, 2)])) == [None, "new"]
