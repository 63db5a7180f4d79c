"""What advisers say of the situations of a view, and the advisers of a protocol as they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
from attrs import define, field

from doselang.machine.arrays import fetched
from doselang.machine.records import CLOSED, FIRST_SIZE, Ints
from doselang.machine.relations import Relations
from doselang.machine.setting import Estimator, Floats, Recommender, Speaker
from doselang.protocol.model import Adviser, Engine, Protocol, Table, Value

if TYPE_CHECKING:
    from doselang.machine.columns import View


UNKNOWN = -2
"""What an adviser says of a number of patients that it does not know."""


@define
class TableSpeaker:
    """A decision table as an adviser."""

    words: tuple[str, ...]
    cells: Mapping[int, tuple[int, ...]]
    _grid: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        most = max(self.cells, default=0)
        self._grid = np.full((most + 1, most + 1), UNKNOWN, np.int32)
        for patients, row in self.cells.items():
            self._grid[patients, : len(row)] = row

    def says(self, evaluable: Ints, toxic: Ints) -> Ints:
        """A position in `words` for each element, -1 where no row applies; UNKNOWN for other numbers of patients."""
        most = len(self._grid) - 1
        inside = (evaluable <= most) & (toxic <= most)
        found: Ints = self._grid[np.minimum(evaluable, most), np.minimum(toxic, most)]
        return np.where(inside, found, UNKNOWN)


def advisers_of(protocol: Protocol) -> tuple[object, ...]:
    """The advisers of a protocol, ready to be asked."""
    levels = sum(level.ladder == 0 and not level.off_ladder for level in protocol.levels)
    return tuple(_adviser(adviser, levels) for adviser in protocol.advisers)


def _adviser(adviser: Adviser, levels: int) -> object:
    match adviser:
        case Table(words=words, cells=cells):
            return TableSpeaker(words, dict(cells))
        case Engine(method=method, arguments=arguments):
            return engine_of(method, arguments, levels)


@lru_cache(maxsize=32)
def engine_of(method: str, arguments: tuple[tuple[str, Value], ...], levels: int) -> object:
    """A method, the same one for every machine that asks it: what it has worked out serves them all."""
    from doselang.designs.methods import build  # what an engine needs is loaded when there is one

    return build(method, dict(arguments), levels)


def said(adviser: object, evaluable: Ints, toxic: Ints) -> Ints:
    """What an adviser says of each level: a position in its words, -1 for nothing, UNKNOWN where it does not know."""
    return cast(Speaker, adviser).says(evaluable, toxic)


def recommended(adviser: object, view: View) -> Ints:
    """The level that an adviser recommends in each row of a view, -1 for none.

    Of levels off the ladder, which it does not know, it is told one thing: those above a closed one are closed.
    """
    levels, of_level = _ladder(view.setting.relations)
    records = view.records
    evaluable, toxic, tried = records.tally(-1), records.tally(0), records.column(FIRST_SIZE) > 0
    closed = records.column(CLOSED) != 0
    codes = view.codes if len(levels) == view.levels else view.codes[:, levels]
    relations = view.setting.relations
    off = np.flatnonzero(relations.first_ladder & ~relations.ordinary)
    if len(off):
        beyond = closed[view.codes[:, off]] @ relations.above[off][:, levels]
        codes = codes + beyond * len(closed)  # the numbers of the same records once more, as those of closed levels
        evaluable, toxic, tried = np.tile(evaluable, 2), np.tile(toxic, 2), np.tile(tried, 2)
        closed = np.concatenate([closed, np.ones(len(closed), np.bool_)])
    found = cast(Recommender, adviser).recommends_of(
        codes, evaluable, toxic, fetched(of_level, view.here), tried, closed
    )
    return np.where(found >= 0, levels[np.maximum(found, 0)], -1).astype(np.int32)


def chance_between(adviser: object, view: View, above: Fraction, up_to: Fraction) -> Floats:
    """The probability, by an adviser, that the rate of toxicity is above one and at most another, [rows, levels].

    The difference of two probabilities of being above; not a number at levels that the adviser does not know.
    """
    levels, _ = _ladder(view.setting.relations)
    chance = np.full(view.codes.shape, np.nan)
    codes = view.codes[:, levels]
    evaluable, toxic = view.records.tally(-1)[codes], view.records.tally(0)[codes]
    asked = cast(Recommender, adviser)
    exceeded = asked.chance(evaluable, toxic, above) if above > 0 else 1.0
    chance[:, levels] = exceeded if up_to == 1 else np.clip(exceeded - asked.chance(evaluable, toxic, up_to), 0.0, 1.0)
    return chance


def estimated(adviser: object, relations: Relations, evaluable: Ints, toxic: Ints) -> Floats | None:
    """The rate of toxicity that an adviser estimates at each level, from the tallies of all levels, [levels] each.

    Not a number at levels that it does not know, or has no estimate for; None if it makes no estimates at all.
    """
    if not isinstance(adviser, Estimator):
        return None
    levels, _ = _ladder(relations)
    rates = np.full(len(evaluable), np.nan)
    rates[levels] = adviser.estimates(evaluable[None, levels], toxic[None, levels])[0]
    return rates


def _ladder(relations: Relations) -> tuple[Ints, Ints]:
    """The levels that an adviser knows, those of the first ladder; and by level its position there, -1 for none."""
    levels = np.flatnonzero(relations.ordinary & relations.first_ladder).astype(np.int32)
    of_level = np.full(len(relations.ordinary), -1, np.int32)
    of_level[levels] = np.arange(len(levels))
    return levels, of_level
