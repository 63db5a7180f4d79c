"""Statements as lines of clauses: what stands on one line in the one layout, before comments and blank lines."""

from __future__ import annotations

from attrs import frozen

from doselang.syntax.nodes import (
    Accrue,
    Amount,
    Assume,
    Background,
    Body,
    Case,
    Chances,
    Cites,
    Claim,
    Climb,
    Cohorts,
    Component,
    Course,
    Cycle,
    Doubling,
    Event,
    Example,
    Guard,
    Hazards,
    Level,
    Levels,
    Means,
    Node,
    Overrides,
    ParameterDecl,
    Part,
    ProtocolTitle,
    Rates,
    Replace,
    Replaces,
    Rule,
    Scenario,
    Silent,
    Start,
    State,
    Statement,
    Text,
    TextFile,
    Toxicity,
    UseDesign,
    Verdict,
    Within,
    WithinCycles,
    Written,
)
from doselang.syntax.words import (
    Piece,
    Pieces,
    amount_words,
    begun,
    duration_words,
    ended,
    flat,
    guard_words,
    listed,
    moves_words,
    quoted,
)

WIDEST = 110
"""Lines are broken to stay within so many columns, where there is a place to break."""

INDENT = 2
HANG = 5
"""What is broken goes on below the word after `when` or `then`."""

WIDEST_HEAD = 40
"""Examples, levels and scenarios in a row are set in columns, unless the first column would be wider than this."""


@frozen
class Line:
    """A clause: one line, or several if it is too long.

    `end` is where in the source its last word known to the tree ends; `hang` how much further in it goes on below.
    """

    pieces: Pieces
    end: int
    indent: int = INDENT
    hang: int = HANG

    def text(self) -> str:
        """The clause as written, broken before pieces that no longer fit."""
        rows = [" " * self.indent]
        for piece in self.pieces:
            self._add(piece, rows)
        return "\n".join(row.rstrip() for row in rows)

    def _add(self, piece: Piece, rows: list[str]) -> None:
        words = flat(piece)
        row = f"{rows[-1]} {words}" if rows[-1].strip() else rows[-1] + words
        below = " " * (self.indent + self.hang) + words.lstrip()
        if len(row) <= WIDEST or not (rows[-1].strip() or isinstance(piece, tuple)):
            rows[-1] = row
        elif isinstance(piece, tuple) and len(below) > WIDEST:
            for inner in piece:
                self._add(inner, rows)
        else:
            rows.append(below)

    def fits(self) -> bool:
        """Whether the clause is one line, no wider than the layout."""
        return self.indent + len(flat(self.pieces)) <= WIDEST


def statement_lines(statement: Statement, room: int = 0) -> list[Line]:
    """The clauses of a statement; `room` is how wide the first column is, where such statements are set in columns."""
    match statement:
        case Assume():
            return _assume(statement, 0)
        case Level() | Example() | Scenario():
            return _in_columns(statement, room)
        case Rule():
            return _rule(statement)
        case Claim():
            return _claim(statement)
        case Verdict():
            return _verdict(statement)
        case Body():
            return _body(statement)
        case Silent(text=text, when=guard):
            head = _head(f"silent {quoted(text)}", text)
            return [head] if guard is None else [head, _clause("when", guard_words(guard), guard)]
        case Component() | Cycle() | Start() | Replace() | Cohorts() | Accrue() | Part():
            return [_cited_head(statement), *_cites(statement.cites)]
        case UseDesign():
            return _use_design(statement)
        case Levels(climbs=climbs) if climbs:
            return [_ladder(statement)]
        case ParameterDecl() | Toxicity() | Event() | State():
            cites = () if isinstance(statement, ParameterDecl) else statement.cites
            return [_described_head(statement), *_means(statement.means), *_cites(cites)]
        case _:
            return [_head(_simple(statement), statement)]


# ---- statements of one line, and those with `means` and `cites` below it ----


def _simple(statement: ProtocolTitle | TextFile | Background | Levels | Course) -> str:
    match statement:
        case ProtocolTitle(title=title):
            return f"protocol {quoted(title)}"
        case TextFile(path=path):
            return f"text {quoted(path)}"
        case Background(text=text):
            return f"background {quoted(text)}"
        case Levels(low=low, high=high):
            return f"levels {low.text} to {high.text}"
        case Course():
            return "patient course"


def _cited_head(statement: Component | Cycle | Start | Replace | Cohorts | Accrue | Part) -> Line:
    match statement:
        case Component(name=name, unit=None):
            return _head(f"component {name.text}", name)
        case Component(name=name, unit=unit) if unit:
            return _head(f"component {name.text} in {unit.text}", unit)
        case Cycle(length=length):
            return _head(f"cycle is {duration_words(length)}", length)
        case Start(level=level):
            return _head(f"start at level {level.text}", level)
        case Cohorts(size=size):
            return _head(f"cohorts of {amount_words(size)}", size)
        case Part(name=name, title=title):
            return _head(f"part {name.text}{f'  {quoted(title)}' if title else ''}", title or name)
        case Accrue():
            return _accrue(statement)
        case _:
            return Line(("replace inevaluable patients",), statement.span.start + 1, 0)


def _accrue(statement: Accrue) -> Line:
    low, high = statement.low, statement.high
    limits = [f"at least {amount_words(low)}"] if low else []
    limits += [f"at most {amount_words(high)}"] if high else []
    extent = "at a level" if statement.extent == "level" else f"in the {statement.extent}"
    return Line((f"accrue {' and '.join(limits)} patients {extent}",), _end(high or low or statement), 0)


def _described_head(statement: ParameterDecl | Toxicity | Event | State) -> Line:
    match statement:
        case ParameterDecl():
            return _parameter(statement)
        case Toxicity(name=name, window=window, written=written):
            inside = f"  {_window(window)}" if window else ""
            return _head(f"toxicity {name.text}{inside}{_written(written)}", written or window or name)
        case Event(name=name, written=written):
            return _head(f"event {name.text}{_written(written)}", written or name)
        case State(name=name, final=final):
            return _head(f"state {name.text}{'  final' if final else ''}", name)


def _parameter(parameter: ParameterDecl) -> Line:
    values, bounds, unit = parameter.values, parameter.bounds, parameter.unit
    pieces = listed(map(amount_words, values))
    if parameter.operators:
        first, *rest = map(amount_words, values)
        pieces = (first, *(f"{op.word} {value}" for op, value in zip(parameter.operators, rest, strict=True)))
    pieces = ended(pieces, f" {unit.text}") if unit else pieces
    if bounds:
        pieces = ended(pieces, f"  from {amount_words(bounds.low)} to {amount_words(bounds.high)}")
    return Line(begun(f"parameter {parameter.name.text} is ", pieces), _end(bounds or unit or values[-1]), 0)


def _use_design(use: UseDesign) -> list[Line]:
    lines = [_head(f"use {quoted(use.design)}", use.design)]
    if use.settings:
        pieces = listed(" ".join((x.name.text, ", ".join(map(amount_words, x.values)))) for x in use.settings)
        lines.append(_clause("with", pieces, use.settings[-1]))
    return [*lines, _clause("without", listed(map(quoted, use.without)), use)] if use.without else lines


def _ladder(levels: Levels) -> Line:
    head = f"levels {levels.low.text} to {levels.high.text}"
    return Line((head, *begun(" ", listed(map(_climb, levels.climbs)))), _end(levels), 0, len(head) + 2)


def _climb(climb: Climb) -> str:
    """`drug from 100 by 40% rounded to 5 up to 800`."""
    first, *rest = ("doubling" if isinstance(x, Doubling) else amount_words(x) for x in climb.steps)
    steps = ", ".join([first if first == "doubling" else f"by {first}", *rest])
    tails = [f"rounded to {amount_words(amount)}" for amount in climb.rounded]
    tails += [f"up to {amount_words(amount)}" for amount in climb.caps]
    return " ".join([climb.component.text, "from", amount_words(climb.start), steps, *tails])


def _window(window: Within | WithinCycles) -> str:
    match window:
        case Within(length=length):
            return f"within {duration_words(length)}"
        case WithinCycles(first=first, last=last):
            return f"within cycle {amount_words(first)}{f' to {amount_words(last)}' if last else ''}"


def _written(written: Written | None) -> str:
    return f"  written {written.letter}" if written else ""


def _body(body: Body) -> list[Line]:
    head = f"body {body.name.text}"
    return [*_beside(head, body.name, "means", body.means), *_cites(body.cites)]


def _verdict(verdict: Verdict) -> list[Line]:
    """`means` or `requires` beside the name if it is alone and fits; else each below it."""
    head = f"verdict {verdict.name.text}{' as the result' if verdict.as_result else ''}"
    if verdict.requires is None:
        return [*_beside(head, verdict.name, "means", verdict.means), *_cites(verdict.cites)]
    if verdict.means is None:
        return [*_beside(head, verdict.name, "requires", verdict.requires), *_cites(verdict.cites)]
    requires = _clause("requires", guard_words(verdict.requires), verdict.requires)
    return [_head(head, verdict.name), *_means(verdict.means), requires, *_cites(verdict.cites)]


def _beside(head: str, name: Node, word: str, detail: Means | Guard | None) -> list[Line]:
    if detail is None:
        return [_head(head, name)]
    pieces: Pieces = (quoted(detail.text),) if isinstance(detail, Means) else guard_words(detail)
    whole = Line(begun(f"{head}  {word} ", pieces), _end(detail), 0)
    return [whole] if whole.fits() else [_head(head, name), _clause(word, pieces, detail)]


# ---- rules and claims ----


def _rule(rule: Rule) -> list[Line]:
    lines = [_head(f"rule {quoted(rule.name)}{'  at any time' if rule.at_any_time else ''}", rule.name)]
    for basis in rule.basis:
        match basis:
            case Overrides(rules=names):
                lines.append(_clause("overrides", listed(map(quoted, names)), basis))
            case Replaces(rules=names):
                lines.append(_clause("replaces", listed(map(quoted, names)), basis))
            case Cites():
                lines += _cites((basis,))
            case Assume():
                lines += _assume(basis, INDENT)
    return lines + [line for case in rule.cases for line in _case(case)]


def _case(case: Case) -> list[Line]:
    return [
        _clause("when", guard_words(case.guard), case.guard),
        _clause("then", moves_words(case.moves), case.moves[-1]),
    ]


def _claim(claim: Claim) -> list[Line]:
    where = ("in patient course",) if claim.in_course else ()
    what = _clause(claim.modality, guard_words(claim.guard), claim.guard)
    lines = [_head(f"claim {quoted(claim.name)}", claim.name), *_cites(claim.cites)]
    if claim.when is None:
        return [*lines, Line((*where, *what.pieces), what.end)]
    when = _clause("when", guard_words(claim.when), claim.when)
    whole = Line((*where, *when.pieces, *what.pieces), what.end)
    return [*lines, whole] if whole.fits() else [*lines, Line((*where, *when.pieces), when.end), what]


# ---- statements set in columns ----


def column_head(statement: Statement) -> str:
    """The first column of a statement that is set in columns together with those beside it; empty if it has none."""
    match statement:
        case Level(doses=()):
            return ""
        case Scenario(assumptions=(first, *_)) if not isinstance(first, Rates):
            return ""
        case Level() | Example() | Scenario():
            return _columned(statement)
        case _:
            return ""


def _columned(statement: Level | Example | Scenario) -> str:
    match statement:
        case Level(label=label):
            return f"level {label.text}"
        case Example(of_patient=of_patient, history=history):
            return f"example {'patient ' if of_patient else ''}{quoted(history)}"
        case Scenario(name=name):
            return f"scenario {quoted(name)}"


def _in_columns(statement: Level | Example | Scenario, room: int) -> list[Line]:
    head = _columned(statement)
    padded = f"{head:<{room}}" if len(head) <= WIDEST_HEAD else head
    match statement:
        case Level(label=label, doses=()):
            return [_head(head, label)]
        case Level(doses=doses):
            words = listed(f"{dose.component.text} {_dose(dose.amount)}" for dose in doses)
            return [Line((padded, *begun(" ", words)), _end(doses[-1]), 0, len(padded) + 2)]
        case Example():
            return _example(statement, padded, room)
        case Scenario(name=name, assumptions=(Rates() as rates, *others)):
            beside = Line((padded, *begun(" ", _assumption(rates))), _end(rates), 0, len(padded) + 2)
            return [beside, *(Line(_assumption(other), _end(other)) for other in others)]
        case Scenario(name=name, assumptions=others):
            return [_head(head, name), *(Line(_assumption(other), _end(other)) for other in others)]


def _dose(amount: Amount | Text) -> str:
    return quoted(amount) if isinstance(amount, Text) else amount_words(amount)


def _example(example: Example, head: str, room: int) -> list[Line]:
    """On one line if it fits; else `by`, and `then` if something stands before it, each below where the first began."""
    given, then, by = _given(example), _expected(example), _by(example)
    clauses = [pieces for pieces in (given, then, by) if pieces]
    whole = Line((head, *(piece for pieces in clauses for piece in begun(" ", pieces))), _end(example), 0)
    if whole.fits():
        return [whole]
    column = (room or len(head)) + 2 if room or len(head) <= WIDEST_HEAD else INDENT
    expected = example.history if isinstance(example.expected, str) else example.expected[-1]
    ends = [_end(example.closed[-1])] if given else []
    ends += [_end(expected), _end(example)]
    lines = [Line(pieces, end, column) for pieces, end in zip(clauses, ends, strict=False)]
    if len(head) > WIDEST_HEAD:
        return [_head(head, example.history), *lines]
    return [Line((head, *begun(" ", clauses[0])), ends[0], 0, column + HANG), *lines[1:]]


def _given(example: Example) -> Pieces:
    closed = [f"level {label.text} closed as too toxic" for label in example.closed]
    return begun("with ", listed(closed)) if closed else ()


def _expected(example: Example) -> Pieces:
    return begun("then ", (example.expected,) if isinstance(example.expected, str) else moves_words(example.expected))


def _by(example: Example) -> Pieces:
    return begun("by ", listed(map(quoted, example.by))) if example.by else ()


def _assumption(assumption: Rates | Hazards | Chances) -> Pieces:
    values = listed(map(amount_words, assumption.values))
    match assumption:
        case Rates(toxicity=name):
            return begun(f"{name.text} ", values)
        case Hazards(event=name):
            return begun(f"each cycle {name.text} ", values)
        case Chances(rule=rule):
            return begun(f"chance {quoted(rule)} ", values)


# ---- parts of statements ----


def _end(node: Node) -> int:
    return node.span.end


def _head(text: str, last: Node) -> Line:
    return Line((text,), _end(last), 0)


def _clause(word: str, pieces: Pieces, last: Node) -> Line:
    return Line(begun(f"{word} ", pieces), _end(last))


def _means(means: Means | None) -> list[Line]:
    return [Line((f"means {quoted(means.text)}",), _end(means))] if means else []


def _cites(cites: tuple[Cites, ...]) -> list[Line]:
    return [Line((f"cites {quoted(cite.text)}",), _end(cite)) for cite in cites]


def _assume(assume: Assume, indent: int) -> list[Line]:
    """`because` on the same line if there is room, else below."""
    reading, because = f"assume {quoted(assume.reading)}", f"because {quoted(assume.because)}"
    whole = Line((reading, because), _end(assume), indent)
    return [whole] if whole.fits() else [
        Line((reading,), _end(assume.reading), indent), Line((because,), _end(assume), indent + INDENT)
    ]  # fmt: skip
