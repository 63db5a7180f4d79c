"""What is wrong with a history that the rules do not lead to, in words."""

from __future__ import annotations

from attrs import evolve

from doselang.machine.decisions import Branch, Outcome
from doselang.machine.followed import Beside
from doselang.machine.moves import moves_of
from doselang.machine.notation import (
    CLEAR_SO_FAR,
    INEVALUABLE,
    PENDING,
    Group,
    HistoryError,
    cohort_label,
    write_group,
    write_history,
)
from doselang.machine.states import Frame
from doselang.protocol.model import Protocol
from doselang.protocol.words import level_words, moves_words
from doselang.resolve.names import listing

UNREPLACED = "a patient was inevaluable, and no rule says whether another takes the place"


def _error(group: Group, message: str) -> HistoryError:
    return HistoryError(message, group.span.start, group.span.end)


MOST_COMPLETIONS = 20_000
"""In so many ways patients who are pending at one time may turn out."""

MOST_QUOTED = 12
"""A longer history is quoted by its end."""


def _quoted(groups: tuple[Group, ...], protocol: Protocol) -> str:
    left_out = "… " if len(groups) > MOST_QUOTED else ""
    return f"`{left_out}{write_history(groups[-MOST_QUOTED:], protocol)}`"


def _patients(number: int) -> str:
    return "one patient" if number == 1 else f"{number} patients"


def check_start(protocol: Protocol, group: Group) -> None:
    """Raise if the first cohort is not where the trial begins."""
    if (group.part, group.level) != (0, protocol.start):
        start, head = cohort_label(0, protocol.start, protocol), cohort_label(group.part, group.level, protocol)
        level = level_words(protocol, protocol.start)
        raise _error(group, f"The trial begins at {level}, with `{start}…`, not with `{head}…`.")


def too_many(group: Group) -> HistoryError:
    return _error(group, "Too many patients are pending at one time: they can turn out in too many ways.")


# ---- inside a cohort ----


def check_size(protocol: Protocol, group: Group, size: int) -> None:
    """Raise if a cohort has more patients than places; one who is replaced takes none."""
    replaced = group.letters.count(INEVALUABLE) if protocol.replaces_inevaluable else 0
    places = len(group.letters) - replaced
    if places > size:
        words = write_group(evolve(group, chosen=()), protocol)
        raise _error(group, f"The cohort `{words}` is to have {_patients(size)}, not {places}.")


def letters_after(letters: str, known: int) -> str:
    """The letters after so many outcomes of evaluable patients."""
    for position, letter in enumerate(letters):
        if known == 0:
            return letters[position:]
        known -= letter not in PENDING + CLEAR_SO_FAR + INEVALUABLE
    return ""


def check_leavers(protocol: Protocol, group: Group, taken: int, size: int, after: str) -> None:
    """Raise if more patients became inevaluable after the look than can have been pending then."""
    if after.count(INEVALUABLE) > size - taken and after.count(INEVALUABLE):
        before = evolve(group, letters=group.letters[: len(group.letters) - len(after)], chosen=())
        words = write_group(before, protocol)
        raise _error(
            group, f"The cohort ends with `{words}`: of {_patients(size)} there are not enough left for `{after}`."
        )


def nobody_asked(protocol: Protocol, groups: tuple[Group, ...]) -> HistoryError:
    written = _quoted((*groups[:-1], evolve(groups[-1], chosen=())), protocol)
    return _error(groups[-1], f"Nobody is asked to choose after {written}: leave out the square brackets.")


def chosen(protocol: Protocol, groups: tuple[Group, ...], outcome: Outcome) -> tuple[Branch, ...]:
    """The ways that are left by what the history says people chose; raises if there is no such option."""
    said = groups[-1].chosen
    ways = tuple(branch for branch in outcome if _options(branch)[: len(said)] == said)
    if ways:
        return ways
    if not outcome[0].choices:
        raise nobody_asked(protocol, groups)
    written = _quoted((*groups[:-1], evolve(groups[-1], chosen=())), protocol)
    options = listing(["".join(f"[{n + 1}]" for n in _options(branch)) for branch in outcome], "or")
    raise _error(groups[-1], f"There is no such option after {written}: what was chosen is written {options}.")


def _options(branch: Branch) -> tuple[int, ...]:
    return tuple(option for _, option in branch.choices)


# ---- from one cohort to the next; the last of the groups is the one that does not follow ----


def not_complete(protocol: Protocol, groups: tuple[Group, ...], to_enrol: int | None) -> HistoryError:
    """A cohort follows one that waits for `to_enrol` patients; None: it waits for good, by an inevaluable patient."""
    before = _quoted(groups[:-1], protocol)
    if to_enrol is None:
        return _error(groups[-1], f"After {before} nothing follows: {UNREPLACED}.")
    if to_enrol:
        return _error(
            groups[-1], f"After {before} the cohort is not complete: it is to have {_patients(to_enrol)} more."
        )
    return _error(groups[-1], f"After {before} what comes next depends on the patients who are pending.")


def opened_instead(
    protocol: Protocol, groups: tuple[Group, ...], opened: list[tuple[int, int]], branch: Branch, frame: Frame
) -> HistoryError:
    """The rules open other cohorts than the one that follows: those in `opened`, or none, by one `branch`."""
    group, after = groups[-1], f"After {_quoted(groups[:-1], protocol)}"
    if not opened and branch.decision.undecided is not None:
        return _error(group, f"{after} the rules leave open what comes next, and no cohort follows.")
    if not opened:
        words = moves_words(protocol, moves_of(branch.decision.answers, frame.here))
        return _error(group, f"{after} the trial has ended ({words}), and no cohort follows.")
    return opened_elsewhere(protocol, groups, opened)


def opened_elsewhere(protocol: Protocol, groups: tuple[Group, ...], opened: list[tuple[int, int]]) -> HistoryError:
    """The rules open cohorts, and the one that follows is none of them."""
    group, after = groups[-1], f"After {_quoted(groups[:-1], protocol)}"
    if all(part == group.part for part, _ in opened):
        levels = " or ".join(dict.fromkeys(level_words(protocol, level) for _, level in opened))
        return _error(group, f"{after} the rules open {levels}, not {level_words(protocol, group.level)}.")
    heads = " or ".join(dict.fromkeys(f"`{cohort_label(*place, protocol)}…`" for place in opened))
    return _error(group, f"{after} the rules open {heads}, not `{cohort_label(group.part, group.level, protocol)}…`.")


def not_beside(
    protocol: Protocol, groups: tuple[Group, ...], since: int, opened: list[tuple[int, int]]
) -> HistoryError:
    """What follows patients beside a cohort is no cohort opened with them; the groups since the look begin there."""
    group = groups[-1]
    twin = next((one for one in groups[since:-1] if (one.part, one.level) == (group.part, group.level)), None)
    if twin is None:
        return opened_elsewhere(protocol, groups, opened)
    one = write_group(evolve(group, letters=twin.letters + group.letters, chosen=()), protocol)
    return _error(group, f"Patients who enter beside a cohort at one level are one group: `{one}`.")


def beside_awaited(protocol: Protocol, groups: tuple[Group, ...], awaited: tuple[Beside, ...]) -> HistoryError:
    """A cohort follows one whose look waits for patients beside it."""
    group = groups[-1]
    if any(one.level == group.level and one.known + one.pending == 0 for one in awaited):
        last = write_group(evolve(groups[-2], chosen=()), protocol)
        own = write_group(evolve(group, chosen=(), against=""), protocol)
        return _error(group, f"Patients who enter beside a cohort are written before it: `{own} {last}`.")
    waits = listing([_beside_words(protocol, one) for one in awaited], mark="")
    return _error(group, f"After {_quoted(groups[:-1], protocol)} the look waits for the patients beside it: {waits}.")


def _beside_words(protocol: Protocol, one: Beside) -> str:
    """`2 outcomes at level 1`: of patients who are pending, and of those still to be enrolled."""
    number = one.size - one.known
    return f"{number} outcome{'' if number == 1 else 's'} at {level_words(protocol, one.level)}"


def nobody_enters(protocol: Protocol, groups: tuple[Group, ...]) -> HistoryError:
    """In a rolling part: the rules let nobody enter before more is known."""
    return _error(
        groups[-1],
        f"After {_quoted(groups[:-1], protocol)} the next patient waits until another outcome is known.",
    )


def several_ways(protocol: Protocol, groups: tuple[Group, ...], leading: list[Branch]) -> HistoryError:
    """What people chose is not written: some options open the cohort that follows."""
    head = cohort_label(groups[-1].part, groups[-1].level, protocol)
    written = [write_group(evolve(groups[-2], chosen=_options(branch)), protocol) for branch in leading]
    if len(written) == 1:
        return _error(groups[-1], f"Only what is chosen leads to `{head}…`: write {listing(written)} if it was.")
    return _error(groups[-1], f"Several options lead to `{head}…`: write which was chosen, {listing(written, 'or')}.")
