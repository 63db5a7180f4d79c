"""Parameters: what each is declared as, computed from, set to, and whether that is within its range."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from attrs import define, evolve, field, frozen

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.protocol.words import percent_words
from doselang.resolve.amounts import ratio, shown
from doselang.resolve.glossary import Glossary, Value
from doselang.resolve.names import fold, listing, shorten
from doselang.resolve.units import is_unit, nearest_unit
from doselang.source import NOWHERE, Span
from doselang.syntax import nodes as syntax

MOST_CHAINED = 50
"""A parameter may be computed from others, these from others, and so on, so many deep."""

MOST_MEMBERS = 1_000
LARGEST = 10**30
"""Numbers with a larger numerator or denominator are not computed with."""

SETTING = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?%?|[0-9]{1,12}/0*[1-9][0-9]{0,11}")


@frozen
class Setting:
    """What a command line sets a parameter to: its members, whether each is a percentage (`30%`, `1/3`), as written."""

    numbers: tuple[Fraction, ...]
    percent: tuple[bool, ...]
    text: str


Settings = Mapping[str, "Setting | Fraction"]


def read_setting(text: str) -> Setting | None:
    """The value that `4`, `30%`, `1/3` or `0.03,0.07` writes; None if it is not one."""
    members = [member.strip() for member in text.split(",")]
    if len(members) > MOST_MEMBERS or not all(SETTING.fullmatch(member) for member in members):
        return None
    numbers = (Fraction(member.removesuffix("%")) / (100 if member.endswith("%") else 1) for member in members)
    return Setting(tuple(numbers), tuple(member.endswith("%") or "/" in member for member in members), text.strip())


def value_words(value: Value) -> str:
    """A value as it is written in a file: `30%`, `1/3`, `40 mg/m2`, `3%, 7%`."""
    words = ", ".join((percent_words if value.percent else shown)(number) for number in value.numbers[:8])
    words = f"{words}, …" if len(value.numbers) > 8 else words
    return f"{words} {value.unit}" if value.unit else words


def declare_parameters(
    glossary: Glossary,
    declarations: Sequence[syntax.ParameterDecl],
    settings: Settings,
    given: Mapping[str, syntax.Setting] | None = None,
    replaced: Mapping[str, syntax.ParameterDecl] | None = None,
) -> None:
    """Enter the parameters with their values; `settings` override by name.

    `given` is what `use … with …` gives the design's parameters, and `replaced` the design's declarations of
    parameters that the file declares itself, by folded name. A setting that cannot be is reported as DL903 at no place.
    """
    new = [d for d in declarations if glossary.parameters.declare(d.name.text, d.name.span, glossary.report)]
    wanted = {fold(name): _as_setting(value) for name, value in settings.items()}
    work = _Evaluation(glossary, new, wanted, given or {}, replaced or {})
    glossary.values.extend([None] * len(new))
    for number in range(len(new)):
        work.value(number)
    for name_set in settings:
        if glossary.parameters.find(name_set) is None and not glossary.partial:
            near = glossary.parameters.suggestion(name_set)
            help = f"Did you mean `{near}`?" if near else glossary.parameters.existing()
            glossary.report.add("DL203", f"There is no parameter `{name_set}` to set.", NOWHERE, help=help)


def _as_setting(value: Setting | Fraction) -> Setting:
    return value if isinstance(value, Setting) else Setting((value,), (False,), shown(value))


def bind_parameters(glossary: Glossary, declarations: Sequence[syntax.ParameterDecl]) -> dict[str, model.Parameter]:
    """Every parameter as it is meant, by name; wrong ones are left out."""
    bound = {}
    for declaration in declarations:
        number = glossary.parameters.find(declaration.name.text)
        value = None if number is None else glossary.values[number]
        if value is not None and declaration.name.text not in bound:
            low, high = value.range if value.range is not None else (None, None)
            bound[declaration.name.text] = model.Parameter(
                declaration.name.text,
                value.numbers if value.is_list else value.number,
                "percent" if value.percent else "dose" if value.unit else "number",
                value.unit, low, high, declaration.means.text.value if declaration.means else None,
                is_computed(declaration), value.was_set, span=declaration.span,
            )  # fmt: skip
    return bound


def is_computed(declaration: syntax.ParameterDecl) -> bool:
    """Whether a parameter is made of others."""
    return bool(declaration.operators) or any(isinstance(x, syntax.Parameter) for x in declaration.values)


def follows(declaration: syntax.ParameterDecl) -> bool:
    """Whether a parameter is another one unless it is set itself: `parameter stop-at is sample-size`."""
    return not declaration.operators and len(declaration.values) == 1


# ---- evaluation: each parameter once, those it needs first ----


@define
class _Evaluation:
    glossary: Glossary
    declarations: Sequence[syntax.ParameterDecl]
    wanted: Mapping[str, Setting]
    given: Mapping[str, syntax.Setting]
    replaced: Mapping[str, syntax.ParameterDecl]
    done: set[int] = field(factory=set)
    under_way: list[int] = field(factory=list)

    def value(self, number: int) -> Value | None:
        """The value of a parameter by its position; None if it is wrong, which is reported."""
        if number in self.done:
            return self.glossary.values[number]
        declaration = self.declarations[number]
        if number in self.under_way or len(self.under_way) >= MOST_CHAINED:
            self.report_chain(number)
            return None
        self.under_way.append(number)
        value = self.declared(declaration)
        if value is not None:
            value = self.overridden(declaration, value)
        self.under_way.pop()
        self.done.add(number)
        self.glossary.values[number] = value
        return value

    def report_chain(self, number: int) -> None:
        declaration = self.declarations[number]
        if number not in self.under_way:
            message = f"`{declaration.name.text}` is computed from others, more than {MOST_CHAINED} deep."
            self.glossary.report.add("DL704", message, declaration.span)
            return
        circle = self.under_way[self.under_way.index(number) :]
        names = [f"`{self.declarations[i].name.text}`" for i in circle[:6]]
        told = " needs ".join([*names, *(["…"] if len(circle) > 6 else []), names[0]])
        self.glossary.report.add(
            "DL206", f"These parameters are computed from one another in a circle: {told}.", declaration.span,
            help="Give one of them a number.",
        )  # fmt: skip

    def declared(self, declaration: syntax.ParameterDecl) -> Value | None:
        """The value in the file, with its range."""
        report = self.glossary.report
        value = self.computed(declaration) if declaration.operators else self.listed(declaration.values)
        if value is None:
            return None
        value = evolve(value, span=declaration.span, was_set=False, range=None)
        if declaration.unit is not None:
            if not is_unit(declaration.unit.text):
                _report_unit(self.glossary, declaration.unit)
                return None
            if value.percent or (value.unit not in (None, declaration.unit.text)):
                what = "A percentage has no unit." if value.percent else f"It is a dose in {value.unit} already."
                report.add("DL207", what, declaration.unit.span, help="Leave the unit out.")
                return None
            value = evolve(value, unit=declaration.unit.text)
        return self.bounded(declaration, value)

    def bounded(self, declaration: syntax.ParameterDecl, value: Value) -> Value | None:
        """The value with its range; None if that is wrong, which is reported."""
        written, report = declaration.bounds, self.glossary.report
        if written is None:
            return value
        low, high = self.member(written.low), self.member(written.high)
        if low is None or high is None:
            return None
        for end, node in ((low, written.low), (high, written.high)):
            if end.percent != value.percent or end.unit not in (None, value.unit) or end.is_list:
                message = f"The range of `{declaration.name.text}` is of another kind than its value."
                help = f"The value is {value_words(value)}: write both ends {_in_kind(value)}."
                report.add("DL206", message, node.span, help=help)
                return None
        if low.number > high.number:
            message = "The range is empty: its first number is the larger one."
            help = f"Write: from {value_words(high)} to {value_words(low)}"
            report.add("DL206", message, written.span, help=help)
            return None
        return evolve(value, range=(low.number, high.number))

    def member(self, node: syntax.Given) -> Value | None:
        """A number, percentage or parameter's value."""
        match node:
            case syntax.Number(number):
                return Value((number,), False, node.span)
            case syntax.Percent(syntax.Number(number)):
                return Value((number / 100,), True, node.span)
            case syntax.Ratio():
                share = ratio(self.glossary, node)
                return None if share is None else Value((share,), True, node.span)
            case syntax.Percent(syntax.Parameter(name)):
                found = self.member(syntax.Parameter(name, span=name.span))
                if found is not None and (found.percent or found.unit or found.is_list):
                    self.glossary.report.add("DL206", f"`{name.text}` is not a plain number.", node.span)
                    return None
                return found and Value((found.number / 100,), True, node.span)
            case syntax.Parameter(name):
                number_of = self.glossary.look_up(self.glossary.parameters, name)
                return None if number_of is None else self.value(number_of)
        raise AssertionError(node)

    def listed(self, nodes: Sequence[syntax.Given]) -> Value | None:
        """One value, or a list of values of one kind."""
        found = [self.member(node) for node in nodes]
        members = [value for value in found if value is not None]
        if len(members) < len(nodes):
            return None
        if len(members) == 1:
            return members[0]
        first, report = members[0], self.glossary.report
        for node, value in zip(nodes, members, strict=True):
            if value.is_list or value.percent != first.percent or value.unit != first.unit:
                message = "The members of a list are of one kind: all numbers, or all percentages."
                report.add("DL206", message, node.span, help=f"The first one is {value_words(first)}.")
                return None
        if len(members) > MOST_MEMBERS:
            report.add("DL704", f"A list has at most {MOST_MEMBERS:,} members.", nodes[MOST_MEMBERS].span)
            return None
        return Value(tuple(value.number for value in members), first.percent, first.span, unit=first.unit, is_list=True)

    def computed(self, declaration: syntax.ParameterDecl) -> Value | None:
        """A sum of products; what is taken off is the sum with a negative one."""
        total: Value | None = None
        product = self.member(declaration.values[0])
        rest = zip(declaration.operators, declaration.values[1:], strict=False)
        sums: list[tuple[Value, Span]] = []
        for operator, node in rest:
            other = self.member(node)
            if product is None or other is None:
                return None
            if operator.word == "times":
                product = self.times(product, other, node.span)
            else:
                sums.append((product, declaration.span))
                product = other if operator.word == "plus" else _negative(other)
        for term, span in [*sums, (product, declaration.span)]:
            if term is None:
                return None
            total = term if total is None else self.plus(total, term, span)
            if total is None:
                return None
        return total

    def times(self, left: Value, right: Value, span: Span) -> Value | None:
        if left.is_list or right.is_list:
            return self.cannot("A list cannot be multiplied.", span)
        if left.unit and right.unit:
            return self.cannot("A dose times a dose is not a dose.", span)
        unit = left.unit or right.unit
        percent = (left.percent or right.percent) and unit is None
        return self.sized(Value((left.number * right.number,), percent, span, unit=unit))

    def plus(self, left: Value, right: Value, span: Span) -> Value | None:
        if left.is_list or right.is_list:
            return self.cannot("A list cannot be added to.", span)
        if left.percent != right.percent or left.unit != right.unit:
            told = f"{value_words(left)} and {value_words(right)} are not of one kind, and cannot be added."
            return self.cannot(told, span)
        return self.sized(evolve(left, numbers=(left.number + right.number,)))

    def sized(self, value: Value) -> Value | None:
        if max(abs(value.number.numerator), value.number.denominator) > LARGEST:
            return self.cannot("What is computed here is too large a number.", value.span)
        return value

    def cannot(self, message: str, span: Span) -> Value | None:
        """Report what cannot be computed; there is no value then."""
        self.glossary.report.add("DL206", message, span)
        return None

    # ---- values from elsewhere ----

    def overridden(self, declaration: syntax.ParameterDecl, value: Value) -> Value | None:
        """The value that is used: as set, as a `use` gives it, or as declared; None if it is not allowed."""
        name = fold(declaration.name.text)
        if name in self.given:
            return self.as_given(declaration, value, self.given[name])
        if name in self.wanted:
            changed = self.as_set(declaration, value, self.wanted[name])
            if changed is None:
                return value  # the setting is what is wrong
            return changed
        allowed = _check_range(self.glossary, declaration, value, declaration.span)
        return value if allowed and self.suits_design(declaration, value) else None

    def as_given(self, declaration: syntax.ParameterDecl, value: Value, given: syntax.Setting) -> Value | None:
        found = self.listed(given.values)
        if found is None:
            return None
        if not _same_kind(self.glossary, declaration, value, found, given.span):
            return None
        found = evolve(found, span=given.span, range=value.range, was_set=False, unit=value.unit, is_list=value.is_list)
        return found if _check_range(self.glossary, declaration, found, given.span) else None

    def suits_design(self, declaration: syntax.ParameterDecl, value: Value) -> bool:
        """Whether a value is of the kind and range that a design declares, where the file's declaration replaces it."""
        design = self.replaced.get(fold(declaration.name.text))
        asked = self.declared(design) if design is not None else None
        if design is None or asked is None:
            return design is None
        if not _same_kind(self.glossary, design, asked, value, declaration.span):
            return False
        return _check_range(self.glossary, design, evolve(value, range=asked.range), declaration.span)

    def as_set(self, declaration: syntax.ParameterDecl, value: Value, setting: Setting) -> Value | None:
        """The value that the command line sets."""
        name, report = declaration.name.text, self.glossary.report
        wrong: tuple[str, str | None] | None = None
        numbers = setting.numbers
        if is_computed(declaration) and not follows(declaration):
            needs = [x.name.text for x in declaration.values if isinstance(x, syntax.Parameter)]
            wrong = (f"`{name}` is computed from others, and cannot be set.", f"Set {listing(needs)} instead.")
        elif len(numbers) > 1 and not value.is_list:
            wrong = (f"`{name}` is one value, not a list of {len(numbers)}.", None)
        elif any(setting.percent) and not value.percent:
            kind = f"a dose in {value.unit}" if value.unit else "a number"
            wrong = (f"`{name}` is {kind}, not a percentage.", f"In the file it is {value_words(value)}.")
        elif value.percent and any(not p and not 0 <= n <= 1 for n, p in zip(numbers, setting.percent, strict=True)):
            help = f"Write for example --set {name}=30% or --set {name}=0.3."
            wrong = (f"`{name}` is a percentage, and {setting.text} without `%` is more than 100%.", help)
        elif (outside := _outside(value, numbers)) is not None:
            wrong = (f"{_amount(value, outside)} is outside the range of `{name}`.", f"It goes {_range_words(value)}.")
        if wrong is not None:
            report.add("DL903", f"`--set {shorten(f'{name}={setting.text}', 60)}`: {wrong[0]}", NOWHERE, help=wrong[1])
            return None
        changed = evolve(value, numbers=numbers, was_set=True)
        return changed if self.suits_design(declaration, changed) else None


def _report_unit(glossary: Glossary, unit: syntax.Unit) -> None:
    near = nearest_unit(unit.text)
    help = f"Did you mean `{near}`?" if near else "Write for example `mg`, `mcg`, `mg/kg` or `mg/m2`."
    glossary.report.add("DL207", f"`{shorten(unit.text, 40)}` is no unit of a dose.", unit.span, help=help)


# ---- kinds and ranges ----


def _negative(value: Value) -> Value:
    return evolve(value, numbers=tuple(-number for number in value.numbers))


def _in_kind(value: Value) -> str:
    return "as percentages" if value.percent else "as plain numbers"


def _same_kind(
    glossary: Glossary, declaration: syntax.ParameterDecl, value: Value, other: Value, span: Span
) -> bool:  # fmt: skip
    """Whether a value is of the kind that a parameter is declared with; if not, that is reported."""
    name = declaration.name.text
    if other.is_list and not value.is_list:
        message = f"`{name}` is one value, not a list of {len(other.numbers)}."
    elif other.percent and not value.percent:
        message = f"`{name}` is {f'a dose in {value.unit}' if value.unit else 'a number'}, not a percentage."
    elif value.percent and not other.percent:
        message = f"`{name}` is a percentage, and {value_words(other)} is none."
    elif other.unit not in (None, value.unit):
        message = f"`{name}` is {f'in {value.unit}' if value.unit else 'a number'}, not in {other.unit}."
    else:
        return True
    label = Label(declaration.span, f"declared as {value_words(value)}")
    glossary.report.add("DL206", message, span, labels=[label])
    return False


def _outside(value: Value, numbers: Sequence[Fraction]) -> Fraction | None:
    """The first of the numbers that is outside the range of a parameter."""
    if value.range is None:
        return None
    low, high = value.range
    return next((number for number in numbers if not low <= number <= high), None)


def _amount(value: Value, number: Fraction) -> str:
    return value_words(evolve(value, numbers=(number,)))


def _range_words(value: Value) -> str:
    """`from 5% to 60%`, `from 10 to 100 mg/m2`."""
    assert value.range is not None
    low, high = value.range
    return f"from {value_words(evolve(value, numbers=(low,), unit=None))} to {_amount(value, high)}"


def _check_range(glossary: Glossary, declaration: syntax.ParameterDecl, value: Value, span: Span) -> bool:
    """Whether a value is in the range; if not, that is reported where the value stands."""
    outside = _outside(value, value.numbers)
    if outside is None:
        return True
    labels = []
    if span != declaration.span and declaration.bounds is not None:
        labels = [Label(declaration.bounds.span, "the range")]
    message = f"{_amount(value, outside)} is outside the range of `{declaration.name.text}`."
    help = f"Write a value {_range_words(value)}, or correct the range."
    glossary.report.add("DL206", message, span, labels=labels, help=help)
    return False
