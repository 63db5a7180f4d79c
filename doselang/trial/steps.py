"""What can be done in a trial, as its record keeps it: each step in the words of the protocol of its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

from attrs import asdict, evolve, fields, frozen

from doselang.diagnostics import trouble
from doselang.record.corrections import Effective
from doselang.record.entries import Body, Json


@frozen
class Enrol:
    """A patient gets the first dose, at a level. The part is None until the rules have told it."""

    patient: str
    level: str
    on: date
    part: str | None = None


@frozen
class Outcome:
    """What became of a patient: `none`, `inevaluable`, or the name of a toxicity.

    `enrolment` is the number of the entry by which the patient was enrolled: it stays when the name is corrected.
    """

    patient: str
    outcome: str
    on: date
    enrolment: int = 0


@frozen
class Treated:
    """A cycle of a patient's treatment: its number, the level, and the events that came in it, by name."""

    patient: str
    level: str
    on: date
    events: tuple[str, ...] = ()
    number: int = 0
    enrolment: int = 0


@frozen
class Choose:
    """People chose one of the options that a rule leaves them, counted from 1."""

    option: int
    by: str
    on: date


@frozen
class Declare:
    """A verdict was declared at a level; None says that there is none."""

    verdict: str
    level: str | None
    on: date
    by: str = ""


@frozen
class Close:
    """A level was closed as too toxic."""

    level: str
    on: date
    by: str = ""


@frozen
class Stop:
    """The trial was stopped."""

    on: date
    by: str = ""


@frozen
class Note:
    """Something that is to be remembered, and that no rule asks for."""

    text: str
    on: date


Step: TypeAlias = Enrol | Outcome | Treated | Choose | Declare | Close | Stop | Note
OfPatient: TypeAlias = Outcome | Treated

KINDS: dict[str, type[Step]] = {
    "enrol": Enrol, "outcome": Outcome, "cycle": Treated, "choose": Choose, "declare": Declare, "close": Close,
    "stop": Stop, "note": Note,
}  # fmt: skip
"""The kinds of entries that are steps. `begin`, `amend`, `sign` and `correct` are about the record itself."""


def kind_of(step: Step) -> str:
    """The kind of the entry that a step becomes."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(step, type_))


@frozen
class Made:
    """A step with the number of the entry that made it, or that it would have."""

    number: int
    step: Step


def body_of(step: Step) -> Body:
    """A step as the body of an entry."""
    return asdict(step, value_serializer=_written)


def _written(_instance: object, _field: object, value: object) -> object:
    return value.isoformat() if isinstance(value, date) else list(value) if isinstance(value, tuple) else value


def step_of(number: int, kind: str, body: Body) -> Step:
    """The step that the body of an entry says. Raises Trouble DL811 where it is not one that doselang writes."""
    type_ = KINDS[kind]
    try:
        given = {one.name: _read(one.name, body[one.name]) for one in fields(type_)}
    except (KeyError, ValueError):
        message = f"Entry {number} is unchanged, and does not say what `{kind}` says."
        raise trouble("DL811", message, help="The record was made by another program than this doselang.") from None
    return type_(**given)


def _read(name: str, value: Json) -> Any:
    """A value of a body as that of a step. Raises ValueError for one of another type."""
    types: tuple[type, ...] = (int,) if name in ("option", "number", "enrolment") else (str,)
    if name == "events" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if not isinstance(value, types) and not (value is None and name in ("level", "part")):
        raise ValueError(name)
    return date.fromisoformat(str(value)) if name == "on" else value


def made_steps(entries: tuple[Effective, ...]) -> tuple[Made, ...]:
    """The steps of a record, corrections applied, in the order of their entries.

    A patient whose name was corrected has the new name in every step.
    """
    found = [
        Made(one.entry.number, step_of(one.entry.number, one.entry.kind, one.body))
        for one in entries
        if one.body is not None and one.entry.kind in KINDS
    ]
    return tuple(evolve(made, step=renamed(made.step, found)) for made in found)


def renamed(step: Step, steps: Sequence[Made]) -> Step:
    """A step with the name of its patient as the entry of entering has it now."""
    if not isinstance(step, Outcome | Treated):
        return step
    entered = next((made.step for made in steps if made.number == step.enrolment), None)
    return evolve(step, patient=entered.patient) if isinstance(entered, Enrol) else step
