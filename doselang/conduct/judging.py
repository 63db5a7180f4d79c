"""A trial as it was conducted, set against the rules: every decision is judged on what was known that day.

Where the trial left its rules it is followed from what it did: who was treated counts where he was treated, and what
was stopped or closed against the rules stays so.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date
from typing import Literal

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.conduct.advice import Advice, advise
from doselang.conduct.conducted import Conducted, Cycle, Decided, Patient
from doselang.conduct.days import Event, Windows, cycles_of, events_of, windows_of
from doselang.conduct.standing import CohortOf, Standing, ways_to
from doselang.conduct.treatments import closed_before, courses_astray
from doselang.machine.columns import NONE_ANY_MORE, NONE_DECLARED
from doselang.machine.compiling import Machine
from doselang.machine.course import compile_course
from doselang.machine.exits import Accrual
from doselang.machine.followed import Look, Replay
from doselang.machine.notation import INEVALUABLE, HistoryError
from doselang.machine.records import CLOSED

Verdict = Literal["followed", "deviated", "undecided", "not judged"]
Fault = Literal[
    "wrong level",  # the rules had patients enter elsewhere
    "closed level",  # at a level closed as too toxic
    "too early",  # while the decision waited for outcomes
    "after the end",  # the rules had ended the trial
    "nobody chose",  # before people had chosen what comes next
    "not asked",  # people chose, and no rule asked them
    "no such option",  # people chose what a rule does not leave them
    "wrong verdict",  # a verdict that the rules do not give, or not there, or not yet
    "not closed",  # a level was closed that the rules do not close
    "not stopped",  # the trial was stopped, and the rules go on
    "escalated in a patient",  # a patient was given a higher level than before
    "wrong course",  # a patient was treated in a cycle as the rules do not say
]


@frozen
class Judged:
    """One thing that the trial did, and whether the rules say so.

    `patient` entered, unless a `cycle` of the patient's treatment is judged. `rules` are the rules that were followed;
    `said` is what might have been done, where it is not what was done, and `why` the same of a cycle, in words.
    """

    verdict: Verdict
    on: date | None
    patient: Patient | None = None
    decided: Decided | None = None
    cycle: Cycle | None = None
    part: int | None = None
    fault: Fault | None = None
    rules: tuple[str, ...] = ()
    said: Advice | None = None
    why: str = ""
    remark: str = ""
    """What is to be noted though the rules were followed."""


@frozen
class Judgement:
    """A trial judged to its end, or to a day: all that it did, in order, and where it stands.

    `lost` says why the rules could not be followed any further, None where they were.
    """

    conducted: Conducted
    windows: Windows
    on: date | None
    steps: tuple[Judged, ...]
    standing: Standing
    lost: str | None = None

    @property
    def deviations(self) -> tuple[Judged, ...]:
        return tuple(step for step in self.steps if step.verdict == "deviated")


def judge(
    machine: Machine,
    conducted: Conducted,
    on: date | None = None,
    accrual: Accrual = "one-at-a-time",
    *,
    hindsight: Container[str] = (),
) -> Judgement:
    """Judge what a trial did until a day, that day included; None for all of it.

    Of those whose names are in `hindsight` two one after the other against the rules at one level are a cohort, and the
    second is not against the rules. Each of the others is by himself, and makes no room for the next.
    """
    windows = windows_of(machine.protocol)
    judging = _Judge(machine, conducted, accrual, windows, hindsight)
    for event in events_of(conducted, windows, on):
        judging.meet(event)
    judging.end(on)
    judging.steps += _courses(machine, conducted, judging.standing.followed)
    return Judgement(conducted, windows, on, tuple(judging.steps), judging.standing, judging.lost)


NOTHING = -1


@define
class _Judge:
    """Goes through a trial, event by event."""

    machine: Machine
    conducted: Conducted
    accrual: Accrual
    windows: Windows
    hindsight: Container[str]
    steps: list[Judged] = field(factory=list)
    standing: Standing = field(init=False)
    lost: str | None = None
    implied: int = NOTHING
    """The option that people chose, as where a patient is treated shows, if no decision says so."""
    assumed: int = NOTHING
    """The option that was taken to be chosen so last, and may still be put on record."""
    early: list[Event] = field(factory=list)
    """Choices of this day that nobody is asked for yet: a patient who enters on the same day may bring them about."""

    def __attrs_post_init__(self) -> None:
        self.standing = Standing(self.machine, self.conducted.patients, self.windows, self.accrual)

    def meet(self, event: Event) -> None:
        """Judge what happened, and go on from it."""
        if self.early and event.on != self.early[0].on:
            self.give_up_waiting()
        if event.on is not None and self._too_early(event):
            self.early.append(event)
            return
        self._meet(event)
        while event.enters and self.early and not self._too_early(self.early[0]):
            self._meet(self.early.pop(0))

    def give_up_waiting(self) -> None:
        """Judge choices that nobody came to be asked for."""
        while self.early:
            self._meet(self.early.pop(0))

    def _too_early(self, event: Event) -> bool:
        """Whether people choose, and at present nobody is asked, and none entered by that choice."""
        if self.lost is not None or event.decided is None or event.decided.what != "chosen":
            return False
        look = self.standing.look
        return (look is None or look.branch is not None) and self.assumed != event.decided.option

    def _meet(self, event: Event) -> None:
        number = event.patient
        entering = self.conducted.patients[number] if number is not None and event.enters else None
        try:
            if self.lost is None:
                self.standing.at(event.on)
            if self.lost is None and event.decided is not None:
                self.steps.append(self._decided(event.decided))
            elif self.lost is None and number is not None and event.enters:
                self.steps.append(self._entered(number, event.on))
            elif self.lost is None and number is not None and event.later:
                self.standing.worsen(number)
            elif self.lost is None and number is not None:
                self.standing.know(number)
            elif entering is not None or event.decided is not None:
                self.steps.append(Judged("not judged", event.on, entering, event.decided))
        except HistoryError as error:
            self.lost = self.standing.lost = error.message
            if entering is not None or event.decided is not None:
                self.steps.append(Judged("not judged", event.on, entering, event.decided, why=error.message))

    def end(self, on: date | None) -> None:
        """Come to the day that is asked for: who was held may be of a cohort by then."""
        self.give_up_waiting()
        if on is None or self.lost is not None:
            return
        try:
            self.standing.at(on)
        except HistoryError as error:
            self.lost = self.standing.lost = error.message

    # ---- a patient enters ----

    def _entered(self, number: int, today: date | None) -> Judged:
        patient, standing = self.conducted.patients[number], self.standing
        if standing.look is not None and standing.look.branch is None:
            self._choose_by_level(standing.look, patient)
        cohort = standing.fitting(patient, today) or self._fitting_if_left(patient, today)
        if cohort is not None:
            first, implied = not cohort.patients, self.implied
            rules = _rules_of(standing.followed) if first else ()
            standing.join(number, cohort)
            remark = (
                f"option [{implied + 1}] was chosen, by that; no such decision is on record" if implied >= 0 else ""
            )
            self.implied, self.assumed = NOTHING, implied if implied >= 0 else self.assumed
            return Judged("followed", today, patient, part=cohort.part, rules=rules, remark=remark)
        step = _astray(standing, patient, today)
        self._go_on(number, step)
        return step

    def _fitting_if_left(self, patient: Patient, today: date | None) -> CohortOf | None:
        """The cohort of a patient in the place of one who has left on a day that nobody noted."""
        for cohort in self.standing.open if today is not None else ():
            for one in cohort.patients:
                left = self.conducted.patients[one]
                if cohort.level == patient.level and left.outcome == INEVALUABLE and left.known is None:
                    self.standing.know(one)
        return self.standing.fitting(patient, today)

    def _choose_by_level(self, look: Look, patient: Patient) -> None:
        """What people chose shows in where the next patient is treated, if only one option leads there."""
        ways = list(ways_to(look, patient.level, patient.part))
        if len({way.decision.answers for way in ways}) == 1:
            said = self.standing.groups()[-1].chosen
            for _, option in ways[0].choices[len(said) :]:
                self.standing.choose(option)
                self.implied = option

    def _go_on(self, number: int, step: Judged) -> None:
        """Follow what the trial did: a new cohort if the next patient is treated at the level too, else one patient."""
        assert step.part is not None
        later = self.conducted.patients[number + 1 : number + 2]
        again = any(one.level == self.conducted.patients[number].level and one.name in self.hindsight for one in later)
        if step.verdict == "undecided" or (again and step.fault != "too early"):
            self.standing.open_instead(number, step.part)
        elif step.fault == "too early":
            self.standing.hold(number)
        else:
            self.standing.put_aside(number, step.part)

    # ---- a decision that is on record ----

    def _decided(self, decided: Decided) -> Judged:
        followed = self.standing.followed
        match decided.what:
            case "chosen":
                return self._chosen(decided)
            case "declared":
                fault: Fault | None = None if _declared(followed, decided) else "wrong verdict"
            case "closed":
                assert decided.level is not None
                fault = None if is_closed(followed, decided.level) else "not closed"
            case "stopped":
                stopped = followed.frame.end >= 0 and not _undecided(followed)
                fault = None if stopped else "not stopped"
        if fault is None:
            return Judged("followed", decided.on, decided=decided, rules=_rules_of(followed))
        verdict: Verdict = "undecided" if _undecided(followed) or followed.unreplaced else "deviated"
        step = Judged(verdict, decided.on, decided=decided, fault=fault, said=advise(self.standing, decided.on))
        if decided.what == "stopped":
            self.standing.stopped = True
        elif decided.what == "closed" and decided.level is not None:
            self.standing.barred.add(decided.level)
        elif decided.what == "declared":
            self.standing.contrary = decided
        return step

    def _chosen(self, decided: Decided) -> Judged:
        assert decided.option is not None
        look, said = self.standing.look, advise(self.standing, decided.on)
        if self.assumed == decided.option and (look is None or look.branch is not None):
            self.assumed, late = NOTHING, "a patient had entered by it before"
            return Judged("followed", decided.on, decided=decided, remark=late)
        if look is None or look.branch is not None:
            return Judged("deviated", decided.on, decided=decided, fault="not asked", said=said)
        try:
            self.standing.choose(decided.option)
        except HistoryError:
            return Judged("deviated", decided.on, decided=decided, fault="no such option", said=said)
        return Judged("followed", decided.on, decided=decided, rules=_rules_of(self.standing.followed))


def judge_next_cycle(standing: Standing, conducted: Conducted, judged: Judged) -> Judged:
    """Judge the last cycle of a patient, which was right, by the levels that are closed by now.

    In a trial that is judged as a whole a level may have been closed after a cycle; here it was before.
    """
    machine, patient, last = standing.machine, judged.patient, judged.cycle
    course = compile_course(machine.protocol)
    assert course is not None and patient is not None and last is not None
    closed = tuple(n for n in range(machine.levels) if is_closed(standing.followed, n) or n in standing.barred)
    cycles = [cycle for cycle in cycles_of(conducted)[patient.name] if cycle.number <= last.number]
    why = closed_before(course, patient, cycles, closed)
    return judged if why is None else evolve(judged, verdict="deviated", fault="wrong course", why=why)


def _astray(standing: Standing, patient: Patient, today: date | None) -> Judged:
    """What is said of a patient whom the rules do not let enter."""
    followed = standing.followed
    part = followed.frame.part if patient.part is None else patient.part
    undecided = followed.unreplaced or _undecided(followed)
    fault = None if undecided else _fault(standing, patient, today)
    verdict: Verdict = "undecided" if undecided else "deviated"
    return Judged(verdict, today, patient, part=part, fault=fault, said=advise(standing, today))


def _fault(standing: Standing, patient: Patient, today: date | None) -> Fault:
    followed = standing.followed
    look = followed.last
    if is_closed(followed, patient.level) or patient.level in standing.barred:
        return "closed level"
    if followed.frame.end >= 0 or standing.stopped:
        return "after the end"
    if look is not None and look.branch is None:
        return "nobody chose"
    return "wrong level" if standing.places(today) else "too early"


def _courses(machine: Machine, conducted: Conducted, followed: Replay) -> list[Judged]:
    """The cycles of patients' treatment, judged by the rules of the patient's course."""
    course = compile_course(machine.protocol) if conducted.cycles else None
    if course is None:
        return []
    closed = tuple(level for level in range(machine.levels) if is_closed(followed, level))
    astray = {one.patient.name: one for one in courses_astray(course, conducted, closed)}
    found = []
    for patient in conducted.patients:
        for cycle in cycles_of(conducted).get(patient.name, []):
            wrong = astray.get(patient.name)
            if wrong is None or cycle.number < wrong.cycle.number:
                found.append(Judged("followed", None, patient, cycle=cycle))
            elif cycle.number == wrong.cycle.number:
                found.append(Judged("deviated", None, patient, cycle=cycle, fault=wrong.fault, why=wrong.why))
            else:
                found.append(Judged("not judged", None, patient, cycle=cycle))
    return found


def is_closed(followed: Replay, level: int) -> bool:
    """Whether a level is closed as too toxic, however the pending patients turn out."""
    return bool(np.all(followed.machine.records.column(CLOSED)[followed.codes[:, level]]))


def _undecided(followed: Replay) -> bool:
    """Whether the rules leave open what comes next."""
    look = followed.last
    return look is not None and any(branch.decision.undecided is not None for branch in look.ways)


def _rules_of(followed: Replay) -> tuple[str, ...]:
    """The rules by which the last look was decided, in the order of the questions; none before the first."""
    look = followed.last
    if look is None or look.branch is None:
        return ()
    part = followed.machine.parts[look.frame.part]
    return tuple(dict.fromkeys(part.part.rules[part.lines[line].rule].name for line in look.branch.decision.lines))


def _declared(followed: Replay, decided: Decided) -> bool:
    """Whether the rules have declared a verdict as the trial did."""
    assert decided.verdict is not None
    standing = followed.frame.verdicts[decided.verdict]
    if decided.level is None:
        return standing in (NONE_DECLARED, NONE_ANY_MORE)
    return standing == decided.level
