"""All names of one file, and how a name that is used is looked up in them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from attrs import define, field, frozen

from doselang.diagnostics import Report
from doselang.plurals import readings
from doselang.resolve.names import Names, fold, listing
from doselang.source import Span
from doselang.syntax import nodes as syntax
from doselang.syntax.phrases import portion_of
from doselang.syntax.sums import COLLECTIVE, NOT_ADDED, spelled_out
from doselang.syntax.words import with_article


@frozen
class Value:
    """The value of a parameter: one number, or the members of a list.

    `percent` where it was declared with the sign, so that 33% is 33/100; `range` holds both ends, if it has one.
    """

    numbers: tuple[Fraction, ...]
    percent: bool
    span: Span
    was_set: bool = False
    unit: str | None = None
    is_list: bool = False
    range: tuple[Fraction, Fraction] | None = None

    @property
    def number(self) -> Fraction:
        return self.numbers[0]


@frozen
class Advice:
    """An adviser by name: the words that it can say, whether it recommends a level, and whether it knows chances.

    `known` is false where it could not be read, so that what is asked of it is no further news. `in_part`: it is a
    table that counts the patients of one part alone.
    """

    name: str
    words: tuple[str, ...] = ()
    recommends: bool = False
    chances: bool = False
    known: bool = True
    in_part: bool = False


@define
class Glossary:
    """The names of a file, by kind.

    `partial`: parts of the file could not be read, so what seems to be missing may be in them. `ladder_known` is
    false where a statement about the levels is wrong, so that a missing level is no further news.
    """

    report: Report
    partial: bool = False
    ladder_known: bool = True
    start: int | None = None
    """The position of the level the trial begins at, once known."""
    course: bool = False
    """Whether the file has a patient's course."""
    later: frozenset[int] = frozenset()
    """The toxicities that come in later cycles."""
    overridden: bool = False
    """Whether parameters were given other values than the file's."""
    own_end: int = -1
    """Where the file itself ends, if it names a text, which its rules can cite; -1 without one."""
    values: list[Value | None] = field(factory=list)
    """The values of the parameters, in their order; None for a wrong one, which is reported."""
    advice: list[Advice] = field(factory=list)
    """What each adviser can say, in the order of `advisers`."""
    files: dict[str, str] = field(factory=dict)
    """The files of decision tables that could be read, by name."""
    doses: tuple[Fraction, ...] = ()
    """The doses of the first component on the first ladder, if every level there has one."""
    axes: tuple[int, int] | None = None
    """The two components of a grid."""
    parameters: Names = field(factory=lambda: Names("parameter", "parameters", "parameter {} is 3"))
    components: Names = field(factory=lambda: Names("component", "components", "component {} in mg"))
    levels: Names = field(factory=lambda: Names("level", "levels", "level {}"))
    toxicities: Names = field(factory=lambda: Names("toxicity", "toxicities", "toxicity {}"))
    groups: Names = field(factory=lambda: Names("name for several toxicities", "names for several", "toxicity {} is …"))
    members: list[tuple[int, ...]] = field(factory=list)
    """The classes of each name for several toxicities, in the order of `groups`."""
    events: Names = field(factory=lambda: Names("event", "events", "event {}"))
    bodies: Names = field(factory=lambda: Names("body", "bodies", "body {}"))
    verdicts: Names = field(factory=lambda: Names("verdict", "verdicts", "verdict {}"))
    parts: Names = field(factory=lambda: Names("part", "parts", "part {}"))
    states: Names = field(factory=lambda: Names("state", "states", "state {}"))
    counters: Names = field(factory=lambda: Names("counter", "counters", "counter {}"))
    ladders: Names = field(factory=lambda: Names("ladder", "ladders", "ladder {}"))
    advisers: Names = field(factory=lambda: Names("adviser", "advisers", "use boin as {} with target 30%"))

    @property
    def kinds(self) -> tuple[Names, ...]:
        """The tables in which a bare word is looked up."""
        return (
            self.toxicities, self.events, self.verdicts, self.states, self.parts, self.bodies, self.components,
            self.parameters, self.counters, self.advisers, self.ladders, self.groups,
        )  # fmt: skip

    def needs_basis(self, span: Span) -> bool:
        """Whether what stands there should cite the file's text; what a design says is no affair of the file's."""
        return span.start <= self.own_end

    def classes(self, name: syntax.Name) -> tuple[int, ...] | None:
        """The classes that a name counts: that of a toxicity, or all for which it is a name."""
        found = self.find_classes(name.text)
        if found is None:
            self.unknown(self.toxicities, name)
        return found

    def find_classes(self, name: str) -> tuple[int, ...] | None:
        """The same; None without a word if there are none."""
        spelled = self.spelled(name) or ""
        one, group = self.toxicities.find(spelled), self.groups.find(spelled)
        return (one,) if one is not None else None if group is None else self.members[group]

    def group_of(self, classes: Iterable[int]) -> str | None:
        """The name that is declared for some classes."""
        wanted = tuple(sorted(classes))
        return self.groups.spelled[self.members.index(wanted)] if wanted in self.members else None

    def spelled(self, name: str) -> str | None:
        """The name of a toxicity, or for several, as declared; a plural is read over where it is none itself."""
        for text in readings(name):
            for names in (self.toxicities, self.groups):
                if (found := names.find(text)) is not None:
                    return names.spelled[found]
        return None

    def find_toxicity(self, name: str) -> int | None:
        """The position of one toxicity, a plural read over; None without a word if there is none."""
        found = self.spelled(name)
        return None if found is None else self.toxicities.find(found)

    def find_counter(self, name: str) -> int | None:
        """A counter's position, a plural read over; None without a word if there is none."""
        return next((at for one in readings(name) if (at := self.counters.find(one)) is not None), None)

    def look_up(self, names: Names, name: syntax.Name) -> int | None:
        """The position of a name in one of the tables; an unknown one is reported."""
        found = names.find(name.text)
        if found is None:
            self.unknown(names, name)
        return found

    def unknown(self, names: Names, name: syntax.Name) -> None:
        """Report a name that is not declared, unless that is a consequence of what is reported elsewhere."""
        missing_itself = names in (self.toxicities, self.parts) and not len(names)
        if missing_itself or (self.partial and names.suggestion(name.text) is None):
            return
        other = self.other_kind(names, name.text)
        help = names.advice(name.text)
        if names is self.toxicities and names.suggestion(name.text) is None and self.groups.suggestion(name.text):
            help = self.groups.advice(name.text)
        elif other is not None and names.suggestion(name.text) is None:
            of_that, needed = with_article(other.kind), with_article(names.kind)
            help = f"`{name.text}` is {of_that}; here the name of {needed} must stand. {names.existing()}"
        elif names is self.toxicities and len(names) > 1 and fold(name.text) in COLLECTIVE:
            help = spelled_out("at least", 2, names.spelled, self.group_of(range(len(names))))
            self.report.add("DL203", NOT_ADDED, name.span, help=help)
            return
        elif names is self.parameters and (below := portion_of(name.text)) is not None:
            help = f"Write `1/{below}` if a rate is compared: `the DLT rate is at least 1/{below}`."
        self.report.add("DL203", f"There is no {names.kind} {names.quoted(name.text)}.", name.span, help=help)

    def other_kind(self, names: Names, name: str) -> Names | None:
        """Another kind that has this name."""
        return next((table for table in self.kinds if table is not names and table.find(name) is not None), None)

    def level(self, label: syntax.Label) -> int | None:
        """The position of a level on the ladder; an unknown label is reported."""
        found = self.levels.find(label.text)
        if found is None and self.ladder_known:
            self._unknown_level(label)
        return found

    def _unknown_level(self, label: syntax.Label) -> None:
        if self.parameters.find(label.text) is not None:
            self.report.add(
                "DL206", f"`{label.text}` is a parameter, a number; here a level's label must stand.", label.span,
                help=f"Write a level's label, or `the highest level`. The levels are {listing(self.levels.spelled)}.",
            )  # fmt: skip
            return
        near = self.levels.suggestion(label.text)
        if self.partial and near is None:
            return
        there = f"The levels are {listing(self.levels.spelled)}, from the lowest to the highest."
        help = f"Did you mean level `{near}`? {there}" if near else there
        self.report.add("DL204", f"There is no level `{label.text}` on the ladder.", label.span, help=help)
