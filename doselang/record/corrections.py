"""What the entries of a record say once corrections are applied; what they said before stays to be seen."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from doselang.record.entries import Body, Entry


@frozen
class Effective:
    """An entry as it was made, and the body that counts now: None where it was made by mistake.

    `corrected_by` are the numbers of the entries that corrected it, in their order; the last one counts.
    """

    entry: Entry
    body: Body | None = field(hash=False)
    corrected_by: tuple[int, ...] = ()

    @property
    def counts(self) -> bool:
        return self.body is not None


def effective(entries: Sequence[Entry]) -> tuple[Effective, ...]:
    """Every entry of a verified record, in its order, with the body that counts; corrections are among them."""
    found = [Effective(entry, entry.body) for entry in entries]
    for entry in entries:
        corrected, new = entry.body.get("entry"), entry.body.get("body")
        if entry.kind == "correct" and isinstance(corrected, int):
            before = found[corrected - 1]
            body = new if isinstance(new, dict) else None
            found[corrected - 1] = evolve(before, body=body, corrected_by=(*before.corrected_by, entry.number))
    return tuple(found)
