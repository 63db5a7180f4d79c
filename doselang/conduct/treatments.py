"""The courses of a trial's patients, set against the rules of the patient's course, cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from doselang.conduct.conducted import Conducted, Cycle, Patient
from doselang.conduct.days import cycles_of
from doselang.conduct.patients import follow
from doselang.machine.course import CourseMachine
from doselang.machine.notation import HistoryError

CourseFault = Literal["escalated in a patient", "wrong course"]


@frozen
class CourseStep:
    """A cycle that is not as the rules say: the patient, the cycle, what is wrong, and why in words."""

    patient: Patient
    cycle: Cycle
    fault: CourseFault
    why: str


def courses_astray(course: CourseMachine, conducted: Conducted, closed: tuple[int, ...]) -> Iterator[CourseStep]:
    """The first cycle of each patient that the rules do not lead to.

    `closed` are the levels that are closed as too toxic by now; a cycle is right if it is with them closed or not,
    since a level may have been closed after it.
    """
    by_name = {patient.name: patient for patient in conducted.patients}
    for name, cycles in cycles_of(conducted).items():
        patient = by_name[name]
        for number in range(1, len(cycles) + 1):
            wrong = _wrong(course, patient, cycles[:number], closed)
            if wrong is not None:
                yield CourseStep(patient, cycles[number - 1], _fault(course, patient, cycles[:number]), wrong)
                break


def _wrong(course: CourseMachine, patient: Patient, cycles: list[Cycle], closed: tuple[int, ...]) -> str | None:
    """Why the rules do not lead to the last of some cycles; None where they do."""
    said = None
    for levels in dict.fromkeys(((), closed)):
        try:
            follow(course, history_words(course, patient, cycles), levels)
        except HistoryError as error:
            said = error.message
        else:
            return None
    return said


def closed_before(
    course: CourseMachine, patient: Patient, cycles: list[Cycle], closed: tuple[int, ...]
) -> str | None:  # fmt: skip
    """Why a patient may not go on, in the last of some cycles, at another level than before, which was closed by then.

    None where the patient may. `closed` are the levels that were closed as too toxic when that cycle began.
    """
    before = cycles[-2].level if len(cycles) > 1 else patient.level
    if cycles[-1].level == before or cycles[-1].level not in closed:
        return None
    try:
        follow(course, history_words(course, patient, cycles), closed)
    except HistoryError as error:
        return error.message
    return None


def _fault(course: CourseMachine, patient: Patient, cycles: list[Cycle]) -> CourseFault:
    before = cycles[-2].level if len(cycles) > 1 else patient.level
    above = course.setting.relations.above[before, cycles[-1].level]
    return "escalated in a patient" if above else "wrong course"


def history_words(course: CourseMachine, patient: Patient, cycles: list[Cycle]) -> str:
    """A patient's history in its notation: `2 . U 1 .`."""
    labels = [level.label for level in course.protocol.levels]
    words, level = [labels[patient.level]], patient.level
    for cycle in cycles:
        if cycle.level != level:
            words.append(labels[cycle.level])
            level = cycle.level
        letters = "".join(course.course.events[event].letter for event in cycle.events)
        words.append("." if not letters else letters if len(letters) == 1 else f"({letters})")
    return " ".join(words)
