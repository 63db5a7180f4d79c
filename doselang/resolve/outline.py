"""The sections of a file: which statement belongs to the trial, a part, the patient's course or one of its states."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field, frozen

from doselang.diagnostics import Label
from doselang.resolve.glossary import Glossary
from doselang.syntax import nodes as syntax

MOST_PARTS = 20
MOST_STATES = 50
MOST_TOXICITIES = 9
MOST_EVENTS = 8
"""Beyond, a file is refused: rules that hold everywhere are kept once for each part and state."""

MOST_RULES = 500
MOST_CASES = 1_000
MOST_CLAIMS = 200
"""Beyond, a file is refused: a protocol has a few dozen, and checking takes time for each pair of them."""


@frozen
class Home:
    """Where a statement stands: `part` and `state` are positions, None before the first of them."""

    course: bool = False
    part: int | None = None
    state: int | None = None


@define
class Section:
    """What stands in a part or state, or before the first one (then `header` is None)."""

    home: Home
    header: syntax.Part | syntax.State | None = None
    rules: list[syntax.Rule] = field(factory=list)
    cohorts: list[syntax.Cohorts] = field(factory=list)
    limits: list[syntax.Accrue] = field(factory=list)
    sentinels: list[syntax.Sentinel] = field(factory=list)
    looks: list[syntax.Look] = field(factory=list)


@define
class Outline:
    """The statements of a file, by kind and section."""

    titles: list[syntax.ProtocolTitle] = field(factory=list)
    texts: list[syntax.TextFile] = field(factory=list)
    cycles: list[syntax.Cycle] = field(factory=list)
    starts: list[syntax.Start] = field(factory=list)
    replaces: list[syntax.Replace] = field(factory=list)
    courses: list[syntax.Course] = field(factory=list)
    parameters: list[syntax.ParameterDecl] = field(factory=list)
    components: list[syntax.Component] = field(factory=list)
    ladder: list[syntax.Level | syntax.Levels | syntax.Ladder | syntax.Grid] = field(factory=list)
    counters: list[syntax.Counter] = field(factory=list)
    advisers: list[syntax.Table | syntax.Engine] = field(factory=list)
    evaluability: list[syntax.Evaluability] = field(factory=list)
    toxicities: list[syntax.Toxicity] = field(factory=list)
    """Those that are names for several included."""
    events: list[syntax.Event] = field(factory=list)
    bodies: list[syntax.Body] = field(factory=list)
    verdicts: list[syntax.Verdict] = field(factory=list)
    claims: list[syntax.Claim] = field(factory=list)
    examples: list[syntax.Example] = field(factory=list)
    scenarios: list[syntax.Scenario] = field(factory=list)
    silences: list[tuple[syntax.Silent, Home]] = field(factory=list)
    trial: Section = field(factory=lambda: Section(Home()))
    parts: list[Section] = field(factory=list)
    course: Section = field(factory=lambda: Section(Home(course=True)))
    states: list[Section] = field(factory=list)
    stray_cohorts: bool = False
    """Whether a size of cohorts stands outside every part, so that a part without one is no further news."""

    def section(self, home: Home) -> Section:
        if home.course:
            return self.course if home.state is None else self.states[home.state]
        return self.trial if home.part is None else self.parts[home.part]


@define
class _Reader:
    """Goes through a file from top to bottom and keeps in mind where it is."""

    glossary: Glossary
    outline: Outline
    has_header: bool
    """Whether the file has a header `patient course` at all."""
    has_part: bool
    """Whether the file has a part at all; if not, that is what is reported."""
    home: Home = field(factory=Home)

    def read(self, statement: syntax.Statement) -> None:
        """Put one statement where it belongs."""
        out = self.outline
        match statement:
            case syntax.ProtocolTitle():
                out.titles.append(statement)
            case syntax.TextFile():
                out.texts.append(statement)
            case syntax.ParameterDecl():
                out.parameters.append(statement)
            case syntax.Silent():
                out.silences.append((statement, self.home))
            case syntax.Body():
                out.bodies.append(statement)
            case syntax.Claim():
                out.claims.append(statement)
            case syntax.Example():
                out.examples.append(statement)
            case syntax.Scenario():
                out.scenarios.append(statement)
            case syntax.Assume() | syntax.Background():
                pass  # kept in the order of the file, whatever the section
            case syntax.Part() | syntax.Course() | syntax.State():
                self.header(statement)
            case syntax.Rule():
                self.rule(statement)
            case syntax.Event():
                self.event(statement)
            case syntax.Cohorts() | syntax.Accrue() | syntax.Sentinel() | syntax.Look():
                self.of_a_part(statement)
            case _:
                self.of_the_trial(statement)

    def header(self, header: syntax.Part | syntax.Course | syntax.State) -> None:
        match header:
            case syntax.Part():
                number = self._section(header, self.outline.parts, self.glossary.parts.find(header.name.text))
                self.home = Home(part=number)
            case syntax.Course():
                if self.outline.courses:
                    self.glossary.report.add(
                        "DL202", "A file has one patient's course, and this one begins a second.", header.span,
                        labels=[Label(self.outline.courses[0].span, "the course begins here")],
                        help="Write all states and rules of the course below the first `patient course`.",
                    )  # fmt: skip
                self.outline.courses.append(header)
                self.home = Home(course=True)
            case syntax.State():
                if not self.home.course:
                    self.outside_course(header, "A state")
                number = self._section(header, self.outline.states, self.glossary.states.find(header.name.text))
                self.home = Home(course=True, state=number)

    def _section(self, header: syntax.Part | syntax.State, sections: list[Section], found: int | None) -> int:
        """The position of the section that a header begins; a second header of one name goes on with the first."""
        names = self.glossary.parts if isinstance(header, syntax.Part) else self.glossary.states
        names.declare(header.name.text, header.name.span, self.glossary.report)
        if found is not None:
            return found
        is_part = isinstance(header, syntax.Part)
        home = Home(part=len(sections)) if is_part else Home(course=True, state=len(sections))
        sections.append(Section(home, header))
        return len(sections) - 1

    def outside_course(self, statement: syntax.State | syntax.Event, what: str) -> None:
        """Report a state or event of the course that stands elsewhere; a missing header is said once."""
        if self.has_header:
            message = f"{what} belongs to the patient's course and stands outside it."
            self.misplaced(statement, message, "Move it below `patient course`.")
        else:
            self.misplaced(
                statement, f"{what} belongs to a patient's course, and the file has none.",
                "Write above it, on a line of its own: patient course",
            )  # fmt: skip
            self.has_header = True
            self.home = Home(course=True)

    def event(self, event: syntax.Event) -> None:
        self.outline.events.append(event)
        if not self.home.course:
            self.outside_course(event, "An event")

    def rule(self, rule: syntax.Rule) -> None:
        section = self.outline.section(self.home)
        section.rules.append(rule)
        match section.header:
            case syntax.State(name, True):
                self.misplaced(
                    rule, f"State `{name.text}` is final: nothing is decided in it, and a rule has no place there.",
                    f"Leave out `final`, or move the rule above `state {name.text}`.",
                )  # fmt: skip

    def of_a_part(self, statement: syntax.Cohorts | syntax.Accrue | syntax.Sentinel | syntax.Look) -> None:
        is_cohorts = isinstance(statement, syntax.Cohorts)
        if self.home.part is not None:
            section = self.outline.parts[self.home.part]
            match statement:
                case syntax.Cohorts():
                    section.cohorts.append(statement)
                case syntax.Sentinel():
                    section.sentinels.append(statement)
                case syntax.Look():
                    section.looks.append(statement)
                case _:
                    section.limits.append(statement)
            return
        self.outline.stray_cohorts |= is_cohorts
        if self.has_part:
            of_entering = isinstance(statement, syntax.Sentinel | syntax.Look)
            what = (
                "The size of cohorts" if is_cohorts else "How patients enter" if of_entering else "A limit of accrual"
            )
            message = f"{what} belongs to a part and stands outside every part."
            self.misplaced(statement, message, "Move it below its `part`.")

    def of_the_trial(self, statement: syntax.Statement) -> None:
        """What belongs to the trial as a whole; in a patient's course it is out of place."""
        out = self.outline
        match statement:
            case syntax.Cycle():
                out.cycles.append(statement)
            case syntax.Component():
                out.components.append(statement)
            case syntax.Level() | syntax.Levels() | syntax.Ladder() | syntax.Grid():
                out.ladder.append(statement)
            case syntax.Counter():
                out.counters.append(statement)
            case syntax.Table() | syntax.Engine():
                out.advisers.append(statement)
            case syntax.Evaluability():
                out.evaluability.append(statement)
            case syntax.Start():
                out.starts.append(statement)
            case syntax.Toxicity():
                out.toxicities.append(statement)
            case syntax.Replace():
                out.replaces.append(statement)
            case syntax.Verdict():
                out.verdicts.append(statement)
        if self.home.course:
            self.misplaced(
                statement, "This belongs to the trial and stands in the patient's course.",
                "Move it above the first `part`.",
            )  # fmt: skip

    def misplaced(self, statement: syntax.Statement, message: str, help: str) -> None:
        if not self.glossary.partial:
            self.glossary.report.add("DL205", message, statement.span, help=help)


def outline_of(file: syntax.File, glossary: Glossary) -> Outline:
    """The sections of a file; what stands in a wrong place is reported, and kept."""
    kinds = {type(statement) for statement in file.statements}
    reader = _Reader(glossary, Outline(), syntax.Course in kinds, syntax.Part in kinds)
    for statement in file.statements:
        reader.read(statement)
    out = reader.outline
    glossary.course = bool(out.courses or out.states or out.events)
    _size(glossary, "parts", out.parts, MOST_PARTS)
    _size(glossary, "states", out.states, MOST_STATES)
    _most(glossary, "toxicities", out.toxicities, MOST_TOXICITIES)
    _most(glossary, "events", out.events, MOST_EVENTS)
    rules = [statement for statement in file.statements if isinstance(statement, syntax.Rule)]
    _most(glossary, "rules", rules, MOST_RULES)
    _most(glossary, "cases of rules", [case for rule in rules for case in rule.cases], MOST_CASES)
    _most(glossary, "claims", out.claims, MOST_CLAIMS)
    return out


def _size(glossary: Glossary, what: str, sections: list[Section], most: int) -> None:
    if len(sections) > most:
        header = sections[most].header
        message = f"The file has {len(sections)} {what}; at most {most} are read."
        glossary.report.add("DL704", message, header.span if header else sections[most].rules[0].span)


def _most(glossary: Glossary, what: str, nodes: Sequence[syntax.Node], most: int) -> None:
    if len(nodes) > most:
        message = f"The file has {len(nodes):,} {what}; at most {most:,} are read."
        glossary.report.add("DL704", message, nodes[most].span, help="Keep one protocol in a file.")
