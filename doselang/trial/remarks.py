"""What is said loudly of a step that is entered all the same: a day or a name that may be a slip."""

from __future__ import annotations

from doselang.conduct.advice import Advice
from doselang.resolve.names import listing, shorten
from doselang.trial.opening import Trial
from doselang.trial.proposing import Proposed
from doselang.trial.steps import Choose, Enrol, Step
from doselang.trial.wording import is_same_body


def remarks(trial: Trial, proposed: Proposed) -> tuple[str, ...]:
    """What is to be looked at again of a step that was entered, sentence by sentence."""
    step = proposed.step
    if step is None:
        return ()
    before = None if proposed.judged is None else proposed.before
    asked = None if before is None else _another_body(step, before.advice) or _nobody_chose(step, before.advice)
    return tuple(remark for remark in (before_the_trial(trial, step), asked) if remark is not None)


def before_the_trial(trial: Trial, step: Step) -> str | None:
    """That a step is of a day on which the trial had not begun, by its first entry."""
    begun = trial.protocols[0].since
    return None if step.on >= begun else f"{step.on} is before {begun}, on which the trial began by entry 1."


def _asked(advice: Advice) -> list[str]:
    """The bodies that the protocol asks at this look."""
    choices = [choice.gate for way in advice.now.ways for choice in way.answer.choices]
    return [advice.now.protocol.bodies[body].name for body in sorted({gate.body for gate in choices if gate.body >= 0})]


def _nobody_chose(step: Step, advice: Advice) -> str | None:
    """That a patient entered as if people had chosen, and nothing says that they did."""
    if not isinstance(step, Enrol) or advice.action != "choose":
        return None
    names = listing(_asked(advice), "or", mark="") or "people"
    return f"The protocol asks {names} to choose before that, and no choice is on record: enter it with `choose`."


def _another_body(step: Step, advice: Advice) -> str | None:
    """That somebody else chose than the body which the protocol asks at this look."""
    names = _asked(advice)
    if not isinstance(step, Choose) or not names or any(is_same_body(step.by, name) for name in names):
        return None
    return f"The protocol asks {listing(names, 'or', mark='')} to choose, and not {shorten(step.by, 40)}."
