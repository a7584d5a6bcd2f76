"""What is in a page, for tests: elements by name and attribute, and the texts that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_UNREAD = frozenset({"script", "style", "template", "head"})


@dataclass
class Element:
    """An element, its attributes, and what is in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: list[Element | str] = field(default_factory=list)

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    def get(self, attribute: str, default: str = "") -> str:
        """Return an attribute; of one without a value, an empty text."""
        return self.attributes.get(attribute, default)

    def walk(self) -> Iterator[Element]:
        """Give every element within, outer ones first."""
        for each in self.content:
            if isinstance(each, Element):
                yield each
                yield from each.walk()

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """Return the elements of a tag (None: of any) that have these attributes.

        A class is one among several; ``_`` in the name of an attribute is written for ``-``, and
        one after the name is dropped: ``class_``.
        """
        return [
            each
            for each in self.walk()
            if tag in (None, each.tag)
            and all(each._has(name.rstrip("_"), value) for name, value in attributes.items())
        ]

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        """Return the only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in {self.text!r}"
        return found[0]

    @property
    def text(self) -> str:
        """What people read, with single blanks."""
        return " ".join(" ".join(self._texts()).split())

    @property
    def source(self) -> str:
        """The text that is directly within, as of a script."""
        return "".join(each for each in self.content if isinstance(each, str))

    def _has(self, name: str, value: str) -> bool:
        given = self.attributes.get(name.replace("_", "-"))
        if given is None:
            return False
        return value in given.split() if name == "class" else given == value

    def _texts(self) -> Iterator[str]:
        for each in self.content:
            if isinstance(each, str):
                yield each
            elif each.tag not in _UNREAD:
                yield from each._texts()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].content.append(made)
        if tag not in _EMPTY:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        places = [place for place, each in enumerate(self._open) if each.tag == tag]
        if places:
            del self._open[places[-1] :]

    def handle_data(self, data: str) -> None:
        self._open[-1].content.append(data)


def parse(html: str) -> Element:
    """Return a page as elements; elements that the page leaves open end with what is around."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.root
