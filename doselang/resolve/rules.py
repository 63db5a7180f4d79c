"""Rules: bound, and sorted into the parts and states in which they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from attrs import define, evolve, field, frozen

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.conditions import bind_guard, in_part, speaks_of_own_part
from doselang.resolve.glossary import Glossary
from doselang.resolve.limits import Accrual, report_too_large
from doselang.resolve.moves import bind_moves, question_of, sizes
from doselang.resolve.names import Names, fold, shorten
from doselang.resolve.outline import Home, Section
from doselang.resolve.places import Where
from doselang.resolve.sources import Sources
from doselang.syntax import nodes as syntax


@define
class Entry:
    """A rule as written and as bound, and where it stands; `targets` are the rules it overrides."""

    node: syntax.Rule
    home: Home
    bound: model.Rule
    targets: list[tuple[syntax.Text, Entry]] = field(factory=list)
    speaks_of_own_part: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.speaks_of_own_part = any(speaks_of_own_part(case.guard) for case in self.bound.cases)

    @property
    def name(self) -> str:
        return self.node.name.value

    def questions(self) -> tuple[int, ...]:
        """The questions at which its cases are asked; in a patient's course there is one."""
        if self.home.course:
            return (1,)
        return tuple(min(map(question_of, case.moves), default=3) for case in self.node.cases) or (1,)


@frozen
class Rules:
    """All rules of the trial, or of the course, found by name."""

    entries: tuple[Entry, ...]
    names: Names
    by_name: dict[str, list[Entry]]
    by_home: dict[Home, list[Entry]]

    def named(self, name: str) -> list[Entry]:
        return self.by_name.get(fold(name), [])

    def holding(self, home: Home) -> tuple[model.Rule, ...]:
        """The rules that hold in a part or state: those written for all of them, and its own."""
        everywhere = self.by_home.get(Home(home.course), [])
        own = self.by_home.get(home, [])
        return (*(_as_held(entry, home) for entry in everywhere), *(entry.bound for entry in own))


def _as_held(entry: Entry, home: Home) -> model.Rule:
    """A rule written for every part as it holds in one: `in the part` at a level means this part."""
    rule = entry.bound
    if home.part is None or not entry.speaks_of_own_part:
        return rule
    cases = tuple(
        model.Case(in_part(case.guard, home.part), case.moves, case.gate, span=case.span) for case in rule.cases
    )
    return model.Rule(rule.name, cases, rule.at_any_time, rule.cites, rule.assumes, rule.overrides, span=rule.span)


def bind_rules(glossary: Glossary, sources: Sources, sections: Sequence[Section], accruals: Sequence[Accrual]) -> Rules:
    """The rules of the trial or of the course; the first section holds those for all parts or states."""
    course = sections[0].home.course
    entries: list[Entry] = []
    first: dict[tuple[int | None, str], syntax.Rule] = {}
    by_name: dict[str, list[Entry]] = defaultdict(list)
    by_home: dict[Home, list[Entry]] = defaultdict(list)
    names = Names("rule", "rules", 'rule "{}"', mark='"')
    for number, section in enumerate(sections):
        accrual = accruals[number - 1] if 0 < number <= len(accruals) else None
        for node in section.rules:
            entry = Entry(node, section.home, _bind_rule(glossary, sources, node, section.home, accrual))
            place = None if number == 0 else number
            name = fold(node.name.value)
            other = first.get((None, name)) or first.get((place, name))
            if other is not None:
                if not glossary.partial:
                    _report_twice(glossary, node, other, course)
                continue
            first[place, name] = node
            entries.append(entry)
            by_name[name].append(entry)
            by_home[section.home].append(entry)
            names.enter(node.name.value, node.name.span)
    return Rules(tuple(entries), names, by_name, by_home)


def _report_twice(glossary: Glossary, node: syntax.Rule, other: syntax.Rule, course: bool) -> None:
    where = "state" if course else "part"
    glossary.report.add(
        "DL202", f'Two rules that hold in the same {where} are called "{shorten(node.name.value)}".', node.name.span,
        labels=[Label(other.name.span, "the first of them")],
        help="Give one of them another name, or write both as two cases of one rule.",
    )  # fmt: skip


def _bind_rule(
    glossary: Glossary, sources: Sources, node: syntax.Rule, home: Home, accrual: Accrual | None
) -> model.Rule:
    """A rule; what is wrong in it is reported and left out."""
    where = Where("rule", home.course, home.part)
    cases = tuple(case for written in node.cases if (case := _bind_case(glossary, where, written, accrual)) is not None)
    cites = sources.of(node)
    assumes = tuple(bind_assumption(part) for part in node.basis if isinstance(part, syntax.Assume))
    if glossary.needs_basis(node.span) and not cites and not assumes:
        name = shorten(node.name.value)
        glossary.report.add(
            "DL603", f'The rule "{name}" has no basis: it cites no sentence of the text and declares no assumption.',
            node.name.span,
            help='Write below its name: cites "words of the text", '
            'or: assume "your reading" because "what the text leaves open"',
        )  # fmt: skip
    if not fold(node.name.value):
        help = 'Write for example: rule "one toxicity"'
        glossary.report.add("DL201", "The rule has no name.", node.name.span, help=help)
    return model.Rule(node.name.value, cases, node.at_any_time, cites, assumes, span=node.span)


def bind_assumption(assume: syntax.Assume) -> model.Assumption:
    return model.Assumption(assume.reading.value, assume.because.value, span=assume.span)


def _bind_case(glossary: Glossary, where: Where, case: syntax.Case, accrual: Accrual | None) -> model.Case | None:
    guard = bind_guard(glossary, where, case.guard)
    moves = bind_moves(glossary, where, case.moves)
    if moves is None:
        return None
    tightest = accrual.tightest() if accrual else None
    if tightest is not None:
        for size, span in sizes(moves):
            report_too_large(glossary, tightest, size, span)
    return None if guard is None else model.Case(guard, moves.moves, moves.gate, span=case.span)


# ---- rules named by others ----


def bind_overrides(glossary: Glossary, rules: Rules) -> Rules:
    """The rules with what they override; wrong overrides are reported."""
    for entry in rules.entries:
        for part in entry.node.basis:
            if isinstance(part, syntax.Overrides):
                for name in part.rules:
                    _bind_override(glossary, rules, entry, name)
    _report_circles(glossary, rules)
    for entry in rules.entries:
        names = tuple(dict.fromkeys(target.bound.name for _, target in entry.targets))
        if names:
            entry.bound = evolve(entry.bound, overrides=names)
    return rules


def _bind_override(glossary: Glossary, rules: Rules, entry: Entry, name: syntax.Text) -> None:
    targets = [target for target in rules.named(name.value) if _meet(entry.home, target.home)]
    if not targets:
        elsewhere = rules.named(name.value)
        if elsewhere and not glossary.partial:
            glossary.report.add(
                "DL203", f'The rule "{shorten(name.value)}" never holds where this one does.', name.span,
                labels=[Label(elsewhere[0].node.name.span, "it stands here")],
                help="Leave it out: rules of different parts or states are never asked together.",
            )  # fmt: skip
        elif not elsewhere:
            unknown_rule(glossary, rules, name)
    for target in targets:
        if target is entry:
            glossary.report.add("DL212", "The rule overrides itself.", name.span, help="Leave this name out.")
        elif max(entry.questions()) > min(target.questions()):
            _report_too_late(glossary, entry, target, name)
        else:
            entry.targets.append((name, target))


def _meet(one: Home, other: Home) -> bool:
    """Whether rules of two places are ever asked together."""
    return one == other or (one.part is None and one.state is None) or (other.part is None and other.state is None)


QUESTIONS = {1: "which levels close", 2: "whether there is a verdict", 3: "what comes next"}


def _report_too_late(glossary: Glossary, entry: Entry, target: Entry, name: syntax.Text) -> None:
    late, early = max(entry.questions()), min(target.questions())
    help = f'Write the exception into the condition of "{shorten(target.name)}".'
    if early == 2 and any(_chooses_verdict(case) for case in target.node.cases):
        help += (
            f' Or let "{shorten(target.name)}" choose between moves alone, and declare the verdict in a rule of its '
            "own: a choice is asked at the earliest question that one of its outcomes answers, and without the "
            "verdict that is what comes next."
        )
    message = f'The rule "{shorten(entry.name)}" cannot override "{shorten(target.name)}", which is asked before it.'
    glossary.report.add(
        "DL212", message, name.span,
        labels=[Label(target.node.name.span, f"this rule says {QUESTIONS[early]}, which is asked first")],
        notes=[f'"{shorten(entry.name)}" says {QUESTIONS[late]}'],
        help=help,
    )  # fmt: skip


def _chooses_verdict(case: syntax.Case) -> bool:
    """Whether somebody, or chance, chooses in a case whether there is a verdict."""
    return any(
        isinstance(move, syntax.Ask | syntax.May | syntax.Draw) and question_of(move) == 2 for move in case.moves
    )


def unknown_rule(glossary: Glossary, rules: Rules, name: syntax.Text) -> None:
    """Report the name of a rule that is not there."""
    near = rules.names.suggestion(name.value)
    if glossary.partial:  # the rule may be one that could not be read, whatever its name
        return
    help = f'Did you mean "{shorten(near)}"?' if near else rules.names.existing()
    glossary.report.add("DL203", f'There is no rule "{shorten(name.value)}".', name.span, help=help)


def _report_circles(glossary: Glossary, rules: Rules) -> None:
    """Report the circles of rules that override one another, each as a chain."""
    done: set[int] = set()
    for entry in rules.entries:
        if id(entry) in done:
            continue
        path = [entry]
        at = {id(entry): 0}
        ahead = [iter(entry.targets)]
        while path:
            name, target = next(ahead[-1], (None, None))
            if name is None or target is None:
                done.add(id(path[-1]))
                del at[id(path.pop())]
                ahead.pop()
            elif id(target) in at:
                _report_circle(glossary, path, at[id(target)], name)
            elif id(target) not in done:
                at[id(target)] = len(path)
                path.append(target)
                ahead.append(iter(target.targets))


def _report_circle(glossary: Glossary, path: Sequence[Entry], start: int, name: syntax.Text) -> None:
    shown = [f'"{shorten(path[i].name, 60)}"' for i in range(start, min(start + 6, len(path)))]
    if len(path) - start > 6:
        shown.append("…")
    chain = " overrides ".join([*shown, shown[0]])
    glossary.report.add(
        "DL212", f"These rules override one another in a circle: {chain}.", name.span,
        labels=[Label(path[start].node.name.span, "the circle begins with this rule")],
        help="Leave out one `overrides` of the circle.",
    )  # fmt: skip
