"""How the protocol before an amendment and the one after it decide differently, as its entry keeps it, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doselang.check.differences import Compared
from doselang.record.entries import Body, Json
from doselang.report.decisions import Decided, Difference, differences, unlike
from doselang.report.phrases import counted
from doselang.source import Source

NOT_COMPARED = "not_compared"
"""Why two protocols could not be compared."""

MOST_KEPT = 10
"""So many differences an entry keeps: the first, by the number of patients."""

NAMES = ("the protocol before", "the amended one")


def difference_body(compared: Compared, sources: Sequence[Source]) -> Body:
    """The first histories after which the two decide differently, and what differs besides."""
    found = differences(compared, sources)
    return {
        "equal": compared.equal,
        "differences": len(found),
        "first": [_kept(one) for one in found[:MOST_KEPT]],
        "unlike": list(unlike(compared, NAMES)),
    }


def _kept(one: Difference) -> Body:
    before, after = one.both
    return {
        "history": before.history,
        "of_patient": one.of_patient,
        "before": {"then": before.then, "rules": _rules(before)},
        "after": {"then": after.then, "rules": _rules(after)},
    }


def _rules(decided: Decided) -> list[Json]:
    return [rule.name for rule in decided.rules]


def difference_lines(kept: Body) -> Iterator[str]:
    """The differences that an entry keeps, a paragraph each."""
    if NOT_COMPARED in kept:
        yield f"How the two decide differently was not found out. {kept[NOT_COMPARED]}"
        return
    if kept["equal"]:
        yield "The two decide alike in every history."
    else:
        yield f"{counted(_number(kept['differences']), 'difference')} between the two:"
    yield from (f"  also unlike, and no decision: {line}" for line in _items(kept["unlike"]))
    for one in _items(kept["first"]):
        assert isinstance(one, dict)
        of = "patient " if one["of_patient"] and one["history"] else ""
        yield f"  {of}{one['history'] or 'at the beginning'}"
        yield from (f"    {when:<7} {_decided(one[when])}" for when in ("before", "after"))
    left = _number(kept["differences"]) - len(_items(kept["first"]))
    if left > 0:
        yield f"  and {counted(left, 'further difference')}: `doselang compare --decisions` shows all"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _decided(value: object) -> str:
    assert isinstance(value, dict)
    rules = ", ".join(f'"{name}"' for name in _items(value["rules"]))
    return f"{value['then']}{f', by {rules}' if rules else ''}"
