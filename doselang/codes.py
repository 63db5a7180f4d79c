"""The codes of all findings: number, name, severity. Each has a page, `docs/findings/DL###.md`."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Severity = Literal["error", "warning", "info"]


@frozen
class Code:
    """What a kind of finding is called, and how grave it is."""

    number: str
    name: str
    severity: Severity


def _register(*rows: tuple[int, str, Severity]) -> dict[str, Code]:
    codes = [Code(f"DL{number}", name, severity) for number, name, severity in rows]
    return {code.number: code for code in codes}


CODES = _register(
    # reading
    (101, "unexpected-words", "error"),
    (102, "unclosed-quote", "error"),
    (103, "unknown-sign", "error"),
    (104, "reserved-word", "error"),
    # meaning
    (201, "missing-statement", "error"),
    (202, "duplicate-name", "error"),
    (203, "unknown-name", "error"),
    (204, "unknown-level", "error"),
    (205, "misplaced-statement", "error"),
    (206, "wrong-number", "error"),
    (207, "wrong-unit", "error"),
    (208, "and-mixed-with-or", "error"),
    (209, "unclear-count", "error"),
    (210, "unclear-status", "error"),
    (211, "not-here", "error"),
    (212, "wrong-override", "error"),
    (213, "contradictory-limits", "error"),
    (214, "wrong-window", "error"),
    (215, "wrong-history", "error"),
    (216, "wrong-rates", "error"),
    (217, "contradictory-moves", "error"),
    (218, "descending-ladder", "warning"),
    (219, "wrong-letter", "error"),
    (220, "left-out", "info"),
    (221, "wrong-argument", "error"),
    (222, "wrong-table", "error"),
    (223, "toxicity-never-asked", "warning"),
    # coverage
    (301, "uncovered-outcome", "error"),
    (302, "conflicting-answers", "error"),
    (303, "cannot-be-carried-out", "error"),
    (304, "rule-never-acts", "warning"),
    (305, "redundant-rule", "warning"),
    (306, "condition-always-true", "warning"),
    (307, "condition-never-true", "warning"),
    (308, "silence-never-speaks", "warning"),
    (309, "override-never-bites", "warning"),
    (310, "level-never-reached", "warning"),
    (311, "depends-on-accrual", "warning"),
    (312, "declared-silence", "info"),
    # safety
    (401, "limit-broken", "error"),
    (402, "level-skipped", "warning"),
    (403, "incoherent-decision", "warning"),
    (404, "verdict-against-definition", "error"),
    (405, "patient-dose-escalated", "error"),
    (406, "re-treated-at-closed-level", "error"),
    (407, "closed-level-re-entered", "error"),
    # progress, claims, examples
    (501, "endless-history", "error"),
    (502, "end-without-verdict", "error"),
    (503, "claim-refuted", "error"),
    (504, "claim-over-nothing", "warning"),
    (505, "claim-unbreakable", "warning"),
    (506, "example-failed", "error"),
    # sources
    (601, "citation-not-found", "error"),
    (602, "sentence-uncited", "warning"),
    (603, "rule-without-basis", "warning"),
    (604, "text-unreadable", "error"),
    (605, "design-unreadable", "error"),
    # limits
    (701, "cannot-be-bounded", "error"),
    (702, "too-many-states", "error"),
    (703, "scenario-not-monotone", "warning"),
    (704, "too-large", "error"),
    # tables of patients
    (801, "unreadable-table", "error"),
    (802, "wrong-column", "error"),
    (803, "wrong-cell", "error"),
    (804, "wrong-date", "error"),
    (805, "contradictory-rows", "error"),
    (806, "wrong-map", "error"),
    # the record of a trial
    (811, "record-damaged", "error"),
    (812, "record-not-writable", "error"),
    (813, "record-incomplete", "warning"),
    (814, "head-not-found", "error"),
    (815, "time-goes-back", "warning"),
    # steps of a trial
    (821, "not-permitted", "error"),
    (822, "contradicts-record", "error"),
    # trouble
    (901, "file-unreadable", "error"),
    (902, "not-text", "error"),
    (903, "wrong-option", "error"),
    (904, "wrong-history-given", "error"),
    (999, "fault-in-doselang", "error"),
)
