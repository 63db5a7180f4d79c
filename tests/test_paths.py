"""Dose-transition pathways: counted, weighed by hand, and replayed."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from math import comb, fsum, prod
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.conduct.advice import advise_after
from doselang.conduct.answers import decision_word
from doselang.conduct.orders import ways_of
from doselang.conduct.pathways import Pathways, pathways, without_pending
from doselang.diagnostics import Trouble
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.notation import HistoryError, parse_history, write_history
from doselang.machine.replay import replay
from doselang.protocol.model import Protocol
from doselang.simulate.exact import exact
from doselang.simulate.scenarios import from_rates, named
from tests.oracles.classical import trials as classical_trials

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "protocols" / "designs" / "three-plus-three.dose"
REFERENCE = ROOT / "protocols" / "ibrutinib-lenalidomide.dose"
COMMITTEE = ROOT / "tests" / "scripts" / "committee.dose"
SCRIPTS = sorted((ROOT / "tests" / "scripts").glob("*.dose"))

Capture = pytest.CaptureFixture[str]


def protocol_of(path: Path, **settings: int) -> Protocol:
    found = load(str(path), {name: Fraction(value) for name, value in settings.items()}).protocol
    assert found is not None
    return found


def follow(
    protocol: Protocol, cohorts: int, after: str = "", rates: str | None = None, accrual: Accrual = "one-at-a-time"
) -> Pathways:
    groups = parse_history(after, protocol) if after else ()
    scenario = None if rates is None else from_rates(protocol, rates)
    return pathways(protocol, compile_protocol(protocol), groups, cohorts, accrual, scenario, max_paths=200_000)


# ---- counting ----


# Numbers of distinct histories of the 3+3 with so many levels, as the R package `precautionary` counts them.
@pytest.mark.parametrize(("levels", "number"), [(1, 10), (2, 46), (3, 154), (4, 442), (5, 1162), (6, 2890)])
def test_whole_pathways_of_the_classical_design_are_its_histories(levels: int, number: int) -> None:
    found = follow(protocol_of(DESIGN, levels=levels), 30)
    assert len(found.paths) == number
    told = {tuple((one.level, one.counts[1]) for one in path.cohorts) for path in found.paths}
    assert told == {history for history, _ in classical_trials("C", levels)}


def test_one_cohort_of_three_has_four_outcomes() -> None:
    found = follow(protocol_of(DESIGN), 1)
    assert [(path.cohorts[0].counts, path.cohorts[0].word) for path in found.paths] == [
        ((3, 0), "escalate"), ((2, 1), "stay"), ((1, 2), "stop"), ((0, 3), "stop"),
    ]  # fmt: skip


def test_a_cohort_that_ends_early_shows_what_was_known() -> None:
    found = follow(protocol_of(REFERENCE), 1)
    # two DLTs in two patients end the trial at once; two in three only as NTT or TNT, so three DLTs are never seen
    assert [(path.cohorts[0].counts, path.cohorts[0].orders) for path in found.paths] == [
        ((3, 0), 1), ((2, 1), 3), ((1, 2), 2), ((0, 2), 1)
    ]  # fmt: skip
    together = follow(protocol_of(REFERENCE), 1, accrual="whole-cohort")
    assert [path.cohorts[0].counts for path in together.paths] == [(3, 0), (2, 1), (1, 2), (0, 3)]


def test_orders_of_a_cohort_by_hand() -> None:
    decided = {(3, 0), (2, 1), (1, 2), (0, 2)}
    ways = ways_of(decided, (0, 0))
    assert {node: ways[node] for node in decided} == {
        (3, 0): (1, "000"), (2, 1): (3, "001"), (1, 2): (2, "011"), (0, 2): (1, "11")
    }  # fmt: skip
    assert ways_of({(1, 2), (2, 1), (3, 0)}, (1, 0)) == {
        (1, 0): (1, ""), (2, 0): (1, "0"), (1, 1): (1, "1"), (3, 0): (1, "00"), (2, 1): (2, "01"), (1, 2): (1, "11"),
    }  # fmt: skip


# ---- probabilities ----


def test_probabilities_are_products_of_binomials() -> None:
    rates = [Fraction(1, 10), Fraction(1, 5), Fraction(3, 10)]
    found = follow(protocol_of(DESIGN, levels=3), 3, rates="10%,20%,30%")
    for path in found.paths:
        by_hand = prod(
            comb(3, y) * rates[one.level] ** y * (1 - rates[one.level]) ** (3 - y)
            for one in path.cohorts for y in (one.counts[1],)
        )  # fmt: skip
        assert path.probability == pytest.approx(float(by_hand), rel=1e-12)
    assert fsum(path.probability or 0 for path in found.paths) == pytest.approx(1, abs=1e-12)


def test_a_cohort_that_ends_early_by_hand() -> None:
    found = follow(protocol_of(REFERENCE), 1, rates="20%,30%,40%")
    p, q = 0.2, 0.8
    assert [path.probability for path in found.paths] == pytest.approx([q**3, 3 * p * q**2, 2 * p**2 * q, p**2])
    assert q**3 + 3 * p * q**2 + 2 * p**2 * q + p**2 == pytest.approx(1)


@pytest.mark.parametrize("path", [DESIGN, REFERENCE], ids=lambda path: path.stem)
def test_whole_pathways_give_the_exact_operating_characteristics(path: Path) -> None:
    protocol = protocol_of(path, levels=3) if path == DESIGN else protocol_of(path)
    scenario = from_rates(protocol, "10%,25%,40%")
    found = follow(protocol, 40, rates="10%,25%,40%")
    (figures,) = exact(protocol, (scenario,))
    assert fsum(way.probability or 0 for way in found.paths) == pytest.approx(1, abs=1e-12)
    closed_out = fsum(way.probability or 0 for way in found.paths if way.cohorts[-1].word == "stop"
                      and way.cohorts[-1].part == 0)  # fmt: skip
    assert closed_out == pytest.approx(figures.no_mtd, abs=1e-12)


def test_rates_of_nought_and_one() -> None:
    none = follow(protocol_of(DESIGN, levels=2), 2, rates="0%,100%")
    assert [
        (write_history(path.history, none.protocol), path.probability) for path in none.paths if path.probability
    ] == [("1NNN 2TTT", 1.0)]


def test_two_classes_of_toxicity_by_hand() -> None:
    protocol = protocol_of(ROOT / "tests" / "scripts" / "two-classes.dose")
    scenario = protocol.scenarios[0]
    found = pathways(protocol, compile_protocol(protocol), (), 1, "one-at-a-time", scenario)
    dlt, moderate = (rates[0] for rates in scenario.rates)
    none = 1 - dlt - moderate
    by_counts = {path.cohorts[0].counts: path.probability for path in found.paths}
    assert by_counts[3, 0, 0] == pytest.approx(none**3)
    assert by_counts[1, 1, 1] == pytest.approx(6 * none * dlt * moderate)
    assert by_counts[0, 2, 0] == pytest.approx(dlt**2)  # two DLTs in two patients end the cohort
    assert fsum(value or 0 for value in by_counts.values()) == pytest.approx(1)


# ---- every pathway is a history that the rules lead to ----


@pytest.mark.parametrize("path", [*SCRIPTS, DESIGN, REFERENCE], ids=lambda path: path.stem)
@pytest.mark.parametrize("accrual", ["one-at-a-time", "whole-cohort"])
def test_each_pathway_is_replayed(path: Path, accrual: Accrual) -> None:
    protocol = protocol_of(path)
    machine = compile_protocol(protocol)
    found = follow(protocol, 3, accrual=accrual)
    histories = [write_history(way.history, protocol) for way in found.paths]
    assert len(set(histories)) == len(histories)
    for way, history in zip(found.paths[::7], histories[::7], strict=True):
        followed = replay(machine, parse_history(history, protocol), accrual)
        assert followed.last is not None and followed.last.branch is not None
        assert decision_word(protocol, followed.last.branch.decision) == way.cohorts[-1].word
        assert (followed.frame.level if followed.frame.orders else None) == way.cohorts[-1].level_next
        assert followed.ended or len(way.cohorts) == 3


# ---- from a history ----


def test_after_a_history_the_rest_is_followed() -> None:
    protocol = protocol_of(REFERENCE)
    found = follow(protocol, 1, "1NNN 2NTN 2NT")
    told = [(write_history(path.history, protocol), path.cohorts[-1].word) for path in found.paths]
    assert told == [
        ("1NNN 2NTN 2NT 1NNN", "mtd"), ("1NNN 2NTN 2NT 1NNT", "mtd"),
        ("1NNN 2NTN 2NT 1NTT", "stop"), ("1NNN 2NTN 2NT 1TT", "stop"),
    ]  # fmt: skip


def test_an_open_cohort_is_completed_first() -> None:
    protocol = protocol_of(REFERENCE)
    found = follow(protocol, 1, "1NNN 2T", rates="10%,20%,30%")
    told = {write_history(path.history, protocol): (path.cohorts[0].counts, path.probability) for path in found.paths}
    assert {history: counts for history, (counts, _) in told.items()} == {
        "1NNN 2TNN": (2, 1), "1NNN 2TNT": (1, 2), "1NNN 2TT": (0, 2),
    }  # fmt: skip
    assert [chance for _, chance in told.values()] == pytest.approx([0.64, 0.16, 0.2])


def test_people_branch_a_pathway() -> None:
    protocol = protocol_of(COMMITTEE)
    scenario = named(protocol, "rising")
    found = pathways(protocol, compile_protocol(protocol), (), 1, "one-at-a-time", scenario)
    told = [(write_history(path.history, protocol), path.probability) for path in found.paths]
    assert told[0] == ("1NNN[1]", pytest.approx(0.9**3 * 0.8))
    assert told[1] == ("1NNN[2]", pytest.approx(0.9**3 * 0.2))
    assert fsum(chance or 0 for _, chance in told) == pytest.approx(1)


# ---- limits ----


def test_too_many_pathways_are_refused_and_not_cut_short() -> None:
    protocol = protocol_of(DESIGN)
    machine = compile_protocol(protocol)
    assert len(pathways(protocol, machine, (), 30, max_paths=1162).paths) == 1162
    with pytest.raises(Trouble) as refused:
        pathways(protocol, machine, (), 30, max_paths=1161)
    assert refused.value.diagnostic.code == "DL704" and "1,161" in refused.value.diagnostic.message


# ---- the command ----


def printed(arguments: list[str], capsys: Capture) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_json_has_its_keys(capsys: Capture) -> None:
    text = printed(["paths", str(DESIGN), "--cohorts", "2", "--format", "json", "--scenario", "rising"], capsys)
    record = json.loads(text)
    assert record["cohorts"] == 2 and record["scenario"] == "rising" and len(record["paths"]) == 10
    first = record["paths"][0]
    assert first["history"] == "1NNN 2NNN" and first["decision"] == "escalate"
    assert first["next"] == {"part": "escalation", "level": "3"} and first["rules"] == ["none of three"]
    assert [cohort["level"] for cohort in first["cohorts"]] == ["1", "2"]
    assert sum(path["probability"] for path in record["paths"]) == pytest.approx(1)
    ended = record["paths"][-1]
    assert ended["next"] is None and len(ended["cohorts"]) == 1


def test_csv_reads_back(capsys: Capture) -> None:
    text = printed(["paths", str(REFERENCE), "--cohorts", "3", "--format", "csv", "--dlt", "10%,20%,30%"], capsys)
    rows = list(csv.DictReader(io.StringIO(text)))
    found = follow(protocol_of(REFERENCE), 3, rates="10%,20%,30%")
    assert len(rows) == len(found.paths)
    for row, path in zip(rows, found.paths, strict=True):
        assert row["history"] == write_history(path.history, found.protocol)
        assert float(row["probability"]) == path.probability
        assert int(row["cohort 1 DLT"]) == path.cohorts[0].counts[1]
        assert row["decision"] == path.cohorts[-1].word


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_row_a_pathway(form: str, capsys: Capture) -> None:
    text = printed(["paths", str(DESIGN), "--cohorts", "2", "--format", form], capsys)
    assert text.count("level 1: ") == 10 + 4  # ten first cohorts, four second ones at the same level
    assert "10 pathways" in text


def test_the_tree_has_a_line_a_look(capsys: Capture) -> None:
    text = printed(["paths", str(DESIGN), "--cohorts", "2", "--format", "tree"], capsys)
    lines = [line for line in text.splitlines() if " then " in line]
    assert len(lines) == 4 + 8
    assert lines[0].startswith("  level 1: 0/3") and lines[1].startswith("    level 2: 0/3")


WRONG = (
    ("--cohorts 0", "`--cohorts` is from 1 to 1,000, and not 0"),
    ("--cohorts -2", "not -2"),
    ("--cohorts 1001", "not 1,001"),
    ("--cohorts two", "two"),
    ("", "--cohorts"),
    ("--cohorts 2 --scenario nothing", 'There is no scenario "nothing"'),
    ("--cohorts 2 --dlt 10%", "the protocol has 5 levels"),
    ("--cohorts 2 --scenario rising --dlt 10%,10%,10%,10%,10%", "leave one of them out"),
    ("--cohorts 2 --max-paths 3", "more than 3 pathways"),
    ("--cohorts 2 --max-paths 0", "--max-paths"),
    ("--cohorts 1 --after 2NNN", "The trial begins at level 1"),
    ("--cohorts 1 --after 1NNQ", "`Q` is not the letter"),
    ("--cohorts 1 --after 1N.", "pending"),
    ("--cohorts 1 --after 1TTN", "the trial has ended"),
    ("--cohorts 1 --format xml", "--format"),
)


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_wrong_usage(options: str, words: str, capsys: Capture) -> None:
    assert run(["paths", str(DESIGN), *options.split()]) == 2
    said = capsys.readouterr()
    assert words in said.err and not said.out
    assert "DL999" not in said.err and "Traceback" not in said.err


def test_a_choice_not_made_is_asked_for(capsys: Capture) -> None:
    assert run(["paths", str(COMMITTEE), "--cohorts", "1", "--after", "1NNN"]) == 2
    assert "write `1NNN[1]` or `1NNN[2]`" in capsys.readouterr().err


def test_a_chance_that_is_not_known_is_asked_for(capsys: Capture) -> None:
    assert run(["paths", str(COMMITTEE), "--cohorts", "1", "--dlt", "10%,20%,30%"]) == 2
    assert 'no chance of what people choose in "three clear"' in capsys.readouterr().err


PENDING = ["1.", "1N..", "1NNN 2...", "1NNN 2T.", "1NTN 1N.", "1NNN 2NTN 2.T.", "1NNN +3N 2N."]


@pytest.mark.parametrize("history", PENDING)
def test_patients_who_are_pending_are_among_those_to_come(history: str) -> None:
    """The pathways of one cohort are what the advice says is ahead."""
    protocol = protocol_of(REFERENCE)
    machine = compile_protocol(protocol)
    groups = parse_history(history, protocol)
    advised = advise_after(replay(machine, groups)).ahead
    found = pathways(protocol, machine, without_pending(machine, groups), 1)
    assert {(path.cohorts[0].added, path.cohorts[0].answer) for path in found.paths} == {
        (one.added, one.answer) for one in advised
    }


def test_where_pending_patients_count_they_stay() -> None:
    """In a rolling part, and in a cohort that the rules did not open."""
    for name, history in (("designs/rolling-six.dose", "1N."), ("ibrutinib-lenalidomide.dose", "1NNN !3.")):
        protocol = protocol_of(ROOT / "protocols" / name)
        groups = parse_history(history, protocol)
        assert without_pending(compile_protocol(protocol), groups) == groups


def test_a_patient_of_no_cohort_who_is_pending_is_not_taken_as_known() -> None:
    """What the patient at level 3 shows can change what follows, and no outcome is assumed."""
    with pytest.raises(HistoryError, match="some are pending"):
        follow(protocol_of(REFERENCE), 1, "1NNN +3. 2T")
    assert follow(protocol_of(REFERENCE), 1, "1NNN +3N 2T").paths


def test_patients_beside_a_cohort_are_no_cohort_of_a_pathway(capsys: Capture) -> None:
    assert run(["paths", str(ROOT / "tests" / "scripts" / "backfill.dose"), "--cohorts", "2"]) == 0
    heading = capsys.readouterr().out.split("\n")[2]
    assert heading.split() == ["cohort", "1", "backfill", "cohort", "2", "then"]
