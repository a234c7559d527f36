"""A page as a tree, read by Python's own parser: what is in it without a browser and without its script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Elements without an end.
VOID = {"meta", "link", "input", "wbr", "br"}
#: Elements whose end may be left out -> what ends them, but not out of a table.
IMPLIED = {"td": {"td", "th", "tr"}, "th": {"td", "th", "tr"}, "tr": {"tr"}}


@dataclass
class Element:
    """An element with its children, texts among them."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str) -> Iterator[Element]:
        """All elements of a kind inside, in order; ``*`` for every kind."""
        for child in self.children:
            if isinstance(child, Element):
                if tag in ("*", child.tag):
                    yield child
                yield from child.all(tag)

    def by_id(self, name: str) -> Element:
        """The only element with an id."""
        (found,) = (one for one in self.all("*") if one.attributes.get("id") == name)
        return found

    def of_class(self, name: str) -> list[Element]:
        """All elements of a class, in order."""
        return [one for one in self.all("*") if name in one.attributes.get("class", "").split()]

    def grid(self, part: str = "tbody") -> list[list[str]]:
        """The texts of a table's rows."""
        (body,) = self.all(part)
        return [[c.text.strip() for c in row.children if isinstance(c, Element)] for row in body.all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        while tag in IMPLIED.get(self.open[-1].tag, ()):
            self.open.pop()
        made = Element(tag, {name: value or "" for name, value in attrs})
        assert len(made.attributes) == len(attrs), "an attribute twice"
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1].tag in IMPLIED and self.open[-1].tag != tag:
            self.open.pop()
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read_page(text: str) -> Element:
    """The tree of a page; AssertionError where an element is not closed in the right place."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root
