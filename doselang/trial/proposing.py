"""Whether a step is permitted: set against the record, which it must not contradict, and against the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from attrs import evolve, frozen

from doselang.conduct.advice import Advice, advise
from doselang.conduct.advised import now_words, rules_behind
from doselang.conduct.judging import Judged, Judgement, judge_next_cycle
from doselang.record.entries import Body
from doselang.trial.contradictions import Contradiction, contradiction
from doselang.trial.following import Change, changes_between, follow, judged_as, number_of
from doselang.trial.opening import Trial, with_step
from doselang.trial.steps import Enrol, Made, Note, Outcome, Step

Answer = Literal["permitted", "against the rules", "left open", "contradicts the record"]


@frozen
class Said:
    """What the rules said at some time: where the trial stood, what might be done, and why."""

    advice: Advice

    @property
    def history(self) -> str:
        return self.advice.now.history

    @property
    def words(self) -> str:
        return now_words(self.advice)

    @property
    def rules(self) -> tuple[str, ...]:
        return rules_behind(self.advice)

    def body(self) -> Body:
        """As an entry keeps it."""
        return {"history": self.history, "now": self.words, "rules": list(self.rules)}


@frozen
class Proposed:
    """A step that was set against the record and the rules; nothing is written yet.

    `number` is that of its entry, `step` None where one is to be withdrawn. `contradiction` says what in the record it
    cannot be true with: then nothing else was asked. `judged` is the step judged, None where the rules have no say, as
    of an outcome. `before` is what the rules said on that day, `after` what they say today, the step included.
    `changes` are other steps that would be judged otherwise than before.
    """

    number: int
    step: Step | None
    contradiction: Contradiction | None = None
    judged: Judged | None = None
    before: Said | None = None
    after: Said | None = None
    changes: tuple[Change, ...] = ()

    @property
    def answer(self) -> Answer:
        """Whether the step is permitted. One that makes another step a deviation is not, unless it is an outcome."""
        if self.contradiction is not None:
            return "contradicts the record"
        if self.judged is None:
            return "permitted"
        if self.judged.verdict == "deviated" or self.spoiled:
            return "against the rules"
        return "permitted" if self.judged.verdict == "followed" else "left open"

    @property
    def spoiled(self) -> tuple[Change, ...]:
        """Steps that were as the rules say, and would no longer be."""
        return tuple(change for change in self.changes if change.before.verdict == "followed")


def advice_on(trial: Trial, on: date) -> tuple[Judgement, Advice]:
    """The trial judged until a day, and what may be done on it, by the protocol of that day."""
    judgement = follow(trial, trial.steps, on, trial.on_day(on))
    return judgement, advise(judgement.standing, on)


def propose(trial: Trial, step: Step, today: date) -> Proposed:
    """Set a further step against the record of a trial and the rules; `today` is the day on which it is entered."""
    made = Made(trial.next_number, step)
    steps = with_step(trial, made.number, step)
    refused = contradiction(trial, steps, today)
    if refused is not None:
        return Proposed(made.number, step, refused)
    before, after = follow(trial, trial.steps, today), follow(trial, steps, today)
    then = follow(trial, trial.steps, step.on, trial.in_force(made))
    judged = None if isinstance(step, Outcome | Note) else _judged_next(trial, steps, after, then, made)
    return Proposed(
        made.number,
        _told_part(trial, made, judged),
        judged=judged,
        before=Said(advise(then.standing, step.on)),
        after=Said(advise(after.standing, today)),
        changes=changes_between(before, after),
    )


def propose_correction(trial: Trial, number: int, step: Step | None, today: date) -> Proposed:
    """Set a correction of an entry against the record; None withdraws the step.

    What was done is not asked to be permitted: the correction says what was done. `changes` has all steps that are
    judged otherwise, the corrected one included.
    """
    steps = with_step(trial, number, step)
    refused = contradiction(trial, steps, today)
    if refused is not None:
        return Proposed(number, step, refused)
    before, after = follow(trial, trial.steps, today), follow(trial, steps, today)
    return Proposed(
        number,
        step,
        before=Said(advise(before.standing, today)),
        after=Said(advise(after.standing, today)),
        changes=changes_between(before, after),
    )


def _judged_next(trial: Trial, steps: Sequence[Made], after: Judgement, then: Judgement, made: Made) -> Judged:
    """The step as the whole trial has it, by the protocol of its day; of a cycle, by the levels closed before it."""
    place = trial.in_force(made)
    of_its_day = after if place == len(trial.protocols) - 1 else follow(trial, steps, made.step.on, place)
    whole = next(step for step in after.steps if number_of(step) == made.number)
    judged = next(step for step in of_its_day.steps if number_of(step) == made.number)
    if judged.verdict == "followed" and judged.cycle is not None:
        judged = judge_next_cycle(then.standing, of_its_day.conducted, judged)
    return judged_as(whole, judged)


def _told_part(trial: Trial, made: Made, judged: Judged | None) -> Step:
    """The step with the part that the patient entered by the rules, where it was not said."""
    if not isinstance(made.step, Enrol) or judged is None or judged.part is None:
        return made.step
    parts = trial.protocols[trial.in_force(made)].protocol.parts
    return evolve(made.step, part=parts[judged.part].name)
