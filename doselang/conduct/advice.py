"""What may be done now in a trial: who may enter where, who is waited for, what comes of what is still to be known."""

from __future__ import annotations

from datetime import date
from typing import Literal

from attrs import evolve, frozen

from doselang.conduct.accounts import Explanation, LevelTally, Status
from doselang.conduct.conducted import Decided, Patient
from doselang.conduct.explain import account
from doselang.conduct.pathways import CohortSeen, ahead
from doselang.conduct.standing import Place, Standing
from doselang.machine.followed import Replay
from doselang.machine.notation import CLEAR_SO_FAR
from doselang.machine.replay import replay

Action = Literal["enrol", "wait", "choose", "ended", "undecided"]


@frozen
class Awaited:
    """A patient whose outcome is not known, and the day on which the window ends, None where that is not known."""

    patient: Patient
    until: date | None


@frozen
class Advice:
    """What may be done now, and why.

    `places` are where patients may enter, the cohort whose look comes next first. `basis` is the account of the look
    that led here: `now` itself where the history ends with a look, None while the first cohort goes on. `ahead` is
    every look that the cohort can come to; `result` the level of the trial's verdict, None where there is none; `on`
    the day that is asked for, None in a trial without days. `barred` are levels at which the rules have places, and
    that were closed against them, `contrary` is what was declared against them, and `lost` says why they are not
    followed any further: no advice then. `held` are patients who entered too early, and are of no cohort yet.
    """

    action: Action
    now: Explanation
    basis: Explanation | None
    places: tuple[Place, ...]
    awaited: tuple[Awaited, ...]
    ahead: tuple[CohortSeen, ...]
    result: int | None
    on: date | None = None
    barred: tuple[int, ...] = ()
    lost: str | None = None
    contrary: Decided | None = None
    held: tuple[Patient, ...] = ()


def advise_after(followed: Replay) -> Advice:
    """What may be done after a history, in which patients have no names and no days."""
    return _advice(followed, _places(followed), (), None)


def advise(standing: Standing, on: date | None = None) -> Advice:
    """What may be done in a trial as it stands on a day."""
    patients = [standing.patients[number] for number in standing.pending]
    awaited = tuple(Awaited(patient, standing.windows.cleared(patient)) for patient in patients)
    advice = _advice(standing.followed, tuple(standing.places(on)), awaited, on)
    held = tuple(standing.patients[number] for number in standing.held)
    advice = evolve(advice, held=held, now=evolve(advice.now, tallies=_tallies(advice.now, standing)))
    if standing.lost is not None:
        return evolve(advice, action="undecided", places=(), ahead=(), lost=standing.lost)
    if standing.stopped:
        return evolve(advice, action="ended", ahead=())
    if standing.contrary is not None and advice.action != "undecided":
        return evolve(advice, action="undecided", places=(), ahead=(), contrary=standing.contrary)
    barred = tuple(sorted({one.level for one in standing.open if standing.free(one, on)} & standing.barred))
    return evolve(advice, action="undecided", ahead=(), barred=barred) if barred and not advice.places else advice


def _tallies(now: Explanation, standing: Standing) -> tuple[LevelTally, ...]:
    """The levels as they are, whatever the rules say: closed against them, or not open any more."""

    def status(one: LevelTally) -> Status:
        if one.level in standing.barred:
            return "closed"
        return "tried" if standing.stopped and one.status == "open" else one.status

    return tuple(evolve(one, status=status(one)) for one in now.tallies)


def _advice(followed: Replay, places: tuple[Place, ...], awaited: tuple[Awaited, ...], on: date | None) -> Advice:
    result = followed.frame.verdicts[followed.machine.protocol.result]
    return Advice(
        _action(followed, places), account(followed), _basis(followed), places, awaited, ahead(followed),
        result if result >= 0 else None, on,
    )  # fmt: skip


def _action(followed: Replay, places: tuple[Place, ...]) -> Action:
    look = followed.last
    if followed.unreplaced or (look is not None and any(way.decision.undecided for way in look.ways)):
        return "undecided"
    if look is not None and look.branch is None:
        return "choose"
    if followed.frame.end >= 0:
        return "ended"
    return "enrol" if places else "wait"


def _basis(followed: Replay) -> Explanation | None:
    """The account of the last look: that of the history, or of as much of it as led to the cohort that goes on."""
    if followed.last is not None:
        return account(followed)
    looks = [look for look in followed.steps if look.branch is not None and not look.goes_on]
    if not looks or followed.machine.protocol.parts[followed.frame.part].rolling:
        return None
    return account(replay(followed.machine, followed.groups[: looks[-1].group + 1], followed.accrual))


def _places(followed: Replay) -> tuple[Place, ...]:
    """Where patients may enter after a history."""
    frame, waiting, look = followed.frame, followed.waiting, followed.last
    if followed.unreplaced or frame.end >= 0 or (look is not None and look.branch is None):
        return ()
    if look is not None and look.goes_on:
        return (Place(frame.part, frame.here, frame.orders[0].size - 1),)
    beside = () if waiting is None else tuple(Place(frame.part, one.level, one.to_enrol) for one in waiting.beside)
    if waiting is None or not (waiting.known or waiting.pending):
        first = tuple(Place(frame.part, one.level, 1 if one.sentinel else one.size) for one in frame.orders)
    else:
        watched = CLEAR_SO_FAR in followed.groups[-1].letters
        alone = bool(frame.orders) and frame.orders[0].sentinel and not (waiting.known or watched)
        first = (Place(frame.part, frame.here, 0 if alone else waiting.to_enrol),)
    return tuple(place for place in (*first, *beside) if place.free)
