"""Tags of collections."""

from __future__ import annotations

from typing import Any

import pytest

from sayso.core import restore
from sayso.errors import CollectionNotFound, GalleryError, InvalidTag, TooManyTags
from tests.desk import Desk, desk

__all__ = ["desk"]  # the fixture


def test_tags_are_set_replaced_and_taken(desk: Desk) -> None:
    desk.app.tag_collection("club", {"team": "red", "Größe 1": "ä/b"})
    desk.app.tag_collection("club", {"team": "blue"})
    assert desk.app.collection_tags("club") == {"Größe 1": "ä/b", "team": "blue"}
    desk.app.untag_collection("club", ["team", "none such"])
    assert list(desk.app.collection_tags("club")) == ["Größe 1"]
    for bad in ({"": "x"}, {"aws:x": "y"}, {"a" * 129: ""}, {"a": "b" * 257}, {"a\n": ""}):
        with pytest.raises(GalleryError):
            desk.app.tag_collection("club", bad)
    with pytest.raises(TooManyTags):
        desk.app.tag_collection("club", {f"t{number}": "" for number in range(50)})
    with pytest.raises(TooManyTags, match="would have 300000 tags"):  # more than SQLite can take
        desk.app.tag_collection("club", {f"t{number}": "" for number in range(300_000)})
    assert len(desk.app.collection_tags("club")) == 1
    assert desk.app.create_collection("tagged", tags={"a": "b"}).name == "tagged"
    assert desk.app.collection_tags("tagged") == {"a": "b"}


def test_fifty_tags_are_as_many_as_there_can_be(desk: Desk) -> None:
    fifty = {f"t{number}": "x" for number in range(50)}
    desk.app.tag_collection("club", fifty)
    with pytest.raises(TooManyTags, match="would have 51 tags; the limit is 50"):
        desk.app.tag_collection("club", {"t0": "changed", "one more": ""})
    assert desk.app.collection_tags("club") == fifty  # nothing of it was done
    desk.app.tag_collection("club", {"t0": "changed"})  # replaced, so not one more
    desk.app.untag_collection("club", ["t1"])
    desk.app.tag_collection("club", {"one more": ""})
    assert len(desk.app.collection_tags("club")) == 50


@pytest.mark.parametrize("key", ["aws:owner", "AWS:owner", "aWs:"])
def test_keys_that_amazon_keeps_for_itself_are_refused(desk: Desk, key: str) -> None:
    with pytest.raises(InvalidTag, match="reserved"):
        desk.app.tag_collection("club", {key: "x"})
    desk.app.tag_collection("club", {"my-aws:owner": "aws:x"})  # values and ends are free


@pytest.mark.parametrize(
    ("tags", "good"),
    [
        ({"Größe": "größer", "チーム": "赤", "команда": "красная"}, True),
        ({"_.:/=+-@ 9": "_.:/=+-@ 9"}, True),
        ({"a": ""}, True),
        ({"k" * 128: "v" * 256}, True),
        ({"a\tb": ""}, False),
        ({"a": "b\n"}, False),
        ({"a\x00": ""}, False),
        ({"a": "\ud800"}, False),
        ({"😀": ""}, False),
        ({"a": "b,c"}, False),
    ],
)
def test_letters_of_all_writings_are_good_and_signs_are_not(
    desk: Desk, tags: dict[str, str], good: bool
) -> None:
    if good:
        desk.app.tag_collection("club", tags)
        assert desk.app.collection_tags("club") == tags
    else:
        with pytest.raises(InvalidTag):
            desk.app.tag_collection("club", tags | {"fine": ""})
        assert desk.app.collection_tags("club") == {}


def test_a_collection_whose_tags_are_refused_is_not_made(desk: Desk) -> None:
    with pytest.raises(GalleryError):
        desk.app.create_collection("team", tags={"aws:x": ""})
    with pytest.raises(CollectionNotFound):
        desk.app.collection_tags("team")
    assert [each.name for each in desk.app.collections()] == ["club"]


def test_tags_are_of_one_collection_and_go_with_it(desk: Desk) -> None:
    desk.app.create_collection("team", tags={"a": "1"})
    desk.app.tag_collection("club", {"a": "2"})
    desk.app.untag_collection("team", ["a"])
    assert desk.app.collection_tags("club") == {"a": "2"}
    desk.app.delete_collection("club", erase_subjects=True)
    desk.app.create_collection("club")
    assert desk.app.collection_tags("club") == {}


def test_who_may_do_anything_may_read_tags_and_the_log_has_their_keys_alone(desk: Desk) -> None:
    desk.app.tag_collection("club", {"team": "the value"})
    assert desk.key("detect").collection_tags("club") == {"team": "the value"}
    desk.app.untag_collection("club", ["team", "none such"])
    entries = desk.app.audit_entries(kind="collection-tagged")
    events: list[Any] = [entry.event for entry in entries]
    assert [(e.tags_set, e.tags_removed) for e in events] == [(("team",), ()), ((), ("team",))]
    assert not [entry for entry in desk.app.audit_entries() if "the value" in entry.body]


def test_a_restored_backup_has_its_tags(desk: Desk) -> None:
    desk.app.tag_collection("club", {"team": "red"})
    target = desk.data.parent / "backup"
    desk.app.backup(target)
    desk.app.tag_collection("club", {"team": "blue", "new": ""})
    desk.app.close()
    restore(desk.data, target)
    with desk.reopened() as other:
        assert other.collection_tags("club") == {"team": "red"}
