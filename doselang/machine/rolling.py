"""What can come in a rolling part: a patient, at whose arrival the rules are asked, or an outcome that was pending."""

from __future__ import annotations

from attrs import evolve

from doselang.machine.composing import waits
from doselang.machine.decisions import Answers, Branch, Decision, GoesOn, Opened, Outcome
from doselang.machine.exits import Accrual, Exit
from doselang.machine.records import Arrival, Known

GOES_ON: Outcome = (Branch((), Decision(Answers(next=GoesOn()), ((), (), ()))),)
SETTLED: Outcome = (Branch((), Decision(Answers(next=GoesOn(settled=True)), ((), (), ()))),)
"""What it comes to when patients enter or become known without a look, and when the last of a part is known."""


def entering(size: int, classes: int) -> tuple[Exit, ...]:
    """The one exit of patients who are entering."""
    return (Exit((0,) * classes, 1.0, "", True, GOES_ON, Arrival(size)),)


def settling(part: int, pending: tuple[int, ...], at: int, classes: int) -> tuple[Exit, ...]:
    """The exits where the pending patients, by level, of a part that has been left become known one by one."""
    level = next(level for level, number in enumerate(pending) if number)
    return _known(part, level - at, classes, SETTLED if sum(pending) == 1 else GOES_ON)


def rolling(
    part: int, look: Outcome, pending: tuple[int, ...], here: int, classes: int, accrual: Accrual
) -> tuple[Exit, ...]:
    """The exits of a rolling part, given the look at an arrival, by which the next patient may have to wait.

    Which comes first is a matter of accrual: one at a time, an outcome whenever somebody is pending; as fast as the
    rules allow, an arrival unless it waits. Of several levels those come first at which nobody enters any more.
    """
    levels = sorted((level for level, number in enumerate(pending) if number), key=lambda level: (level == here, level))
    arrives = not levels or not (waits(look) or accrual == "one-at-a-time")
    if accrual != "any-order":
        levels = [] if arrives else levels[:1]
    exits = [exit for level in levels for exit in _known(part, level - here, classes, GOES_ON)]
    if arrives:
        outcome = tuple(_settles(branch) for branch in look) if any(pending) else look
        exits.append(Exit((0,) * classes, 1.0, "", True, outcome))
    return tuple(exits)


def _known(part: int, aside: int, classes: int, outcome: Outcome) -> tuple[Exit, ...]:
    """The outcomes of one pending patient."""
    counts = [tuple(int(k == letter) for k in range(classes)) for letter in range(classes)]
    return tuple(
        Exit(counts[letter], 1.0, str(letter), True, outcome, Known(part, letter), aside) for letter in range(classes)
    )


def _settles(branch: Branch) -> Branch:
    """The branch, marked if it leaves the part."""
    following = branch.decision.answers.next
    within = isinstance(following, Opened) and following.part is None and branch.decision.undecided is None
    return branch if within or isinstance(following, GoesOn) else evolve(branch, settles=True)
