"""Lines, and what the rules of a part read of a situation: two states that agree in it behave alike.

The local situation is the unit of the machine: rules are evaluated once for each, whatever the number of levels.
"""

from __future__ import annotations

from attrs import field, frozen

from doselang.machine.records import CLOSED, FIRST_SIZE
from doselang.protocol.guards import (
    Chance,
    Guard,
    Place,
    Recommends,
    Standing,
    atoms,
    conjuncts,
)
from doselang.protocol.model import (
    Begin,
    Case,
    Close,
    Declare,
    Move,
    Protocol,
)


def question_of(move: Move) -> int:
    """Which of the three questions a move answers: 1 which levels close, 2 is there a verdict, 3 what comes next."""
    return 1 if isinstance(move, Close) else 2 if isinstance(move, Declare) else 3


@frozen
class Line:
    """A `when … then …` of a rule, with one option where people choose.

    `gate` is (number of the gate in its part, option), None where nobody is asked. All lines of one gate share its
    guard and are asked at the earliest question that any of its options answers.
    """

    rule: int
    case: Case
    guard: Guard
    moves: tuple[Move, ...]
    question: int
    gate: tuple[int, int] | None = None
    _answers: tuple[tuple[Move, ...], ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        answers = tuple(tuple(move for move in self.moves if question_of(move) == q) for q in (1, 2, 3))
        object.__setattr__(self, "_answers", answers)

    def answers(self, question: int) -> tuple[Move, ...]:
        """Its moves that answer one of the three questions."""
        return self._answers[question - 1]

    @property
    def conjuncts(self) -> tuple[Guard, ...]:
        return conjuncts(self.guard)

    @property
    def local(self) -> tuple[Guard, ...]:
        """The conjuncts that no adviser of all levels, and no condition about all of them, is asked for."""
        return tuple(part for part in self.conjuncts if not advised_by(part))

    @property
    def advised(self) -> bool:
        """Whether what was seen at any level can matter to it."""
        return advised_by(self.guard) or any(looks_everywhere(getattr(move, "place", None)) for move in self.moves)


def advised_by(guard: Guard) -> bool:
    return any(
        isinstance(atom, Chance | Recommends)
        or any(looks_everywhere(getattr(atom, name, None)) for name in ("place", "other"))
        for atom in atoms(guard)
    )


def looks_everywhere(place: Place | None) -> bool:
    """Whether finding a place takes all levels."""
    return place is not None and (place.kind == "recommended" or place.where is not None)


@frozen
class Reads:
    """What is read. `columns` are the columns of the record that matter at each place."""

    columns: tuple[tuple[Place, tuple[int, ...]], ...]
    trial: tuple[int, ...]
    """Trial totals: -1 evaluable, or a toxicity."""
    parts: tuple[tuple[int, int], ...]
    """Part totals: (part, what)."""
    standings: tuple[Standing, ...]
    verdicts: tuple[int, ...]
    """Verdicts of which it matters whether they were declared before."""
    closings: bool
    """Whether all closed levels matter: a rule closes other levels than this one and those above it."""
    counters: tuple[tuple[int, int], ...] = ()
    """The counters that matter, each with the number from which on it no longer matters how large it is."""
    everything: bool = False
    """Whether what was seen at any level can matter: an adviser or a condition looks at all of them."""
    local: Reads | None = None
    """Then: what is read to tell whether it does; None where it always may."""
    of_closed: tuple[tuple[int, tuple[int, ...]], ...] | None = None
    """By tally: the numbers that it is compared with at a level closed at an earlier look; None: more is read of it."""
    summed: tuple[int, ...] = ()
    """The parts whose tallies are added up over all levels, by claims and definitions too."""
    places: tuple[Place, ...] = ()
    """Every place of which tallies are read, by claims and definitions too."""


UNLIMITED = 1 << 30

STATUS = {CLOSED, FIRST_SIZE}
"""The columns that tell whether a level is closed, and tried."""


def parts_after(protocol: Protocol) -> list[set[int]]:
    """By part: the parts that can run after it, itself included."""
    begins = [
        {move.part for rule in part.rules for case in rule.cases for move in case.all_moves if isinstance(move, Begin)}
        for part in protocol.parts
    ]
    after = [{number} for number in range(len(begins))]
    for _ in begins:
        for number, reached in enumerate(after):
            after[number] = reached.union(*(begins[part] for part in reached))
    return after


def joined(*found: dict[int, set[int]]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Numbers by tally, put together."""
    whats = sorted(set().union(*found))
    return tuple((what, tuple(sorted(set().union(*(one.get(what, set()) for one in found))))) for what in whats)
