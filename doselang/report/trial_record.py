"""What verifying a trial's record came to, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from doselang.record.entries import Entry
from doselang.record.reading import Verified

SHOWN_DIGITS = 16
"""So many digits of a hash are shown to people: enough to tell, and short enough to be copied by hand."""


def shown_head(entry: Entry) -> str:
    """The head of the record after an entry, as it is printed to be noted elsewhere."""
    return entry.hash[:SHOWN_DIGITS]


def verified_words(verified: Verified, path: str) -> Iterator[str]:
    """What was found to be in order, a line each; what is wrong is told by the findings."""
    chain = verified.chain
    if verified.is_right:
        last = chain.entries[-1]
        yield f"{path}: {_counted(len(chain.entries))}, unchanged and in order"
        yield f"Head: {shown_head(last)}, entry {last.number} of {last.time}"
    if verified.since == 0:
        yield "It is the head that was given."
    elif verified.since is not None:
        yield f"{_counted(verified.since)} came after the head that was given."


def verified_record(verified: Verified, folder: str) -> dict[str, object]:
    """The same as JSON: `unchanged` is false where there is an error, in the record or against a head."""
    chain = verified.chain
    findings = []
    for finding in chain.findings:
        item = finding.diagnostic()
        findings.append({
            "code": item.code, "name": item.name, "severity": item.severity, "what": finding.what,
            "message": item.message, "entry": finding.number, "line": finding.line, "help": item.help,
        })  # fmt: skip
    return {
        "trial": folder, "unchanged": verified.is_right, "entries": len(chain.entries), "head": chain.head,
        "since": verified.since, "unfinished_bytes": len(chain.tail), "findings": findings,
    }  # fmt: skip


def _counted(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"
