"""Numbers as they are used: parameters replaced by their values, whole numbers and percentages checked."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from doselang.diagnostics import Label
from doselang.protocol.words import percent_words
from doselang.resolve.glossary import Glossary, Value
from doselang.syntax import nodes as syntax
from doselang.syntax.words import amount_words

MOST_PATIENTS = 10_000
"""No count of patients in a protocol is larger."""

LARGEST_COHORT = 100
LARGEST_GROUP = 1000


def shown(number: Fraction) -> str:
    """A number as a person writes it; one of absurd length is only described."""
    if max(abs(number.numerator), number.denominator) > 10**15:
        return "a very large number" if abs(number) > 1 else "a number of very many digits"
    if number.denominator == 1:
        return str(number.numerator)
    decimal = f"{float(number):.6g}"
    return decimal if Fraction(decimal) == number else f"{number.numerator}/{number.denominator}"


def value_of(glossary: Glossary, node: syntax.Given) -> Fraction | tuple[Fraction, ...] | None:
    """What a number, a proportion or a parameter comes to: 30% is 3/10, a list is a tuple.

    None where a parameter is not there or wrong, which is reported.
    """
    match node:
        case syntax.Number(number):
            return number
        case syntax.Percent() | syntax.Ratio():
            return proportion(glossary, node)
        case syntax.Parameter():
            value = any_parameter(glossary, node)
            return None if value is None else value.numbers if value.is_list else value.number


def any_parameter(glossary: Glossary, use: syntax.Parameter) -> Value | None:
    """The value of a parameter where it is used, a list too."""
    found = glossary.look_up(glossary.parameters, use.name)
    return None if found is None else glossary.values[found]


def parameter(glossary: Glossary, use: syntax.Parameter) -> Value | None:
    """The value of a parameter where one number must stand; a list is reported."""
    value = any_parameter(glossary, use)
    if value is not None and value.is_list:
        message = f"`{use.name.text}` is a list of {len(value.numbers)}, and here one number must stand."
        glossary.report.add("DL206", message, use.span, labels=[Label(value.span, "the list")])
        return None
    return value


def _wrong(glossary: Glossary, amount: syntax.Amount, message: str, value: Value | None, help: str | None) -> None:
    """Report a wrong number; of a parameter show where its value comes from."""
    labels = []
    if isinstance(amount, syntax.Parameter) and value is not None:
        how = "is set to" if value.was_set else "is"
        number = percent_words(value.number) if value.percent else shown(value.number)
        number = f"{number} {value.unit}" if value.unit else number
        labels = [Label(value.span, f"`{amount.name.text}` {how} {number}")]
    glossary.report.add("DL206", message, amount.span, labels=labels, help=help)


def whole(glossary: Glossary, amount: syntax.Amount, what: str, low: int = 1, high: int = MOST_PATIENTS) -> int | None:
    """A whole number between `low` and `high`; `what` names it in messages ("the size of a cohort")."""
    value = parameter(glossary, amount) if isinstance(amount, syntax.Parameter) else None
    if isinstance(amount, syntax.Parameter) and value is None:
        return None
    number = value.number if value else amount.value if isinstance(amount, syntax.Number) else Fraction(0)
    begin = what[:1].upper() + what[1:]
    help = f"Write a whole number from {low} to {high}."
    if value is not None and value.percent:
        _wrong(glossary, amount, f"{begin} must be a whole number, not a percentage.", value, help)
    elif value is not None and value.unit:
        _wrong(glossary, amount, f"{begin} must be a whole number, not a dose in {value.unit}.", value, help)
    elif number.denominator != 1:
        _wrong(glossary, amount, f"{begin} must be a whole number, not {shown(number)}.", value, help)
    elif number < low:
        _wrong(glossary, amount, f"{begin} must be at least {low}, not {shown(number)}.", value, help)
    elif number > high:
        _wrong(glossary, amount, f"{begin} is at most {high}, not {shown(number)}.", value, help)
    else:
        return int(number)
    return None


def rates(
    glossary: Glossary, given: Sequence[syntax.Proportion | syntax.Parameter], code: Literal["DL206", "DL216"] = "DL206"
) -> list[Fraction | None]:
    """Proportions, and parameters that are percentages, as exact fractions of 1; a list stands for its members."""
    found: list[Fraction | None] = []
    for node in given:
        if not isinstance(node, syntax.Parameter):
            found.append(proportion(glossary, node, code))
            continue
        value = any_parameter(glossary, node)
        wrong = None if value is None else next((n for n in value.numbers if not 0 <= n <= 1), None)
        if value is None:
            found.append(None)
        elif not value.percent:
            help = f"If it is a number of percent, write `{node.name.text}%`."
            _wrong(glossary, node, f"`{node.name.text}` is not a percentage, and here one must stand.", value, help)
            found.append(None)
        elif wrong is not None:
            message = f"A percentage lies between 0% and 100%; {percent_words(wrong)} does not."
            _wrong(glossary, node, message, value, None)
            found.append(None)
        else:
            found += value.numbers
    return found


def proportion(
    glossary: Glossary, written: syntax.Proportion, code: Literal["DL206", "DL216"] = "DL206"
) -> Fraction | None:
    """A percentage between 0 and 100, or a fraction between 0 and 1, as an exact fraction of 1."""
    if isinstance(written, syntax.Percent):
        return _percentage(glossary, written, code)
    share = ratio(glossary, written)
    if share is not None and share > 1:
        message = f"A rate lies between 0 and 1; {amount_words(written)} does not."
        glossary.report.add(code, message, written.span, help="Write a fraction such as `1/3`.")
        return None
    return share


def ratio(glossary: Glossary, written: syntax.Ratio) -> Fraction | None:
    """The value of `1/3`; what is no fraction of whole numbers is reported."""
    above, below = written.above.value, written.below.value
    if above.denominator == below.denominator == 1 and below > 0:
        return above / below
    wrong = "Nothing is divided by 0." if below == 0 else "A fraction is of two whole numbers."
    glossary.report.add("DL206", wrong, written.span, help="Write a fraction such as `1/3`, or a percentage.")
    return None


def _percentage(glossary: Glossary, percent: syntax.Percent, code: Literal["DL206", "DL216"]) -> Fraction | None:
    amount = percent.amount
    value = parameter(glossary, amount) if isinstance(amount, syntax.Parameter) else None
    if isinstance(amount, syntax.Parameter):
        if value is None:
            return None
        if value.percent:
            name = amount.name.text
            help = f"Write `{name}` without the sign `%`."
            _wrong(glossary, amount, f"`{name}` is a percentage already.", value, help)
            return None
    number = value.number if value else amount.value if isinstance(amount, syntax.Number) else Fraction(0)
    if not 0 <= number <= 100:
        glossary.report.add(
            code, f"A percentage lies between 0% and 100%; {shown(number)}% does not.", percent.span,
            help="Write a percentage from 0% to 100%.",
        )  # fmt: skip
        return None
    return number / 100


def rate_bound(glossary: Glossary, amount: syntax.Amount | syntax.Proportion) -> Fraction | None:
    """The bound of a rate: a proportion, or a parameter that is one, or a number from 0 to 1."""
    if isinstance(amount, syntax.Percent | syntax.Ratio):
        return proportion(glossary, amount)
    value = parameter(glossary, amount) if isinstance(amount, syntax.Parameter) else None
    if isinstance(amount, syntax.Parameter) and value is None:
        return None
    number = value.number if value else amount.value if isinstance(amount, syntax.Number) else Fraction(0)
    if 0 <= number <= 1:
        return number
    written = amount.name.text if isinstance(amount, syntax.Parameter) else shown(number)
    text = f"A rate lies between 0 and 1; {shown(number)} does not."
    _wrong(glossary, amount, text, value, f"If you mean a percentage, write `{written}%`.")
    return None


# ---- time ----

LONGEST = {"hours": 87_600, "days": 3650, "weeks": 520, "months": 120, "cycles": 1000}
"""About ten years in each unit: what is longer is a slip of the pen."""


def duration(glossary: Glossary, length: syntax.Duration, what: str) -> str | None:
    """A duration in words; `what` names it in messages ("a cycle")."""
    number = _time(glossary, length.amount)
    if number is None:
        return None
    begin = what[:1].upper() + what[1:]
    if number <= 0:
        message = f"{begin} must be longer than 0 {length.unit}."
        glossary.report.add("DL214", message, length.span, help="Write for example: 28 days")
    elif number > LONGEST[length.unit]:
        message = f"{begin} of {shown(number)} {length.unit} is longer than ten years."
        glossary.report.add("DL214", message, length.span, help="Is the number, or the unit of time, a slip?")
    else:
        return f"{shown(number)} {length.unit if number != 1 else length.unit[:-1]}"
    return None


def cycle_number(glossary: Glossary, amount: syntax.Amount) -> int | None:
    """The number of a cycle: whole, from 1."""
    number = _time(glossary, amount)
    if number is None:
        return None
    if number.denominator == 1 and 1 <= number <= LONGEST["cycles"]:
        return int(number)
    message = f"Cycles are counted 1, 2, 3, … up to {LONGEST['cycles']}; there is no cycle {shown(number)}."
    glossary.report.add("DL214", message, amount.span)
    return None


def _time(glossary: Glossary, amount: syntax.Amount) -> Fraction | None:
    """A number in a duration or window."""
    if isinstance(amount, syntax.Number):
        return amount.value
    value = parameter(glossary, amount)
    if value is not None and (value.percent or value.unit):
        what = "a percentage" if value.percent else "a dose"
        _wrong(glossary, amount, f"A time cannot be {what}.", value, None)
        return None
    return None if value is None else value.number
