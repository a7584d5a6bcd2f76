"""Pictures that come one by one: in any order, and some of them again."""

from __future__ import annotations

import numpy as np

from sayso.evaluation.gathering import Gathering, Seen

A, B = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def test_the_order_of_coming_makes_no_difference() -> None:
    pictures = [
        ("bob", "2.png", Seen(why="no face was found")),
        ("ada", "2.png", Seen(A, 40.0)),
        ("bob", "1.png", Seen(B, 70.0)),
        ("ada", "1.png", Seen(A, 30.0)),
    ]
    found = []
    for order in (pictures, pictures[::-1]):
        gathering = Gathering()
        for person, file, seen in order:
            gathering.put(person, file, seen)
        assert (gathering.pictures, gathering.with_template) == (4, 3)
        found.append(gathering.measured({"bob": "night"}))
    for one in found:
        assert one.files == ("ada/1.png", "ada/2.png", "bob/1.png", "bob/2.png")
        assert one.names == ("ada", "bob")
        assert one.groups == (None, "night")
        assert one.people.tolist() == [0, 0, 1, 1]
        assert one.quality.tolist() == [30, 40, 70, 0]
        assert one.templates.tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]
        assert one.failures == (("bob/2.png", "no face was found"),)


def test_a_picture_that_comes_again_takes_the_place_of_the_first() -> None:
    gathering = Gathering()
    for seen, with_template in ((Seen(why="dark"), 0), (Seen(A, 9.0), 1), (Seen(why="dark"), 0)):
        gathering.put("ada", "1.png", seen)
        assert (gathering.pictures, gathering.with_template) == (1, with_template)
    assert gathering.people == {"ada"}
    gathering.put("ada", "1.png", Seen(B, 9.0))
    assert gathering.measured({}).templates.tolist() == [[0, 1]]
    assert gathering.measured({}).failures == ()


def test_where_no_picture_gave_a_template_there_are_rows_all_the_same() -> None:
    gathering = Gathering()
    gathering.put("ada", "1.png", Seen(why="dark"))
    assert gathering.measured({}).templates.shape == (1, 0)
    assert not gathering.measured({}).found.any()
