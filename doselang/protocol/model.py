"""A protocol as it is meant: names bound, numbers checked. Built by `resolve` from text, or directly from Python."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Union

from attrs import field, frozen

from doselang.protocol.guards import Guard, Place
from doselang.source import NOWHERE, Span, described


@frozen(kw_only=True, repr=False)
class Element:
    """What every element has: its place in the file."""

    span: Span = field(default=NOWHERE, eq=False)

    def __repr__(self) -> str:
        return described(self)


@frozen(repr=False)
class Citation(Element):
    """Words of the protocol text; `sentence` is the position of the (first) sentence they stand in, -1 if not found.

    Of a design that is used, `place` tells where they stand in its text (`three-plus-three.md, line 3`).
    """

    words: str
    sentence: int = -1
    place: str | None = field(default=None, eq=False)


@frozen(repr=False)
class Assumption(Element):
    reading: str
    because: str


@frozen(repr=False)
class Silence(Element):
    """Declared open. `part` is None where it holds in every part; `when` None makes it a notice."""

    text: str
    when: Guard | None = None
    part: int | None = None
    in_course: bool = False


@frozen
class Sentence:
    """A sentence of the protocol text, white space folded, and its line there, counted from 1."""

    text: str
    line: int


@frozen
class ProtocolText:
    """The text that citations point into; `cited` are the positions of the sentences cited or marked background."""

    path: str
    sentences: tuple[Sentence, ...]
    cited: frozenset[int] = frozenset()


@frozen(repr=False)
class Parameter(Element):
    """A parameter and its value; a percentage is a fraction of 1, a list a tuple.

    `low` and `high` are its range, None without one; `computed` if it is made of others, `was_set` if a command line
    or a program gave the value.
    """

    name: str
    value: Fraction | tuple[Fraction, ...]
    kind: Literal["number", "percent", "dose"] = "number"
    unit: str | None = None
    low: Fraction | None = None
    high: Fraction | None = None
    means: str | None = None
    computed: bool = False
    was_set: bool = False


# ---- treatment ----


@frozen(repr=False)
class Component(Element):
    name: str
    unit: str | None = None


@frozen(repr=False)
class Level(Element):
    """A level; `doses` has one entry a component: a number in the component's unit, words, or None."""

    label: str
    doses: tuple[Fraction | str | None, ...] = ()
    ladder: int = 0
    """The ladder it belongs to, a position in `Protocol.ladders`."""
    off_ladder: bool = False
    """Whether it is nobody's next higher or next lower level."""
    position: tuple[int, int] | None = None
    """On a grid: the positions of its two doses."""


@frozen(repr=False)
class Toxicity(Element):
    """A class of toxicity. `window` is in words (`within cycle 1`); the first toxicity is the dose-limiting one.

    One that is `later` comes in later cycles: a patient who is known already then counts in it.
    """

    name: str
    letter: str = "T"
    window: str | None = None
    means: str | None = None
    later: bool = False


@frozen(repr=False)
class ToxicityGroup(Element):
    """A name for several classes counted together: positions in `Protocol.toxicities`, in order."""

    name: str
    classes: tuple[int, ...]
    means: str | None = None


@frozen(repr=False)
class Verdict(Element):
    """A name for a level. `requires` is its definition, in which this level is the level declared."""

    name: str
    means: str | None = None
    requires: Guard | None = None


@frozen(repr=False)
class Body(Element):
    name: str
    means: str | None = None


@frozen(repr=False)
class Counter(Element):
    name: str
    means: str | None = None


@frozen(repr=False)
class Table(Element):
    """A decision table: `cells` are (evaluable patients, what is said for 0, 1, … toxicities), -1 for nothing.

    What is said is a position in `words`; `toxicities` are the classes counted, added up, `in_part` of one part alone.
    """

    name: str
    words: tuple[str, ...]
    cells: tuple[tuple[int, tuple[int, ...]], ...]
    cites: tuple[Citation, ...] = ()
    toxicities: tuple[int, ...] = (0,)
    in_part: bool = False


Value = Union[Fraction, int, bool, str, tuple[Fraction, ...]]


@frozen(repr=False)
class Engine(Element):
    """A method of `doselang.designs` under a name of the protocol's; `words` are those it can say, () if none."""

    name: str
    method: str
    arguments: tuple[tuple[str, Value], ...]
    words: tuple[str, ...] = ()
    cites: tuple[Citation, ...] = ()


Adviser = Union[Table, Engine]


# ---- moves ----


@frozen(repr=False)
class Enrol(Element):
    """Open a cohort at a place; `size` None is the cohort size of the part, or what is missing to `total` patients."""

    place: Place
    size: int | None = None
    total: int | None = None


@frozen(repr=False)
class EnrolRest(Element):
    """The cohort goes on after its sentinel."""


@frozen(repr=False)
class Backfill(Element):
    """Patients at another level, beside the cohort that comes next."""

    place: Place
    size: int


@frozen(repr=False)
class Count(Element):
    """One more of a counter; `reset`: none again."""

    counter: int
    reset: bool = False


@frozen(repr=False)
class Close(Element):
    """Close a level as too toxic, perhaps with all above it."""

    place: Place
    all_above: bool = False


@frozen(repr=False)
class Declare(Element):
    """Declare a level as a verdict; `place` None: that there is none."""

    verdict: int
    place: Place | None


@frozen(repr=False)
class Begin(Element):
    """Begin a part with a cohort at a place; `size` and `total` as in Enrol."""

    part: int
    place: Place
    size: int | None = None
    total: int | None = None


@frozen(repr=False)
class Stop(Element):
    reason: str | None = None


@frozen(repr=False)
class Continue(Element):
    """A patient goes on with the next cycle; `place` None: at the same level."""

    place: Place | None = None


@frozen(repr=False)
class Enter(Element):
    """A patient enters a state; `place` None: at the same level."""

    state: int
    place: Place | None = None


Move = Union[Enrol, EnrolRest, Backfill, Count, Close, Declare, Begin, Stop, Continue, Enter]


@frozen(repr=False)
class Gate(Element):
    """A decision that the rules leave to others.

    `ask`: `body` chooses an option; `may`: the first if it agrees, else the second; `draw`: chance decides (`body` is
    -1). `chances` are those of the options where a scenario gives none: of `draw` the protocol's own, of `ask` those
    of its default; None where there is none.
    """

    kind: Literal["ask", "may", "draw"]
    body: int
    options: tuple[tuple[Move, ...], ...]
    chances: tuple[Fraction, ...] | None = None


# ---- rules ----


@frozen(repr=False)
class Case(Element):
    """When the guard is true, make the moves, together with those of the option that people choose at the gate."""

    guard: Guard
    moves: tuple[Move, ...]
    gate: Gate | None = None

    @property
    def all_moves(self) -> tuple[Move, ...]:
        """The moves, those of every option too."""
        options = self.gate.options if self.gate else ()
        return self.moves + tuple(move for option in options for move in option)


@frozen(repr=False)
class Rule(Element):
    """A rule; `overrides` are names of rules that it silences where it acts."""

    name: str
    cases: tuple[Case, ...]
    at_any_time: bool = False
    cites: tuple[Citation, ...] = ()
    assumes: tuple[Assumption, ...] = ()
    overrides: tuple[str, ...] = ()


@frozen(repr=False)
class Limit(Element):
    """How many patients may be accrued: at a level or in the part counts the part; in the trial counts all parts.

    `low` only with scope `level`; None where there is no such bound.
    """

    scope: Literal["level", "part", "trial"]
    low: int | None
    high: int | None


@frozen(repr=False)
class Part(Element):
    """A part of the trial. `rules` are all that hold in it, those written before the first part included."""

    name: str
    cohort: int
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...] = ()
    title: str | None = None
    sentinel: Literal["new level", "cohort"] | None = None
    """Whose first patient is treated alone: that of each new level, or of each cohort; None: nobody's."""
    rolling: bool = False
    """Whether the rules are asked at every arrival, while other patients are pending."""
    alone: str | None = None
    """For how long a sentinel is treated alone, in words (`14 days`); None where nobody says."""


# ---- a patient's course ----


@frozen(repr=False)
class Event(Element):
    name: str
    letter: str
    means: str | None = None


@frozen(repr=False)
class State(Element):
    """A state of the course. `rules` are all that hold in it, those for every state included; none if it is final."""

    name: str
    final: bool
    rules: tuple[Rule, ...]
    means: str | None = None


@frozen(repr=False)
class Course(Element):
    """The course of one patient, who may go to a higher level if `may_escalate`; the first state is the initial one."""

    events: tuple[Event, ...]
    states: tuple[State, ...]
    may_escalate: bool = False


# ---- what must hold, what is expected, what is assumed ----


@frozen(repr=False)
class Claim(Element):
    name: str
    modality: Literal["never", "always", "eventually"]
    guard: Guard
    when: Guard | None = None
    in_course: bool = False
    cites: tuple[Citation, ...] = ()


@frozen(repr=False)
class Example(Element):
    """A history and what must follow: moves (and a gate), or a word. `by` are names of rules."""

    history: str
    expected: tuple[Move, ...] | Literal["wait", "gap", "silence", "conflict"]
    gate: Gate | None = None
    by: tuple[str, ...] = ()
    of_patient: bool = False
    closed: tuple[int, ...] = ()


@frozen(repr=False)
class Scenario(Element):
    """Assumed truth, not protocol.

    `rates[t][l]` is the probability of toxicity t at level l; `hazards[e][l]` that of event e in a cycle at level l
    (None where the scenario gives none); `chances` by rule name, one a listed option (for `may`: done, not done).
    """

    name: str
    rates: tuple[tuple[float, ...], ...]
    hazards: tuple[tuple[float, ...], ...] | None = None
    chances: dict[str, tuple[float, ...]] = field(factory=dict, hash=False)


@frozen
class Protocol:
    """The whole protocol. `start` is the position of the level at which the trial begins; `result` of the verdict."""

    title: str
    levels: tuple[Level, ...]
    start: int
    toxicities: tuple[Toxicity, ...]
    parts: tuple[Part, ...]
    groups: tuple[ToxicityGroup, ...] = ()
    components: tuple[Component, ...] = ()
    verdicts: tuple[Verdict, ...] = (Verdict("MTD"),)
    result: int = 0
    bodies: tuple[Body, ...] = ()
    counters: tuple[Counter, ...] = ()
    advisers: tuple[Adviser, ...] = ()
    ladders: tuple[str, ...] = ("",)
    """The names of the ladders; the first has none."""
    axes: tuple[int, int] | None = None
    """The two components of a grid."""
    course: Course | None = None
    replaces_inevaluable: bool = False
    cycle: str | None = None
    claims: tuple[Claim, ...] = ()
    examples: tuple[Example, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    silences: tuple[Silence, ...] = ()
    citations: tuple[Citation, ...] = ()
    text: ProtocolText | None = None
    parameters: dict[str, Parameter] = field(factory=dict, hash=False)
    """Every parameter, by name."""

    @property
    def declared(self) -> tuple[str, ...]:
        """The names of the verdicts that some rule declares, in their order."""
        cases = [case for part in self.parts for rule in part.rules for case in rule.cases]
        numbers = {move.verdict for case in cases for move in case.all_moves if isinstance(move, Declare)}
        return tuple(verdict.name for number, verdict in enumerate(self.verdicts) if number in numbers)
