"""Histories are read as they are written, and every state of an exploration has one."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.machine.notation import Group, HistoryError, history_of, history_through, parse_history, write_history
from doselang.protocol.model import Part, Protocol, Toxicity
from doselang.source import Span
from tests.trials import at_completion, committee, levels, reference

ODD = evolve(
    at_completion(classes=2),
    levels=levels("-1", "1", "10", "2", "2A", "high", "b2"),
    start=1,
    parts=(Part("escalation", 3, ()), Part("expansion", 10, ()), Part("long-term", 10, ())),
    toxicities=(Toxicity("DLT"), Toxicity("moderate", "M"), Toxicity("late", "A")),
)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("1NTN", [Group(0, 1, "NTN")]),
        ("1NNN 2TT", [Group(0, 1, "NNN"), Group(0, 3, "TT")]),
        ("-1NNN 10N", [Group(0, 0, "NNN"), Group(0, 2, "N")]),
        ("2A:NNN", [Group(0, 4, "NNN")]),
        ("2ANNM", [Group(0, 3, "ANNM")]),
        ("high:Nx.n HIGH:N", [Group(0, 5, "Nx.n"), Group(0, 5, "N")]),
        ("b2NN b2:NN", [Group(0, 6, "NN"), Group(0, 6, "NN")]),
        ("1:NM", [Group(0, 1, "NM")]),
        ("1NMN[2] 1NN[1][3]", [Group(0, 1, "NMN", (1,)), Group(0, 1, "NN", (0, 2))]),
        ("expansion/1NN Expansion/2A:N", [Group(1, 1, "NN"), Group(1, 4, "N")]),
        ("escalation/1NN LONG-TERM/high:N", [Group(0, 1, "NN"), Group(2, 5, "N")]),
    ],
)
def test_reading(text: str, groups: list[Group]) -> None:
    assert parse_history(text, ODD) == tuple(groups)


def test_a_group_knows_its_place() -> None:
    assert [group.span for group in parse_history(" 1NN  2A:N[1]", ODD)] == [Span(1, 4), Span(6, 13)]


def test_writing() -> None:
    groups = (Group(0, 0, "N."), Group(0, 4, "AT"), Group(2, 5, "x", (1, 0)), Group(0, 6, "N"))
    assert write_history(groups, ODD) == "-1N. 2A:AT long-term/high:x[2][1] b2:N"


@pytest.mark.parametrize(
    ("text", "message", "start", "end"),
    [
        ("", "The history is empty: it begins with the first cohort, for example `1NNN`.", 0, 0),
        ("  ", "The history is empty: it begins with the first cohort, for example `1NNN`.", 0, 2),
        ("1NN 7N", "There is no level `7`: the levels are", 4, 5),
        ("hihg:N", "There is no level `hihg`: did you mean `high`?", 0, 4),
        ("−1NN", "There is no level `−1`: did you mean `-1`?", 0, 2),
        (":NN", "A cohort begins with its level: `-1`, `1`, `10`, `2`, `2A`, `high` or `b2`.", 0, 1),
        ("NNN", "There is no level `NNN`: the levels are", 0, 3),
        ("1", "`1` has no patients: write a letter for each, for example `1NNN`.", 0, 1),
        ("2A:", "`2A:` has no patients: write a letter for each, for example `2A:NNN`.", 0, 3),
        ("1NNt", "`t` is not the letter of an outcome: did you mean `T`?", 3, 4),
        ("1NX", "`X` is not the letter of an outcome: did you mean `x`?", 2, 3),
        ("1NN,2TT", "`,` is not the letter of an outcome: cohorts stand apart by spaces.", 3, 4),
        ("1NQ", "`Q` is not the letter of an outcome: write `N` no toxicity, `T` DLT, `M` moderate, `A` late,", 2, 3),
        ("1NN]", "`]` is not the letter of an outcome: an option that was chosen stands in square brackets", 3, 4),
        ("highNN", "A level whose label ends in a letter is set off by a colon: `high:NN`.", 0, 6),
        ("2Aq", "A level whose label ends in a letter is set off by a colon: `2A:q`.", 0, 3),
        ("expansoin/1NN", "There is no part `expansoin`: did you mean `expansion/`?", 0, 9),
        ("1/3", "There is no part `1`: the parts are `escalation`, `expansion` and `long-term`.", 0, 1),
        ("1NN[0]", "`[0]` is not an option: in square brackets stands its number, counted from 1.", 3, 6),
        ("1NN[]", "`[]` is not an option", 3, 5),
        ("1NN[1", "A square bracket is not closed: the option that was chosen is written `[2]`.", 3, 5),
        ("1NN[1]T", "The options that were chosen stand at the end of a cohort, as in `1NNN[2]`.", 6, 7),
    ],
)
def test_what_is_wrong_is_said_and_where(text: str, message: str, start: int, end: int) -> None:
    with pytest.raises(HistoryError) as caught:
        parse_history(text, ODD)
    assert caught.value.message.startswith(message)
    assert (caught.value.start, caught.value.end) == (start, end)


def test_a_history_has_an_end() -> None:
    assert len(parse_history("1NNNNN " * 200, ODD)) == 200
    with pytest.raises(HistoryError, match="may have 1000 patients") as caught:
        parse_history("1NNNNN " * 201, ODD)
    assert (caught.value.start, caught.value.end) == (1400, 1406)


def test_the_only_level_is_named() -> None:
    with pytest.raises(HistoryError, match="the only level is `1`"):
        parse_history("2N", evolve(ODD, levels=levels("1"), start=0))


@given(
    st.lists(
        st.builds(
            Group,
            st.integers(0, 2),
            st.integers(0, 6),
            st.text("NTMAxn.", min_size=1, max_size=5),
            st.lists(st.integers(0, 30), max_size=2).map(tuple),
        ),
        min_size=1,
        max_size=6,
    ).map(tuple)
)
def test_what_is_written_is_read_again(groups: tuple[Group, ...]) -> None:
    assert parse_history(write_history(groups, ODD), ODD) == groups


@given(st.text("012-Aabhigx[]:/. NTMn", max_size=12))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        groups = parse_history(text, ODD)
    except HistoryError as error:
        assert 0 <= error.start <= error.end <= len(text)
    else:
        assert parse_history(write_history(groups, ODD), ODD) == groups


# ---- states of an exploration ----


def ends(protocol: Protocol) -> list[str]:
    explored = explore(compile_protocol(protocol), histories=True)
    states = [bucket.start + row for bucket in explored.buckets for row in range(len(bucket)) if bucket.ended[row]]
    return [write_history(history_of(explored, state), protocol) for state in states]


def test_shortest_histories_of_the_ends() -> None:
    assert ends(at_completion()) == ["-1NTT", "-1NNN 2A:NTT", "-1NNN 2A:NNN high:NNN", "-1NNN 2A:NNN high:NTT"]
    assert ends(reference(labels=("1",)))[::7] == ["1TT", "1NNN 1NNN expansion/1NNNNNNNNNN"]


def test_the_beginning_has_no_history() -> None:
    explored = explore(compile_protocol(reference()), histories=True)
    assert history_of(explored, 0) == ()


def test_through_an_exit() -> None:
    protocol = committee()
    explored = explore(compile_protocol(protocol), histories=True)
    rows = explored.situations.of(0, explored.buckets[0].frames, explored.buckets[0].codes)
    first, count = explored.situations.first[rows[0]], explored.situations.count[rows[0]]
    through = [write_history(history_through(explored, 0, exit), protocol) for exit in range(first, first + count)]
    assert through == ["1NNN[1]", "1NNN[2]", "1NNT", "1NTT", "1TT"]
