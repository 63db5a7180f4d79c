"""Histories are followed through the machine, with replaced, pending and leaving patients and what people chose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doselang.api import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.machine.followed import Replay, opens
from doselang.machine.moves import ask_again, moves_of
from doselang.machine.notation import HistoryError, history_of, parse_history, write_history
from doselang.machine.replay import Follower, replay
from doselang.machine.states import Frames, Order
from doselang.protocol.guards import NEXT_HIGHER, NEXT_LOWER, THIS, All, CohortComplete, Not, Range, Tally
from doselang.protocol.model import Body, Case, Close, Declare, Enrol, Gate, Part, Protocol, Rule, Stop
from doselang.protocol.words import moves_words
from tests.generate import protocols
from tests.trials import at_completion, committee, levels, of, reference, rule

Accrual = Literal["one-at-a-time", "whole-cohort"]


def follow(protocol: Protocol, history: str, accrual: Accrual = "one-at-a-time") -> Replay:
    groups = parse_history(history, protocol) if history else ()
    return replay(compile_protocol(protocol), groups, accrual)


def decided(protocol: Protocol, history: str, accrual: Accrual = "one-at-a-time") -> str:
    """What is decided at the end of a history, in words; `wait` where nothing is."""
    followed = follow(protocol, history, accrual)
    if followed.last is None:
        return "wait"
    here = followed.last.frame.orders[0].level
    words = [moves_words(protocol, moves_of(way.decision.answers, here)) for way in followed.last.ways]
    return " | ".join(words)


# ---- looks and what follows ----


def test_every_look_is_a_step() -> None:
    followed = follow(reference(), "1NNN 2NTN 2NT")
    assert [step.group for step in followed.steps] == [0, 1, 2]
    assert [step.frame.orders[0] for step in followed.steps] == [Order(0, 3), Order(1, 3), Order(1, 3)]
    assert [bool(step.view.complete[0]) for step in followed.steps] == [True, True, False]
    assert followed.last is followed.steps[-1]
    assert followed.frame.orders == (Order(0, 3),)
    assert not followed.ended
    assert [cohort.counts for cohort in followed.cohorts] == [(3, 0), (2, 1), (1, 1)]


def test_the_end_of_the_trial() -> None:
    followed = follow(reference(), "1TT")
    assert followed.ended and followed.frame.orders == ()
    assert followed.frame.verdicts == (-2,)


def test_before_the_first_patient() -> None:
    followed = follow(reference(), "")
    assert followed.waiting is not None and followed.last is None
    assert (followed.waiting.known, followed.waiting.pending, followed.waiting.to_enrol) == (0, 0, 3)


@pytest.mark.parametrize(
    ("history", "known", "pending", "to_enrol"),
    [
        ("1N", 1, 0, 2),
        ("1T", 1, 0, 2),
        ("1.", 0, 1, 2),
        ("1nN.", 1, 2, 0),
        ("1NN.", 2, 1, 0),
        ("1T.", 1, 1, 1),
        ("1T..", 1, 2, 0),
        ("1NxN", 2, 0, 1),
        ("1xxx", 0, 0, 3),
        ("1NNN 2NxT", 2, 0, 1),
        ("1NNN 2NTN 2NT 1NNN expansion/1NTNN.", 4, 1, 5),
    ],
)
def test_waiting(history: str, known: int, pending: int, to_enrol: int) -> None:
    waiting = follow(reference(), history).waiting
    assert waiting is not None
    assert (waiting.known, waiting.pending, waiting.to_enrol) == (known, pending, to_enrol)


def test_a_look_is_asked_again_as_it_was() -> None:
    followed = follow(reference(), "1NNN 2NTN 2NT")
    look = followed.last
    assert look is not None and look.branch is not None
    asked, views = ask_again(followed.machine, look.frame, look.view, look.branch)
    assert [bool(view.closed()[0, 1]) for view in views] == [False, True, True]
    lines = tuple(i for lines in look.branch.decision.acted for i in lines)
    assert tuple(i for i in range(asked.active.shape[1]) if asked.active[0, i]) == lines
    assert opens(look.branch, look.frame) == [(0, 0)]


HISTORIES = (
    "1.", "1N", "1N.", "1NT", "1NTN", "1NTN 1N", "1NTN +3T 1N", "1NTN +3T 1NN", "1NTN 1NNN", "1NTN 1NNN 2TT", "1NTN",
    "1NTN !3NNN", "1NTN !3NNN 3T", "1NN", "!2NNN", "1NNN 2TT. 1NNN", "1NNN 2TTN 1NNN expansion/1N",
)  # fmt: skip
"""A history that grows, is corrected, and begins again."""


def test_a_history_that_grows_is_followed_as_from_the_beginning() -> None:
    machine = compile_protocol(reference())
    follower = Follower(machine, "one-at-a-time", Frames(machine))
    for history in (*HISTORIES, *reversed(HISTORIES)):
        groups = parse_history(history, machine.protocol)
        grown, anew = follower.follow(groups), replay(machine, groups)
        assert (grown.frame, grown.cohorts, grown.asides) == (anew.frame, anew.cohorts, anew.asides), history
        assert [step.outcome for step in grown.steps] == [step.outcome for step in anew.steps]
        assert [step.ways for step in grown.steps] == [step.ways for step in anew.steps]
        assert (grown.waiting is None, grown.ended) == (anew.waiting is None, anew.ended)
        assert machine.records.table[grown.codes].tolist() == machine.records.table[anew.codes].tolist()


def test_a_decision_that_did_not_wait_for_a_patient_stands_when_he_leaves() -> None:
    """Three patients are enough, whatever they show: who is pending when the next level opens may leave then."""
    upwards = rule("on", CohortComplete(), Enrol(NEXT_HIGHER, 3))
    protocol = evolve(reference(), parts=(Part("escalation", 3, (upwards,)),))
    for history in ("1NN. 2N", "1NNx 2N", "1Nx. 2N", "1NNx 2N."):
        followed = follow(protocol, history)
        assert followed.frame.here == 1 and [step.group for step in followed.steps] == [0], history
    waiting = follow(protocol, "1NNx").waiting
    assert waiting is not None and waiting.to_enrol == 1
    with pytest.raises(HistoryError):
        follow(reference(), "1NNx 2N")  # here the third would have mattered


def test_what_is_followed_after_an_error_is_right() -> None:
    machine = compile_protocol(reference())
    follower = Follower(machine, "one-at-a-time", Frames(machine))
    follower.follow(parse_history("1NNN 2NN", machine.protocol))
    with pytest.raises(HistoryError):
        follower.follow(parse_history("1NNN 2NNN 1N", machine.protocol))
    assert follower.follow(parse_history("1NNN 2NNN 3N", machine.protocol)).frame.here == 2


# ---- the start on a higher level: the first visit to a lower one is a first cohort ----


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("2TT", "close level 2 as too toxic, enrol 3 at level 1"),
        ("2TT 1NNN", "enrol 3 at level 1"),
        ("2TT 1NNN 1NTN", "declare level 1 as MTD, begin expansion at level 1"),
        ("2TT 1NTN 1NNN", "declare level 1 as MTD, begin expansion at level 1"),
        ("2TT 1TT", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
    ],
)
def test_the_next_higher_level_is_not_left_to_test_when_it_is_closed(history: str, then: str) -> None:
    assert decided(reference(start=1), history) == then


def test_three_more_are_enrolled_by_the_rule_that_confirms() -> None:
    protocol = reference(start=1)
    last = follow(protocol, "2TT 1NNN").last
    assert last is not None and last.branch is not None
    machine = compile_protocol(protocol)
    names = [machine.parts[0].part.rules[machine.parts[0].lines[i].rule].name for i in last.branch.decision.lines]
    assert names == ["first three clear, nothing higher"]


# ---- patients who leave ----


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("1NxNN", "enrol 3 at level 2"),
        ("1xNTxN 1xxNNN", "enrol 3 at level 2"),
        ("1TxT", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
        ("1TTx", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
    ],
)
def test_another_patient_takes_the_place(history: str, then: str) -> None:
    assert decided(reference(), history) == then


@pytest.mark.parametrize("history", ["1x", "1NxN", "1NNx", "1xTT", "1T.x"])
def test_undecided_where_nobody_says_who_takes_the_place(history: str) -> None:
    followed = follow(reference(replaces=False), history)
    assert followed.unreplaced and followed.ended and followed.last is None and followed.waiting is None


def test_a_patient_who_leaves_after_the_look_needs_no_replacement() -> None:
    assert decided(reference(replaces=False), "1NNN 2TTx") == "close level 2 as too toxic, enrol 3 at level 1"


# ---- patients who are pending ----


@pytest.mark.parametrize("rest", ["", ".", "n", "N", "T", "x"])
def test_patients_pending_when_a_level_closes_change_no_decision(rest: str) -> None:
    """A6: they finish their window, and count at their level."""
    protocol = reference()
    then = "declare level 1 as MTD, begin expansion at level 1"
    assert decided(protocol, f"1NNN 2TT{rest}") == "close level 2 as too toxic, enrol 3 at level 1"
    assert decided(protocol, f"1NNN 2TT{rest} 1NTN") == then
    cohort = follow(protocol, f"1NNN 2TT{rest} 1NTN").cohorts[1]
    assert cohort.counts == (0, 2)
    assert cohort.all_known == (rest.count("N"), 2 + rest.count("T"))
    assert (cohort.pending, cohort.inevaluable) == (rest.count(".") + rest.count("n"), rest.count("x"))


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("-1NN.", "enrol 3 at level 2A"),
        ("-1NT.", "wait"),
        ("-1N..", "wait"),
        ("-1TT.", 'close level -1 as too toxic, declare no MTD, stop "too toxic"'),
        ("-1TT", "wait"),
        ("-1T.", "wait"),
        ("-1NN. 2A:NN. high:N.N", "declare level high as MTD, stop"),
    ],
)
def test_a_decision_is_taken_if_it_is_the_same_for_all_that_is_pending(history: str, then: str) -> None:
    assert decided(at_completion(), history) == then


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("-1NN.", "enrol 3 at level 2A"),
        ("-1NM.", "wait"),
        ("-1MM.", "enrol 3 at level -1"),
        ("-1TM.", "wait"),
        ("-1TT.", 'close level -1 as too toxic, declare no MTD, stop "too toxic"'),
    ],
)
def test_all_classes_of_toxicity_can_still_come(history: str, then: str) -> None:
    assert decided(at_completion(classes=2), history) == then


def test_what_the_pending_patients_can_bring() -> None:
    protocol = reference()
    waiting = follow(protocol, "1N..").waiting
    assert waiting is not None
    found = {future.added: future.outcome for future in waiting.futures}
    assert set(found) == {(2, 0), (1, 1), (0, 2)}
    words = {
        added: moves_words(protocol, moves_of(outcome[0].decision.answers, 0))
        for added, outcome in found.items()
        if outcome is not None
    }
    assert words[2, 0] == "enrol 3 at level 2" and words[1, 1] == "enrol 3 at level 1"
    assert words[0, 2].startswith("close level 1 as too toxic")


def test_a_rule_at_any_time_acts_on_the_way_to_a_complete_cohort() -> None:
    waiting = follow(reference(), "1T.").waiting
    assert waiting is not None
    found = {future.added: future.outcome for future in waiting.futures}
    assert found[1, 0] is None and found[0, 1] is not None


FEW = Tally(Range(0, 2), 0, "trial")
MEMORY = Protocol(
    title="toxicities are counted in the whole trial",
    levels=levels("1", "2"),
    start=1,
    toxicities=reference().toxicities,
    parts=(
        Part(
            "escalation",
            3,
            (
                rule("two", All((of(2, None, "first"), FEW)), Close(THIS), Enrol(NEXT_LOWER, 3), any_time=True),
                rule("three in all", Not(FEW), Stop("three in all"), any_time=True),
                rule("few", All((of(0, 1), FEW)), Enrol(THIS, 3)),
            ),
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("2TT", "close level 2 as too toxic, enrol 3 at level 1"),
        ("2TTN 1NNN", "enrol 3 at level 1"),
        ("2TTT 1N", 'stop "three in all"'),
        ("2TT. 1NNN", "wait"),
        ("2TT. 1T", 'stop "three in all"'),
        ("2TTx 1NNN", "enrol 3 at level 1"),
    ],
)
def test_patients_pending_at_another_level_matter_where_a_rule_counts_them(history: str, then: str) -> None:
    protocol = evolve(MEMORY, replaces_inevaluable=True)
    assert decided(protocol, history) == then


def test_too_many_pending_patients_are_refused() -> None:
    protocol = evolve(at_completion(classes=2), parts=(Part("escalation", 300, ()),))
    with pytest.raises(HistoryError, match="Too many patients are pending at one time"):
        follow(protocol, "-1" + "." * 300)


# ---- people ----


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("1NNN", "enrol 3 at level 2 | enrol 3 at level 1"),
        ("1NNN[1]", "enrol 3 at level 2"),
        ("1NNN[2]", "enrol 3 at level 1"),
        ("1NNN 2NTN", "enrol 3 at level 2"),
        ("1NNN 1NTN", 'enrol 3 at level 2 | declare level 1 as MTD, stop "the committee is content"'),
        ("1NNN 1NTN[2]", 'declare level 1 as MTD, stop "the committee is content"'),
        ("1NNN[1] 2TT", "close level 2 as too toxic"),
    ],
)
def test_what_people_chose(history: str, then: str) -> None:
    assert decided(committee(), history) == then


def test_the_next_cohort_tells_what_was_chosen() -> None:
    followed = follow(committee(), "1NNN 1NTN")
    branch = followed.steps[0].branch
    assert branch is not None and [option for _, option in branch.choices] == [1]
    assert followed.last is not None and followed.last.branch is None
    assert not followed.ended and followed.frame.orders == (Order(0, 3),)


def gated(*options: tuple[Enrol | Stop | Declare, ...]) -> Protocol:
    """One rule, by which people choose."""
    asks = Rule("ask", (Case(CohortComplete(), (), Gate("ask", 0, options)),))
    return Protocol("", levels("1"), 0, reference().toxicities, (Part("a", 3, (asks,)),), bodies=(Body("committee"),))


def test_options_that_do_the_same_need_not_be_told_apart() -> None:
    assert follow(gated((Enrol(THIS, 3),), (Enrol(THIS),)), "1NNN 1N").waiting is not None


def test_options_that_differ_must_be_told_apart() -> None:
    protocol = gated((Enrol(THIS, 3),), (Enrol(THIS, 2),), (Stop(),))
    with pytest.raises(HistoryError) as caught:
        follow(protocol, "1NNN 1N")
    assert caught.value.message == (
        "Several options lead to `1…`: write which was chosen, `1NNN[1]` or `1NNN[2]`."
    )  # fmt: skip


# ---- cohorts that enter together ----


@pytest.mark.parametrize(
    ("history", "then"),
    [
        ("1TT", "wait"),
        ("1TTN", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
        ("1TT.", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
        ("1NTN 1NT", "wait"),
        ("1NTN 1NTN", 'close level 1 as too toxic, declare no MTD, stop "the lowest level is too toxic"'),
        ("1NNN 2TNT 1NNN", "declare level 1 as MTD, begin expansion at level 1"),
    ],
)
def test_looks_are_at_the_end_of_a_whole_cohort(history: str, then: str) -> None:
    assert decided(reference(), history, "whole-cohort") == then


# ---- histories that the rules do not lead to ----


@pytest.mark.parametrize(
    ("protocol", "history", "message", "start"),
    [
        (reference(), "2NNN", "The trial begins at level 1, with `1…`, not with `2…`.", 0),
        (reference(), "expansion/1N", "The trial begins at level 1, with `1…`, not with `expansion/1…`.", 0),
        (reference(), "1NNN 3NNN", "After `1NNN` the rules open level 2, not level 3.", 5),
        (reference(), "1NN 2N", "After `1NN` the cohort is not complete: it is to have one patient more.", 4),
        (reference(), "1T 2N", "After `1T` the cohort is not complete: it is to have 2 patients more.", 3),
        (reference(), "1NN. 2N", "After `1NN.` what comes next depends on the patients who are pending.", 5),
        (
            reference(), "1TT 1N",
            "After `1TT` the trial has ended (close level 1 as too toxic, declare no MTD, "
            'stop "the lowest level is too toxic"), and no cohort follows.', 4,
        ),
        (reference(), "1NNNN", "The cohort `1NNNN` is to have 3 patients, not 4.", 0),
        (reference(), "1NNN.", "The cohort `1NNN.` is to have 3 patients, not 4.", 0),
        (reference(), "1NNNx", "The cohort ends with `1NNN`: of 3 patients there are not enough left for `x`.", 0),
        (reference(), "1TTxx", "The cohort ends with `1TT`: of 3 patients there are not enough left for `xx`.", 0),
        (
            reference(), "1NNN 2NTN 2NT 1NNN 1N",
            "After `1NNN 2NTN 2NT 1NNN` the rules open `expansion/1…`, not `1…`.", 19,
        ),
        (reference(), "1NNN[1]", "Nobody is asked to choose after `1NNN`: leave out the square brackets.", 0),
        (reference(), "1NN[1]", "Nobody is asked to choose after `1NN`: leave out the square brackets.", 0),
        (reference(replaces=False), "1NxN", None, 0),
        (
            reference(replaces=False), "1NxN 2N",
            "After `1NxN` nothing follows: a patient was inevaluable, and no rule says whether another takes the place",
            5,
        ),
        (reference(replaces=False), "1NxNN", "The cohort `1NxNN` is to have 3 patients, not 4.", 0),
        (
            committee(), "1NNN[3]",
            "There is no such option after `1NNN`: what was chosen is written `[1]` or `[2]`.", 0,
        ),
        (committee(), "1NNN[1][1]", "There is no such option after `1NNN`", 0),
        (committee(), "1NNN 3N", "After `1NNN` the rules open level 2 or level 1, not level 3.", 5),
        (
            committee(), "1NNN 2TT 1N",
            "After `1NNN 2TT` the rules leave open what comes next, and no cohort follows.", 9,
        ),
        (MEMORY, "2TT. 1NNN 1N", "After `2TT. 1NNN` what comes next depends on the patients who are pending.", 10),
        (at_completion(), "-1NNN -1NN", "After `-1NNN` the rules open level 2A, not level -1.", 6),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_where(protocol: Protocol, history: str, message: str | None, start: int) -> None:
    if message is None:
        follow(protocol, history)
        return
    with pytest.raises(HistoryError) as caught:
        follow(protocol, history)
    assert caught.value.message.startswith(message)
    assert caught.value.start == start


def test_a_long_history_is_quoted_by_its_end() -> None:
    protocol = gated((Enrol(THIS, 3),), (Enrol(THIS),))
    with pytest.raises(HistoryError) as caught:
        follow(protocol, "1NNN " * 20 + "1N 1N")
    assert caught.value.message.startswith("After `… 1NNN 1NNN ")


# ---- the same machine ----


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(protocols(), st.sampled_from(["one-at-a-time", "whole-cohort"]), st.data())
def test_a_state_is_reached_by_its_history(protocol: Protocol, accrual: Accrual, data: st.DataObject) -> None:
    machine = compile_protocol(protocol)
    explored = explore(machine, accrual, histories=True)
    for state in data.draw(st.sets(st.integers(0, explored.states - 1), min_size=1, max_size=20)):
        bucket, row = explored.state(state)
        history = history_of(explored, state)
        assert not history or parse_history(write_history(history, protocol), protocol) == history
        followed = replay(machine, history, accrual, explored.frames)
        assert followed.frame == explored.frames.frames[bucket.frames[row]]
        assert followed.ended == bucket.ended[row]
        assert followed.ended or followed.codes.tolist() == [bucket.codes[row].tolist()]


def test_all_states_of_the_reference_trial_are_reached_by_their_histories() -> None:
    for protocol in (reference(), reference(start=1), committee(), at_completion(classes=2)):
        machine = compile_protocol(protocol)
        explored = explore(machine, histories=True)
        for state in range(explored.states):
            bucket, row = explored.state(state)
            followed = replay(machine, history_of(explored, state), frames=explored.frames)
            assert followed.frame == explored.frames.frames[bucket.frames[row]]


def test_a_table_in_the_part_counts_the_patients_of_the_part_alone() -> None:
    """Two with a DLT before the expansion: of all four at the level that is too many, of the two in the part none."""
    protocol = load(str(Path(__file__).parent / "scripts" / "table-in-the-part.dose")).protocol
    assert protocol is not None
    machine = compile_protocol(protocol)

    def ended(history: str) -> bool:
        return replay(machine, parse_history(history, protocol)).waiting is None

    assert not ended("1TT expansion/1NN") and not ended("1TT expansion/1NNT") and ended("1TT expansion/1NNTT")
    assert not ended("1TT expansion/1T") and ended("1TT expansion/1NT")
