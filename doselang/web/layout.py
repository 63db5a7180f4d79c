"""What all pages have: the head, the way between the pages, the title of the trial, and pages that tell of trouble."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from doselang.diagnostics import Diagnostic
from doselang.trial.opening import Trial
from doselang.web.markup import NOTHING, Content, Html, element, link, listing, terms

STYLE = "/page.css"
"""The address of the stylesheet: it tells nothing of the trial, and is there for everybody."""

PAGES = (("", "The trial"), ("record", "The record"), ("paths", "What lies ahead"), ("sign", "Sign"))


@frozen
class Page:
    """A page that is to be sent: what it is called, what is in it, and the status of the answer."""

    title: str
    content: tuple[Html, ...]
    status: int = 200
    here: str | None = None
    """Which of PAGES it is, None for another one."""
    onward: str | None = None
    """Where the browser goes on to at once."""


def document(page: Page, room: str | None, trial: Trial | None) -> str:
    """A whole page. `room` is the beginning of all addresses, None where the browser was not let in."""
    name = f"{page.title} – {trial.protocol.title}" if trial is not None else page.title
    name = f"Not entered: {name}" if page.status >= 400 and room is not None else name
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="refresh", content=f"0; url={page.onward}") if page.onward else NOTHING,
        element("title", name),
        element("link", rel="stylesheet", href=STYLE),
    )
    body = element(
        "body",
        link("Skip to the content", "#content", class_="skip"),
        element("header", _ways(page, room) if room is not None else NOTHING, _trial(trial) if trial else NOTHING),
        element("main", element("h1", page.title), *page.content, id="content", tabindex=-1),
        element("footer", element("p", FOOT)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en').text}\n"


FOOT = (
    "doselang says what the rules of the protocol say. It is no medical device, and makes no treatment decisions."
    " Names are as they were given: nothing here proves who it was."
)


def _ways(page: Page, room: str | None) -> Html:
    ways = [link(words, f"{room}/{to}", aria_current="page" if page.here == to else None) for to, words in PAGES]
    return element("nav", listing(ways), aria_label="Pages")


def _trial(trial: Trial) -> Html:
    last, current = trial.entries[-1].entry, trial.current
    return element(
        "section",
        element("p", element("strong", trial.protocol.title)),
        terms([
            ("Protocol", [hashed(last.protocol), f", in force since {current.since}"]),
            ("Head", [hashed(trial.head), f", entry {last.number} of {last.time}"]),
        ]),
        aria_label="The trial",
    )  # fmt: skip


def hashed(digest: str) -> Html:
    """The first sixteen digits of a hash."""
    return element("span", digest[:16], class_="hash")


def lines(found: Content) -> Html:
    """Lines of a report, in their layout."""
    return element("pre", found)


def rules_said(found: Iterable[str]) -> Html:
    """What the rules say instead of what was done: lines of a report, each a word and what is said under it."""
    parts = [line.partition("  ") for line in found]
    return terms([(word[:1].upper() + word[1:], words.strip()) for word, _, words in parts])


def said(name: str, title: str, *content: Content) -> Html:
    """A paragraph that stands out: a `warning`, a `fault` or a `notice`."""
    return element("div", element("p", title), *content, class_=name, role="alert" if name != "notice" else "status")


def trouble_page(diagnostic: Diagnostic, status: int) -> Page:
    """A page for what stopped a request."""
    return refused_page("This cannot be done", diagnostic.message, diagnostic.help or "", status)


def refused_page(title: str, message: str, help: str, status: int) -> Page:
    """A page that says why nothing is shown or done."""
    told = element("p", help) if help else NOTHING
    return Page(title, (said("fault", message, told, element("p", "Nothing was entered.")),), status)
