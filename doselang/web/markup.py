"""HTML that cannot be forgotten to escape: elements are made of texts, and every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from attrs import frozen

from doselang.report.printable import printable


@frozen
class Html:
    """A piece of HTML, made by `element` alone: every text in it is escaped."""

    text: str


Content: TypeAlias = "str | int | Html | Iterable[Content] | None"
Attribute: TypeAlias = "str | int | bool | None"

VOID = frozenset({"br", "hr", "input", "link", "meta"})
"""Elements without content."""

NOTHING = Html("")


def element(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """An element; `class_` stands for the attribute `class`, `aria_label` for `aria-label`; None and False for none."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{written(content)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def written(content: Content) -> str:
    """Content as text of a page: line breaks stay, other signs that a browser would obey or hide are made visible."""
    match content:
        case None:
            return ""
        case Html(text):
            return text
        case str() | int():
            return escape("\n".join(printable(line) for line in str(content).split("\n")))
        case _:
            return "".join(written(one) for one in content)


def joined(pieces: Iterable[Html]) -> Html:
    """Pieces of HTML, one after the other."""
    return Html("".join(piece.text for piece in pieces))


def listing(items: Iterable[Content], **attributes: Attribute) -> Html:
    """An unordered list; nothing where there are no items."""
    found = [element("li", item) for item in items]
    return element("ul", *found, **attributes) if found else NOTHING


def terms(pairs: Iterable[tuple[str, Content]], **attributes: Attribute) -> Html:
    """A list of terms, each with what is said of it."""
    return element("dl", *(element("div", element("dt", term), element("dd", said)) for term, said in pairs),
                   **attributes)  # fmt: skip


def grid(caption: str, headings: Iterable[str], rows: Iterable[Iterable[Content]]) -> Html:
    """A table, whose first column heads the rows; it scrolls by itself where it is wider than the page."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = []
    for row in rows:
        first, *rest = row
        body.append(element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest)))
    table = element(
        "table", element("caption", caption), element("thead", head), element("tbody", *body)
    )  # fmt: skip
    return element("div", table, class_="wide", role="region", aria_label=caption, tabindex=0)


def link(words: Content, to: str, **attributes: Attribute) -> Html:
    """A link."""
    return element("a", words, href=to, **attributes)
