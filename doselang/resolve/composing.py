"""Composing: a file and the designs that it uses become one file, in which every statement keeps its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Union

from attrs import define, evolve, field, frozen

from doselang.diagnostics import Label, Report
from doselang.protocol.model import ProtocolText
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.resolve.parameters import follows, is_computed
from doselang.source import Span
from doselang.syntax import nodes as syntax

Named = Union[
    syntax.ParameterDecl, syntax.Toxicity, syntax.Event, syntax.Body, syntax.Verdict, syntax.Claim, syntax.Counter,
    syntax.Table, syntax.Engine,
]  # fmt: skip
NAMED = (
    syntax.ParameterDecl, syntax.Toxicity, syntax.Event, syntax.Body, syntax.Verdict, syntax.Claim, syntax.Counter,
    syntax.Table, syntax.Engine,
)  # fmt: skip
"""Statements that replace those of the same kind and name in a design."""

ONCE = (syntax.Start, syntax.Cycle, syntax.Replace, syntax.Component, syntax.Evaluability)
"""Statements that replace all of their kind in a design."""

LADDER = (syntax.Level, syntax.Levels, syntax.Ladder, syntax.Grid)
NOT_TAKEN = (
    syntax.ProtocolTitle, syntax.TextFile, syntax.Background, syntax.Example, syntax.Scenario, syntax.UseDesign,
)  # fmt: skip
TITLES = (syntax.ProtocolTitle, syntax.TextFile)

Home = tuple[str, str]
"""Where a statement stands: `("trial", "")`, `("part", name)`, `("course", "")` or `("state", name)`."""

TRIAL: Home = ("trial", "")
COURSE: Home = ("course", "")


@frozen
class Used:
    """A design that is used: the statement that names it, what was read, and the designs that it uses itself.

    `file` has its spans shifted to where the design begins; `text` is what its citations point into.
    """

    statement: syntax.UseDesign
    file: syntax.File
    text: ProtocolText | None
    used: tuple[Used, ...] = ()


@frozen
class DesignText:
    """The text of a design, for citations in a stretch of the whole; `named` whether the design names one."""

    span: Span
    text: ProtocolText | None
    named: bool


@frozen
class Composed:
    """One file made of several. `given` are the values that `with` gives, `replaced` the design's declarations of
    parameters that the file declares itself, both by folded name.
    """

    file: syntax.File
    given: Mapping[str, syntax.Setting] = field(factory=dict)
    replaced: Mapping[str, syntax.ParameterDecl] = field(factory=dict)
    texts: tuple[DesignText, ...] = ()

    def shown(self) -> syntax.File:
        """The file as people are shown it: with the values that are given to the designs."""
        statements = [
            evolve(one, values=self.given[fold(one.name.text)].values)
            if isinstance(one, syntax.ParameterDecl) and fold(one.name.text) in self.given else one
            for one in self.file.statements
        ]  # fmt: skip
        return evolve(self.file, statements=tuple(statements))


def compose(file: syntax.File, used: Sequence[Used], report: Report) -> Composed:
    """The whole of a file and the designs it uses. What cannot be replaced or left out is reported.

    A design's statements come first, section by section; those that the file states itself replace the design's.
    """
    designs = _Sections()
    given: dict[str, syntax.Setting] = {}
    replaced: dict[str, syntax.ParameterDecl] = {}
    texts: list[DesignText] = []
    for one in used:
        inner = compose(one.file, one.used, report)
        taken = _Sections.of(s for s in inner.file.statements if not isinstance(s, NOT_TAKEN))
        _leave_out(taken, one.statement.without, report)
        given |= inner.given
        replaced |= inner.replaced
        _give(file, one.statement, inner, given, report)
        named = any(isinstance(statement, syntax.TextFile) for statement in one.file.statements)
        texts += [DesignText(one.file.span, one.text, named), *inner.texts]
        designs.join(taken)
    own = _Sections.of(statement for statement in file.statements if not isinstance(statement, syntax.UseDesign))
    _report_own_replacing(file, used, report)
    if not used:
        return Composed(file)
    _replace_rules(designs, own, report)
    merged = _merged(designs, own, replaced)
    return Composed(syntax.File(merged, file.comments, span=file.span), given, replaced, tuple(texts))


# ---- sections ----


@define
class _Sections:
    """The statements of a file by where they stand, in order; a header comes first in its section."""

    by_home: dict[Home, list[syntax.Statement]] = field(factory=lambda: {TRIAL: []})

    @classmethod
    def of(cls, statements: Iterable[syntax.Statement]) -> _Sections:
        found, home = cls(), TRIAL
        for statement in statements:
            match statement:
                case syntax.Part(name):
                    home = ("part", fold(name.text))
                case syntax.Course():
                    home = COURSE
                case syntax.State(name):
                    home = ("state", fold(name.text))
            found.by_home.setdefault(home, []).append(statement)
        return found

    def join(self, other: _Sections) -> None:
        """Add the statements of another design; what is the same in both is there once."""
        for home, statements in other.by_home.items():
            mine = self.by_home.setdefault(home, [])
            mine += [statement for statement in statements if statement not in mine]

    def __iter__(self) -> Iterator[tuple[Home, syntax.Statement]]:
        return ((home, statement) for home, statements in self.by_home.items() for statement in statements)

    def filter(self, drop: set[int]) -> None:
        """Leave out statements, by identity."""
        for home, statements in self.by_home.items():
            self.by_home[home] = [statement for statement in statements if id(statement) not in drop]

    def rules(self) -> list[tuple[Home, syntax.Rule]]:
        return [(home, statement) for home, statement in self if isinstance(statement, syntax.Rule)]


def _place_words(home: Home) -> str:
    kind, name = home
    if kind in ("part", "state"):
        return f"below `{kind} {name}`"
    return "above the first `part`" if kind == "trial" else "below `patient course`, above the first `state`"


# ---- what `with` gives, and `without` leaves out ----


def _give(
    file: syntax.File, use: syntax.UseDesign, inner: Composed, given: dict[str, syntax.Setting], report: Report
) -> None:
    """Enter the values that a file gives to the parameters of a design."""
    declared = {fold(s.name.text): s for s in inner.file.statements if isinstance(s, syntax.ParameterDecl)}
    own = {fold(s.name.text): s for s in file.statements if isinstance(s, syntax.ParameterDecl)}
    seen: dict[str, syntax.Setting] = {}
    for setting in use.settings:
        name = fold(setting.name.text)
        first = seen.setdefault(name, setting)
        before = given.get(name)
        match setting.values:
            case (syntax.Parameter(same),) if fold(same.text) == name and name in own:
                continue  # `with levels levels`: the file's own declaration takes the place of the design's
        if name not in declared:
            near = nearest(name, [one.name.text for one in declared.values()])
            known = listing([one.name.text for one in declared.values()])
            help = f"Did you mean `{near}`?" if near else f"Its parameters are {known}." if known else None
            message = f"The design “{shorten(use.design.value, 40)}” has no parameter `{setting.name.text}`."
            report.add("DL203", message, setting.name.span, help=help)
        elif first is not setting or before is not None:
            other = first if first is not setting else before
            labels = [Label(other.span, "here first")] if other is not None else []
            message = f"The parameter `{setting.name.text}` is given twice."
            report.add("DL202", message, setting.span, labels=labels, help="Leave out one of the two.")
        elif name in own:
            message = f"The parameter `{setting.name.text}` is given here, and declared in this file as well."
            label = Label(own[name].span, "declared here")
            report.add("DL202", message, setting.span, labels=[label], help="Leave out one of the two.")
        elif is_computed(declared[name]) and not follows(declared[name]):
            message = f"The design computes `{setting.name.text}` from other parameters; it cannot be given."
            report.add("DL206", message, setting.span, labels=[Label(declared[name].span, "computed here")])
        else:
            given[name] = setting


def _leave_out(taken: _Sections, names: Sequence[syntax.Text], report: Report) -> None:
    """Leave out the rules, claims, silences and assumptions that `without` names."""
    known: dict[str, list[syntax.Statement]] = {}
    spelled: list[str] = []
    for _, statement in taken:
        match statement:
            case syntax.Rule(name=text) | syntax.Claim(name=text) | syntax.Silent(text=text) | syntax.Assume(text):
                known.setdefault(fold(text.value), []).append(statement)
                spelled.append(text.value)
    dropped: set[str] = set()
    for name in names:
        if fold(name.value) in known:
            dropped.add(fold(name.value))
            continue
        near = nearest(name.value, spelled)
        message = f'The design has no rule, claim, silence or assumption "{shorten(name.value)}".'
        report.add("DL203", message, name.span, help=f'Did you mean "{shorten(near)}"?' if near else None)
    taken.filter({id(statement) for name in dropped for statement in known[name]})
    _rename_overrides(taken, dict.fromkeys(dropped, ()))


def _rename_overrides(sections: _Sections, names: Mapping[str, Sequence[syntax.Text]]) -> None:
    """What overrides a rule overrides those in its place: none if it is left out, the new ones if it is replaced."""
    for home, statements in sections.by_home.items():
        sections.by_home[home] = [_renamed(statement, names) for statement in statements]


def _renamed(statement: syntax.Statement, names: Mapping[str, Sequence[syntax.Text]]) -> syntax.Statement:
    if not isinstance(statement, syntax.Rule):
        return statement
    basis: list[syntax.Overrides | syntax.Replaces | syntax.Cites | syntax.Assume] = []
    for part in statement.basis:
        if not isinstance(part, syntax.Overrides) or not any(fold(name.value) in names for name in part.rules):
            basis.append(part)
            continue
        rules: list[syntax.Text] = []
        for name in part.rules:
            rules += [evolve(new, span=name.span) for new in names.get(fold(name.value), (name,))]
        if rules:
            basis.append(evolve(part, rules=tuple(rules)))
    return statement if tuple(basis) == statement.basis else evolve(statement, basis=tuple(basis))


# ---- rules that replace others ----


def _replaced_names(rule: syntax.Rule) -> Iterator[syntax.Text]:
    return (name for part in rule.basis if isinstance(part, syntax.Replaces) for name in part.rules)


def _report_own_replacing(file: syntax.File, used: Sequence[Used], report: Report) -> None:
    """Report `replaces` in a file that uses no design, also if the design it uses could not be read."""
    if used or any(isinstance(statement, syntax.UseDesign) for statement in file.statements):
        return
    for statement in file.statements:
        for name in _replaced_names(statement) if isinstance(statement, syntax.Rule) else ():
            report.add(
                "DL211", "`replaces` has no meaning in a file that uses no design.", name.span,
                help='Write above: use "three-plus-three". To silence a rule of this file, write `overrides`.',
            )  # fmt: skip


def _replace_rules(designs: _Sections, own: _Sections, report: Report) -> None:
    """Leave out the design's rules that the file's rules stand in the place of."""
    rules = designs.rules()
    drop: set[int] = set()
    names: dict[str, list[syntax.Text]] = {}
    for home, rule in own.rules():
        for name in _replaced_names(rule):
            found = [(there, old) for there, old in rules if fold(old.name.value) == fold(name.value)]
            here = [old for there, old in found if there == home]
            if here:
                drop |= {id(old) for old in here}
                names.setdefault(fold(name.value), []).append(rule.name)
            elif found:
                there, old = found[0]
                report.add(
                    "DL205", f'The rule "{shorten(name.value)}" that is replaced stands elsewhere in the design.',
                    name.span, labels=[Label(old.name.span, "it stands here")],
                    help=f"Move this rule {_place_words(there)}.",
                )  # fmt: skip
            else:
                near = nearest(name.value, [old.name.value for _, old in rules])
                help = f'Did you mean "{shorten(near)}"?' if near else None
                report.add("DL203", f'The design has no rule "{shorten(name.value)}".', name.span, help=help)
    _report_same_names(rules, own, drop, report)
    designs.filter(drop)
    _rename_overrides(designs, names)


def _report_same_names(
    rules: Sequence[tuple[Home, syntax.Rule]], own: _Sections, drop: set[int], report: Report
) -> None:
    """Report a rule of the name of one of the design's that it does not replace."""
    there = {(home, fold(old.name.value)): old for home, old in rules if id(old) not in drop}
    for home, rule in own.rules():
        old = there.get((home, fold(rule.name.value)))
        if old is not None:
            report.add(
                "DL202", f'The design has a rule "{shorten(rule.name.value)}" already.', rule.name.span,
                labels=[Label(old.name.span, "the design's rule")],
                help=f'To put this one in its place, write below its name: replaces "{shorten(rule.name.value)}". '
                "Otherwise give it another name.",
            )  # fmt: skip
            own.filter({id(rule)})


# ---- everything else that replaces ----


def _merged(
    designs: _Sections, own: _Sections, replaced: dict[str, syntax.ParameterDecl]
) -> tuple[syntax.Statement, ...]:
    """The statements of both, section by section: the design's first, except the file's title and text."""
    moved = _replace_named(designs, own, replaced)
    kinds = {type(statement) for _, statement in own}
    extents = {(home, s.extent) for home, s in own if isinstance(s, syntax.Accrue)}
    in_trial = any(extent == "trial" for _, extent in extents)
    of_part = {(home, type(s)) for home, s in own}
    drop = set(moved)
    for home, statement in designs:
        match statement:
            case syntax.Level() | syntax.Levels() | syntax.Ladder() | syntax.Grid() if kinds & set(LADDER):
                drop.add(id(statement))
            case syntax.Cohorts() | syntax.Sentinel() | syntax.Look() if (home, type(statement)) in of_part:
                drop.add(id(statement))
            case syntax.Accrue(extent=extent) if (home, extent) in extents or (extent == "trial" and in_trial):
                drop.add(id(statement))
            case _ if isinstance(statement, ONCE) and type(statement) in kinds:
                drop.add(id(statement))
    designs.filter(drop)
    _merge_headers(designs, own)
    titles = tuple(s for _, s in own if isinstance(s, TITLES))
    own.filter({id(title) for title in titles} | set(moved.values()))
    order = sorted(dict.fromkeys([*designs.by_home, *own.by_home]), key=lambda home: home[0] in ("course", "state"))
    order.sort(key=lambda home: home == TRIAL, reverse=True)
    parts = [designs.by_home.get(home, []) + own.by_home.get(home, []) for home in _course_first(order)]
    return (*titles, *(statement for part in parts for statement in part))


def _course_first(order: list[Home]) -> list[Home]:
    """The header of the course goes before its states."""
    if COURSE not in order:
        return order
    rest = [home for home in order if home != COURSE]
    first = next((place for place, home in enumerate(rest) if home[0] == "state"), len(rest))
    return [*rest[:first], COURSE, *rest[first:]]


def _kind_of(statement: Named) -> type:
    """Decision tables and methods are of one kind: one can stand in the place of the other."""
    return syntax.Engine if isinstance(statement, syntax.Table) else type(statement)


def _replace_named(
    designs: _Sections, own: _Sections, replaced: dict[str, syntax.ParameterDecl]
) -> dict[int, int]:  # fmt: skip
    """Put the file's own parameters, toxicities, … in the places of the design's; the statements moved, old and new."""
    mine: dict[tuple[type, str], Named] = {}
    for _, statement in own:
        if isinstance(statement, NAMED):
            mine.setdefault((_kind_of(statement), _name_of(statement)), statement)
    moved: dict[int, int] = {}
    for home, statements in designs.by_home.items():
        result: list[syntax.Statement] = []
        for statement in statements:
            new = mine.get((_kind_of(statement), _name_of(statement))) if isinstance(statement, NAMED) else None
            if isinstance(new, syntax.Toxicity) and new.members:
                continue  # a name for several stays below those that it counts
            if new is not None and id(new) not in moved.values():
                moved[id(statement)] = id(new)
                result.append(new)
                if isinstance(statement, syntax.ParameterDecl):
                    replaced[_name_of(statement)] = statement
            elif new is None:
                result.append(statement)
        designs.by_home[home] = result
    return moved


def _name_of(statement: Named) -> str:
    name = statement.name
    return fold(name.value if isinstance(name, syntax.Text) else name.text)


def _merge_headers(designs: _Sections, own: _Sections) -> None:
    """Of a part, state or course that both have, one header is left: the file's if it says more than the name."""
    for home, statements in own.by_home.items():
        theirs = designs.by_home.get(home)
        if home == TRIAL or not theirs or not statements:
            continue
        header = statements[0]
        says_more = (isinstance(header, syntax.Part) and (header.title is not None or header.cites)) or (
            isinstance(header, syntax.State) and (header.final or header.means is not None or header.cites)
        )
        says_more = says_more or (isinstance(header, syntax.Course) and (header.may_escalate or header.cites != ()))
        if says_more:
            theirs[0] = header
        del statements[0]
