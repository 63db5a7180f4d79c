"""The record: every entry in words, one entry with its body, and what lies ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator

from doselang.conduct.pathways import Pathways
from doselang.record.corrections import Effective
from doselang.record.entries import COPY
from doselang.record.files import record_path
from doselang.record.reading import Verified
from doselang.report.pathways import paths_heading, paths_summary, paths_table
from doselang.report.trial_amendments import difference_lines
from doselang.report.trial_entries import entry_words, further_lines
from doselang.report.trial_record import verified_words
from doselang.trial.opening import Trial
from doselang.trial.steps import KINDS
from doselang.web.layout import Page, hashed, lines, said
from doselang.web.markup import NOTHING, Html, element, grid, link, listing, terms
from doselang.web.places import Places


def record_page(trial: Trial, verified: Verified, places: Places) -> Page:
    """Every entry in words, in their order, and whether the record is as it was written."""
    state = "notice" if verified.is_right else "fault"
    found = [finding.diagnostic() for finding in verified.chain.findings]
    told = list(verified_words(verified, str(record_path(trial.folder))))
    title = "The record is as it was written." if verified.is_right else "The record is not in order."
    content = (
        said(state, title, listing(told), listing([f"{one.message} {one.help or ''}" for one in found])),
        element("h2", "Entries"),
        element("ol", *(_item(trial, one, places) for one in trial.entries), class_="entries"),
    )
    return Page("The record", content, here="record")


def _item(trial: Trial, one: Effective, places: Places) -> Html:
    entry = one.entry
    struck = element("del", entry_words(trial, one)) if not one.counts else entry_words(trial, one)
    return element(
        "li",
        element("p", link(f"Entry {entry.number}", places.entry(entry.number)), " ", struck),
        element("p", f"{entry.actor}, {entry.time}", class_="quiet"),
        listing(further_lines(trial, one)),
        _difference(one),
        value=entry.number,
        id=f"entry-{entry.number}",
    )


def _difference(one: Effective) -> Html:
    kept = one.entry.body.get("difference")
    return lines("\n".join(difference_lines(kept))) if isinstance(kept, dict) else NOTHING


def entry_page(trial: Trial, one: Effective, told: tuple[str, ...], places: Places) -> Page:
    """One entry, as it is in the record; `told` is what was said when it was made, where that was just now."""
    entry = one.entry
    kept = {key: value for key, value in entry.body.items() if key != COPY}
    content = (
        said("notice", "It is entered.", lines("\n".join(told))) if told else NOTHING,
        terms([
            ("It says", entry_words(trial, one)), ("Kind", entry.kind), ("Entered by", entry.actor),
            ("Time", entry.time), ("Protocol", hashed(entry.protocol)), ("Hash", hashed(entry.hash)),
        ]),
        listing(further_lines(trial, one)),
        _difference(one),
        listing(_corrections(one, places), class_="steps"),
        element("p", link("Back to the trial", places.page(""))),
        element("h2", "Its body"),
        lines(json.dumps(kept, indent=2, ensure_ascii=False)),
    )  # fmt: skip
    return Page(f"Entry {entry.number}", content)


def _corrections(one: Effective, places: Places) -> Iterator[Html]:
    if one.entry.kind in KINDS:
        number = one.entry.number
        yield link("Correct this entry", places.doing("correct", number))
        if one.counts:
            yield link("Withdraw it: it was not done", places.doing("withdraw", number))


def paths_page(found: Pathways | None, why_none: str, cohorts: int, places: Places) -> Page:
    """Every way in which the next cohorts can go, and what is decided then."""
    asked = [
        link(f"{number} cohort{'s' if number > 1 else ''}", f"{places.page('paths')}?cohorts={number}",
             aria_current="page" if number == cohorts else None)
        for number in range(1, MOST_COHORTS + 1)
    ]  # fmt: skip
    if found is None:
        return Page("What lies ahead", (listing(asked), said("notice", why_none)), here="paths")
    table = paths_table(found)
    rows = grid(paths_summary(found), [column.heading for column in table.columns], table.rows)
    return Page("What lies ahead", (listing(asked), element("p", paths_heading(found)), rows), here="paths")


MOST_COHORTS = 3
"""So many cohorts ahead are shown: of more there are too many ways to read."""
