"""Statements as lines of clauses: what stands on one line in the one layout, before comments and blank lines."""

from __future__ import annotations

from doselang.syntax.constructs import construct_lines
from doselang.syntax.lines import (
    HANG,
    INDENT,
    WIDEST_HEAD,
    Line,
    assume_lines,
    cites_lines,
    clause_line,
    end_of,
    head_line,
    means_lines,
)
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
    Counter,
    Course,
    Cycle,
    Doubling,
    Engine,
    Evaluability,
    Event,
    Example,
    Grid,
    Guard,
    Hazards,
    Ladder,
    Level,
    Levels,
    Look,
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
    Sentinel,
    Silent,
    Start,
    State,
    Statement,
    Table,
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
    Pieces,
    amount_words,
    begun,
    duration_words,
    ended,
    guard_words,
    listed,
    moves_words,
    quoted,
)


def statement_lines(statement: Statement, room: int = 0) -> list[Line]:
    """The clauses of a statement; `room` is how wide the first column is, where such statements are set in columns."""
    match statement:
        case Assume():
            return assume_lines(statement, 0)
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
            head = head_line(f"silent {quoted(text)}", text)
            return [head] if guard is None else [head, clause_line("when", guard_words(guard), guard)]
        case Component() | Cycle() | Start() | Replace() | Cohorts() | Accrue() | Part() | Course():
            return [_cited_head(statement), *cites_lines(statement.cites)]
        case UseDesign():
            return _use_design(statement)
        case Levels(climbs=climbs) if climbs:
            return [_ladder(statement)]
        case Ladder() | Grid() | Evaluability() | Sentinel() | Look() | Table() | Engine():
            return construct_lines(statement)
        case ParameterDecl() | Toxicity() | Event() | State() | Counter():
            cites = () if isinstance(statement, ParameterDecl) else statement.cites
            return [_described_head(statement), *means_lines(statement.means), *cites_lines(cites)]
        case _:
            return [head_line(_simple(statement), statement)]


# ---- statements of one line, and those with `means` and `cites` below it ----


def _simple(statement: ProtocolTitle | TextFile | Background | Levels) -> str:
    match statement:
        case ProtocolTitle(title=title):
            return f"protocol {quoted(title)}"
        case TextFile(path=path):
            return f"text {quoted(path)}"
        case Background(text=text):
            return f"background {quoted(text)}"
        case Levels(low=low, high=high):
            return f"levels {low.text} to {high.text}"


def _cited_head(statement: Component | Cycle | Start | Replace | Cohorts | Accrue | Part | Course) -> Line:
    match statement:
        case Course(may_escalate=may_escalate):
            return head_line(f"patient course{'  may escalate' if may_escalate else ''}", statement)
        case Component(name=name, unit=None):
            return head_line(f"component {name.text}", name)
        case Component(name=name, unit=unit) if unit:
            return head_line(f"component {name.text} in {unit.text}", unit)
        case Cycle(length=length):
            return head_line(f"cycle is {duration_words(length)}", length)
        case Start(level=level):
            return head_line(f"start at level {level.text}", level)
        case Cohorts(size=size):
            return head_line(f"cohorts of {amount_words(size)}", size)
        case Part(name=name, title=title):
            return head_line(f"part {name.text}{f'  {quoted(title)}' if title else ''}", title or name)
        case Accrue():
            return _accrue(statement)
        case _:
            return Line(("replace inevaluable patients",), statement.span.start + 1, 0)


def _accrue(statement: Accrue) -> Line:
    low, high = statement.low, statement.high
    limits = [f"at least {amount_words(low)}"] if low else []
    limits += [f"at most {amount_words(high)}"] if high else []
    extent = "at a level" if statement.extent == "level" else f"in the {statement.extent}"
    return Line((f"accrue {' and '.join(limits)} patients {extent}",), end_of(high or low or statement), 0)


def _described_head(statement: ParameterDecl | Toxicity | Event | State | Counter) -> Line:
    match statement:
        case Counter(name=name):
            return head_line(f"counter {name.text}", name)
        case ParameterDecl():
            return _parameter(statement)
        case Toxicity(name=name, window=window, written=written, later=later, members=members):
            of = f" is {' or '.join(member.text for member in members)}" if members else ""
            inside = f"{'  in later cycles' if later else ''}{f'  {_window(window)}' if window else ''}"
            last = written or window or (members[-1] if members else name)
            return head_line(f"toxicity {name.text}{of}{inside}{_written(written)}", last)
        case Event(name=name, written=written):
            return head_line(f"event {name.text}{_written(written)}", written or name)
        case State(name=name, final=final):
            return head_line(f"state {name.text}{'  final' if final else ''}", name)


def _parameter(parameter: ParameterDecl) -> Line:
    values, bounds, unit = parameter.values, parameter.bounds, parameter.unit
    pieces = listed(map(amount_words, values))
    if parameter.operators:
        first, *rest = map(amount_words, values)
        pieces = (first, *(f"{op.word} {value}" for op, value in zip(parameter.operators, rest, strict=True)))
    pieces = ended(pieces, f" {unit.text}") if unit else pieces
    if bounds:
        pieces = ended(pieces, f"  from {amount_words(bounds.low)} to {amount_words(bounds.high)}")
    return Line(begun(f"parameter {parameter.name.text} is ", pieces), end_of(bounds or unit or values[-1]), 0)


def _use_design(use: UseDesign) -> list[Line]:
    lines = [head_line(f"use {quoted(use.design)}", use.design)]
    if use.settings:
        pieces = listed(" ".join((x.name.text, ", ".join(map(amount_words, x.values)))) for x in use.settings)
        lines.append(clause_line("with", pieces, use.settings[-1]))
    return [*lines, clause_line("without", listed(map(quoted, use.without)), use)] if use.without else lines


def _ladder(levels: Levels) -> Line:
    head = f"levels {levels.low.text} to {levels.high.text}"
    return Line((head, *begun(" ", listed(map(_climb, levels.climbs)))), end_of(levels), 0, len(head) + 2)


def _climb(climb: Climb) -> str:
    """`drug from 100 by 40% rounded to 5 up to 800`. What is said twice stays where it can be read again."""
    first, *rest = ("doubling" if isinstance(x, Doubling) else amount_words(x) for x in climb.steps)
    steps = [first if first == "doubling" else f"by {first}", *rest]
    for said, amounts in (("rounded to", climb.rounded), ("up to", climb.caps)):
        for step, amount in zip([*range(len(amounts) - 1), -1], amounts, strict=False):
            steps[step] += f" {said} {amount_words(amount)}"
    return f"{climb.component.text} from {amount_words(climb.start)} {', '.join(steps)}"


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
    return [*_beside(head, body.name, "means", body.means), *cites_lines(body.cites)]


def _verdict(verdict: Verdict) -> list[Line]:
    """`means` or `requires` beside the name if it is alone and fits; else each below it."""
    head = f"verdict {verdict.name.text}{' as the result' if verdict.as_result else ''}"
    if verdict.requires is None:
        return [*_beside(head, verdict.name, "means", verdict.means), *cites_lines(verdict.cites)]
    if verdict.means is None:
        return [*_beside(head, verdict.name, "requires", verdict.requires), *cites_lines(verdict.cites)]
    requires = clause_line("requires", guard_words(verdict.requires), verdict.requires)
    return [head_line(head, verdict.name), *means_lines(verdict.means), requires, *cites_lines(verdict.cites)]


def _beside(head: str, name: Node, word: str, detail: Means | Guard | None) -> list[Line]:
    if detail is None:
        return [head_line(head, name)]
    pieces: Pieces = (quoted(detail.text),) if isinstance(detail, Means) else guard_words(detail)
    whole = Line(begun(f"{head}  {word} ", pieces), end_of(detail), 0)
    return [whole] if whole.fits() else [head_line(head, name), clause_line(word, pieces, detail)]


# ---- rules and claims ----


def _rule(rule: Rule) -> list[Line]:
    lines = [head_line(f"rule {quoted(rule.name)}{'  at any time' if rule.at_any_time else ''}", rule.name)]
    for basis in rule.basis:
        match basis:
            case Overrides(rules=names):
                lines.append(clause_line("overrides", listed(map(quoted, names)), basis))
            case Replaces(rules=names):
                lines.append(clause_line("replaces", listed(map(quoted, names)), basis))
            case Cites():
                lines += cites_lines((basis,))
            case Assume():
                lines += assume_lines(basis, INDENT)
    return lines + [line for case in rule.cases for line in _case(case)]


def _case(case: Case) -> list[Line]:
    return [
        clause_line("when", guard_words(case.guard), case.guard),
        clause_line("then", moves_words(case.moves), case.moves[-1]),
    ]


def _claim(claim: Claim) -> list[Line]:
    where = ("in patient course",) if claim.in_course else ()
    what = clause_line(claim.modality, guard_words(claim.guard), claim.guard)
    lines = [head_line(f"claim {quoted(claim.name)}", claim.name), *cites_lines(claim.cites)]
    if claim.when is None:
        return [*lines, Line((*where, *what.pieces), what.end)]
    when = clause_line("when", guard_words(claim.when), claim.when)
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
        case Level(label=label, off_ladder=off_ladder):
            return f"level {label.text}{'  off-ladder' if off_ladder else ''}"
        case Example(of_patient=of_patient, history=history):
            return f"example {'patient ' if of_patient else ''}{quoted(history)}"
        case Scenario(name=name):
            return f"scenario {quoted(name)}"


def _in_columns(statement: Level | Example | Scenario, room: int) -> list[Line]:
    head = _columned(statement)
    padded = f"{head:<{room}}" if len(head) <= WIDEST_HEAD else head
    match statement:
        case Level(label=label, doses=()):
            return [head_line(head, label)]
        case Level(doses=doses):
            words = listed(f"{dose.component.text} {_dose(dose.amount)}" for dose in doses)
            return [Line((padded, *begun(" ", words)), end_of(doses[-1]), 0, len(padded) + 2)]
        case Example():
            return _example(statement, padded, room)
        case Scenario(name=name, assumptions=(Rates() as rates, *others)):
            beside = Line((padded, *begun(" ", _assumption(rates))), end_of(rates), 0, len(padded) + 2)
            return [beside, *(Line(_assumption(other), end_of(other)) for other in others)]
        case Scenario(name=name, assumptions=others):
            return [head_line(head, name), *(Line(_assumption(other), end_of(other)) for other in others)]


def _dose(amount: Amount | Text) -> str:
    return quoted(amount) if isinstance(amount, Text) else amount_words(amount)


def _example(example: Example, head: str, room: int) -> list[Line]:
    """On one line if it fits; else `by`, and `then` if something stands before it, each below where the first began."""
    given, then, by = _given(example), _expected(example), _by(example)
    clauses = [pieces for pieces in (given, then, by) if pieces]
    whole = Line((head, *(piece for pieces in clauses for piece in begun(" ", pieces))), end_of(example), 0)
    if whole.fits():
        return [whole]
    column = (room or len(head)) + 2 if room or len(head) <= WIDEST_HEAD else INDENT
    expected = example.history if isinstance(example.expected, str) else example.expected[-1]
    ends = [end_of(example.closed[-1])] if given else []
    ends += [end_of(expected), end_of(example)]
    lines = [Line(pieces, end, column) for pieces, end in zip(clauses, ends, strict=False)]
    if len(head) > WIDEST_HEAD:
        return [head_line(head, example.history), *lines]
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
