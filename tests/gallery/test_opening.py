"""Opening: a gallery and the keyring that belongs to it, of one day."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sayso.core import Sayso, restore
from sayso.errors import StoreUnavailable, UnknownKey
from sayso.results import Consent
from tests.gallery.synthetic import PURPOSE, enrol, named

BOTH = Consent([PURPOSE, "research"], "form 18")


def _put_over(old: Path, data: Path) -> None:
    """Copy a backup where the gallery is, as nobody should."""
    for file in data.glob("gallery.sqlite*"):
        file.unlink()
    shutil.copy(old, data / "gallery.sqlite")


def _withdraw(app: Sayso) -> None:
    app.withdraw_consent("club", "ada", "research")


def _revoke(app: Sayso) -> None:
    app.revoke_key(app.keys()[0].id)


@pytest.mark.parametrize(
    ("end", "told"), [(_withdraw, "consent that was withdrawn"), (_revoke, "key that was revoked")]
)
def test_an_old_copy_put_in_the_place_of_the_gallery_is_not_opened(
    tmp_path: Path, end: Callable[[Sayso], None], told: str
) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    with Sayso(data) as app:
        app.create_collection("club")
        probes = enrol(app, ["ada"], consent=BOTH)
        key = app.create_key("door", purpose=PURPOSE, actions=["search"])
        app.backup(backup)
        end(app)
    with Sayso(data):  # the gallery itself is
        pass
    _put_over(backup, data)
    with pytest.raises(StoreUnavailable, match=rf"{told}.*move it away.*sayso restore"):
        Sayso(data)
    # What the message says helps.
    for file in data.glob("gallery.sqlite*"):
        file.unlink()
    restore(data, backup)
    with Sayso(data) as app:
        assert named(app, probes) == ["ada"]
        if end is _withdraw:
            assert named(app, probes, purpose="research") == [None]
        else:
            with pytest.raises(UnknownKey):
                app.authenticate(key.key.id, key.secret)


def test_an_old_copy_in_which_nothing_stands_that_ended_is_opened(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    with Sayso(data) as app:
        app.create_collection("club")
        probes = enrol(app, ["ada"], consent=BOTH)
        _withdraw(app)
        app.backup(backup)
        app.record_interaction("club", "ada")
    _put_over(backup, data)
    with Sayso(data) as app:
        assert named(app, probes) == ["ada"]
