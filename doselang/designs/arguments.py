"""What a decision method can be told: names, kinds, ranges and defaults, and the check of what was given."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from typing import Literal

from attrs import frozen

Kind = Literal["rate", "number", "increase", "whole", "rates", "numbers", "flag", "choice"]


class MethodError(Exception):
    """A method cannot be built, or cannot answer: the reason in plain words, and the argument at fault if it is one."""

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument


@frozen
class Argument:
    """One thing a method can be told.

    Attributes
    ----------
    name
        As written in a protocol.
    kind
        `rate`: a fraction from 0 to 1; `number`: a fraction; `increase`: a fraction, always written as a percentage;
        `whole`: a whole number; `rates`, `numbers`: one or more of them; `flag`: yes or no; `choice`: one of `choices`.
    default
        What holds where nothing is given; None where it must be given. A flag that is not given is off.
    means
        One sentence, with unit and range.
    low, high
        The least and the greatest value, both allowed; for rates and numbers of each of them.
    """

    name: str
    kind: Kind
    default: object | None
    means: str
    low: Fraction | None = None
    high: Fraction | None = None
    choices: tuple[str, ...] = ()


def filled(method: str, known: tuple[Argument, ...], given: Mapping[str, object]) -> dict[str, object]:
    """All arguments of a method, those given in their kind and range, the others with their defaults.

    Raises
    ------
    MethodError
        For a name the method does not know, a value of another kind or out of range, and one that is missing.
    """
    names = [argument.name for argument in known]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it can be told {', '.join(names)}"
            raise MethodError(f"{method} has no {name}{hint}", name)
    return {argument.name: _value(method, argument, given) for argument in known}


def _value(method: str, argument: Argument, given: Mapping[str, object]) -> object:
    if argument.name in given:
        return _in_range(method, argument, _of_its_kind(method, argument, given[argument.name]))
    if argument.kind == "flag":
        return bool(argument.default)
    if argument.default is None:
        raise MethodError(f"{method} must be told the {argument.name}: {argument.means}", argument.name)
    return argument.default


def _of_its_kind(method: str, argument: Argument, value: object) -> object:
    match argument.kind, value:
        case "flag", bool():
            return value
        case "choice", str() if value in argument.choices:
            return value
        case "whole", int() | Fraction() if not isinstance(value, bool) and value.denominator == 1:
            return int(value)
        case "rate" | "number" | "increase", int() | Fraction() if not isinstance(value, bool):
            return Fraction(value)
        case "rates" | "numbers", tuple() | list() if value and all(_is_number(one) for one in value):
            return tuple(Fraction(one) for one in value)
    raise MethodError(f"the {argument.name} of {method} is {_expected(argument)}: {argument.means}", argument.name)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Fraction) and not isinstance(value, bool)


def _expected(argument: Argument) -> str:
    match argument.kind:
        case "rate":
            return "a rate, from 0% to 100%"
        case "number":
            return "a number"
        case "increase":
            return "a percentage"
        case "whole":
            return "a whole number"
        case "rates":
            return "a list of rates, each from 0% to 100%"
        case "numbers":
            return "a list of numbers"
        case "flag":
            return "yes or no"
        case "choice":
            return " or ".join(argument.choices)


def _in_range(method: str, argument: Argument, value: object) -> object:
    low, high = argument.low, argument.high
    if argument.kind in ("rate", "rates"):
        low, high = Fraction(0) if low is None else low, Fraction(1) if high is None else high
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if not isinstance(number, int | Fraction):
            continue
        percent = argument.kind == "increase"
        shown, rate = printed(number, percent), percent or argument.kind in ("rate", "rates")
        if low is not None and number < low:
            raise MethodError(
                f"the {argument.name} of {method} is at least {printed(low, rate)}, not {shown}: {argument.means}",
                argument.name,
            )
        if high is not None and number > high:
            raise MethodError(
                f"the {argument.name} of {method} is at most {printed(high, rate)}, not {shown}: {argument.means}",
                argument.name,
            )
    return value


def printed(number: Fraction | int, percent: bool = False) -> str:
    """A number as a reader writes it: `0.3`, `1/3`, `30%`."""
    if percent:
        return f"{printed(Fraction(number) * 100)}%"
    number = Fraction(number)
    rounded = f"{float(number):.6g}"
    return rounded if Fraction(rounded) == number else str(number)
