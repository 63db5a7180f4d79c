"""`doselang compare`: figures side by side, the command, and that what it shows really happens."""

from __future__ import annotations

import csv
import io
import json
import re
from fractions import Fraction
from math import sqrt
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.cli.comparing import _split
from doselang.protocol.model import Scenario
from doselang.simulate.exact import exact
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.side_by_side import SideBySide, fitted, right_level, side_by_side, too_toxic
from tests.samples import interval, reference, two_classes

PROTOCOLS = Path(__file__).parent.parent / "protocols"
LITERAL, SETTLED = (str(PROTOCOLS / f"ibrutinib-lenalidomide{end}.dose") for end in ("-literal", ""))
DESIGNS = PROTOCOLS / "designs"
BOIN, THREE = str(DESIGNS / "boin.dose"), str(DESIGNS / "three-plus-three.dose")
RATES = (0.1, 0.2, 0.3)
TARGET = Fraction(1, 4)
SMALL = """protocol "small"
levels 1 to 2
start at level 1
toxicity DLT
replace inevaluable patients
verdict MTD
part escalation
cohorts of 3
rule "up" when at most 1 of 3 patients has a DLT and a higher level exists then escalate
rule "top" when at most 1 of 3 patients has a DLT and no higher level exists then declare this level as MTD, stop
rule "toxic" when at least 2 of 3 patients have a DLT then close this level as too toxic, declare no MTD, stop
"""


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = run(["compare", *arguments])
    printed = capsys.readouterr()
    return status, printed.out or printed.err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    status, printed = compared(capsys, *arguments, "--format", "json")
    assert status == 0, printed
    return json.loads(printed)


# ---- the right level ----


@pytest.mark.parametrize(
    ("rates", "correct", "expected"),
    [
        ((0.1, 0.2, 0.3), "closest", 1),  # 20% and 30% are as close to 25%: the lower
        ((0.1, 0.24, 0.251), "closest", 2),
        ((0.4, 0.5, 0.6), "closest", 0),
        ((0.1, 0.25, 0.3), "highest", 1),
        ((0.1, 0.25, 0.25), "highest", 2),
        ((0.26, 0.3, 0.5), "highest", None),
        ((0.3, 0.2, 0.1), "closest", 1),
    ],
)
def test_the_right_level(rates: tuple[float, ...], correct: str, expected: int | None) -> None:
    assert right_level(rates, TARGET, correct) == expected  # type: ignore[arg-type]


def test_the_levels_above_the_right_one() -> None:
    assert too_toxic((0.1, 0.24, 0.26, 0.5), TARGET, 2) == (3,)
    assert too_toxic((0.1, 0.25, 0.26, 0.5), TARGET, 1) == (2, 3)
    assert too_toxic((0.3, 0.4), TARGET, None) == (0, 1)


# ---- figures ----


def figures(made: SideBySide) -> dict[tuple[str, int | None], tuple[float, ...]]:
    return {(line.name, line.level): tuple(f.value for f in line.figures) for line in made.lines}


def test_figures_are_those_of_a_simulation_and_their_sums() -> None:
    protocols, scenario = (reference(3), interval(3, 15)), Scenario("s", (RATES,))
    found = [exact(protocol, [scenario])[0] for protocol in protocols]
    made = side_by_side(found, TARGET, "highest")
    assert made.right == 1 and made.above == (2,)
    told = figures(made)
    for k, one in enumerate(found):
        assert [told["selected", level][k] for level in range(3)] == list(one.mtd)
        assert told["correct selection", 1][k] == one.mtd[1] and told["overdose selection", None][k] == one.mtd[2]
        assert told["patients at the right level", 1][k] == one.trial.patients.by_level[1]
        assert told["patients above the right level", None][k] == one.trial.patients.by_level[2]
        assert told["sample size", None][k] == one.trial.patients.mean and told["DLTs", None][k] == one.trial.dlts.mean
        shares = sum(told["selected", level][k] for level in range(3))
        shares += sum(told.get((name, None), (0, 0))[k] for name in ("no MTD", "no result", "undecided"))
        assert abs(shares - 1) < 1e-12
    for line in made.lines:
        assert all(figure.error is None for figure in (*line.figures, *line.differences))
        assert line.differences[0].value == line.figures[1].value - line.figures[0].value


def test_without_a_right_level_it_is_correct_to_select_none() -> None:
    one = exact(reference(3), [Scenario("s", ((0.3, 0.5, 0.6),))])[0]
    told = figures(side_by_side([one, one], TARGET, "highest"))
    assert told["correct selection", None][0] == one.no_mtd
    assert abs(told["overdose selection", None][0] - sum(one.mtd)) < 1e-12


def test_simulated_figures_lie_about_the_exact_ones_and_have_errors() -> None:
    scenario = Scenario("s", (RATES,))
    protocols = reference(3), interval(3, 15)
    simulated = [monte_carlo(one, [scenario], trials=20_000, seed=5 + k)[0] for k, one in enumerate(protocols)]
    right = side_by_side([exact(one, [scenario])[0] for one in protocols], TARGET)
    for line, true in zip(side_by_side(simulated, TARGET).lines, right.lines, strict=True):
        if line.name == "largest sample size":
            assert all(figure.seen for figure in line.figures)
            continue
        for figure, expected in zip(
            (*line.figures, *line.differences), (*true.figures, *true.differences), strict=True
        ):
            assert figure.error is not None
            assert abs(figure.value - expected.value) <= 5 * figure.error + 1e-9, line.name
        errors = [figure.error or 0.0 for figure in line.figures]
        assert abs((line.differences[0].error or 0.0) - sqrt(errors[0] ** 2 + errors[1] ** 2)) < 1e-15


def test_the_error_of_a_standard_deviation() -> None:
    """Against the spread of many simulations."""
    scenario, protocol, trials = Scenario("s", (RATES,)), reference(3), 500
    found = [monte_carlo(protocol, [scenario], trials=trials, seed=seed)[0] for seed in range(60)]
    lines = [side_by_side([one, one]).lines for one in found]
    (position,) = (n for n, line in enumerate(lines[0]) if line.name.startswith("standard deviation"))
    values = [line[position].figures[0].value for line in lines]
    spread = sqrt(sum((value - sum(values) / 60) ** 2 for value in values) / 59)
    assert 0.7 < spread / (lines[0][position].figures[0].error or 0.0) < 1.4


def test_the_scenario_of_one_protocol_for_another() -> None:
    two, one = two_classes(3), reference(3)
    scenario = Scenario("s", (RATES, (0.05, 0.1, 0.15)), chances={"nobody": (1.0, 0.0)})
    assert fitted(scenario, two, one).rates == (RATES,)
    assert fitted(scenario, two, one).chances == {}
    assert fitted(scenario, two, two) is scenario


# ---- what is shown really happens ----


def test_every_history_shown_gives_both_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    """`explain` says of each file what the comparison says of it."""
    record = as_json(capsys, LITERAL, SETTLED, "--decisions")
    differences = record["decisions"]["differences"]
    assert not record["decisions"]["equal"] and len(differences) > 10
    for one in differences:
        if one["of_patient"] or "x" in (one["history"] or "x"):
            continue
        for path, decision in zip((LITERAL, SETTLED), one["decisions"], strict=True):
            accrual = ["--accrual", one["accrual"]] if one["accrual"] else []
            assert run(["explain", path, decision["history"], *accrual]) == 0
            told = capsys.readouterr().out
            assert (decision["then"].split(":")[0] if decision["then"].startswith("wait") else decision["then"]) in told
            for rule in decision["rules"]:
                assert f'"{rule["name"]}"' in told
    assert differences[0]["history"] == "1TT"


def test_the_probability_is_that_of_leaving_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The two agree in no trial that the literal text leaves undecided, and differ in no other."""
    record = as_json(capsys, LITERAL, SETTLED)
    undecided = {
        one["name"]: line["values"][0]["value"]
        for one in record["scenarios"] for line in one["figures"] if line["figure"] == "undecided"
    }  # fmt: skip
    assert undecided.keys() == record["decisions"]["probability"].keys()
    for name, share in record["decisions"]["probability"].items():
        assert abs(share - undecided[name]) < 1e-12
        parts = [one["probability"][name] for one in record["decisions"]["differences"] if one["probability"]]
        assert abs(sum(parts) - share) < 1e-12


def test_a_threshold_moved_is_told_by_the_shortest_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(THREE).read_text(encoding="utf-8")
    changed = text.replace("when 1 of 3 patients has a DLT", "when at most 1 of 3 patients has a DLT", 1)
    changed = changed.replace(
        "when none of 3 patients has a DLT and a higher", "when 1 of 3 patients has a DLT and no higher"
    )
    assert changed != text
    (tmp_path / "three-plus-three.md").write_bytes((DESIGNS / "three-plus-three.md").read_bytes())
    copy = tmp_path / "amended.dose"
    copy.write_text(changed, encoding="utf-8")
    record = as_json(capsys, THREE, str(copy), "--decisions")
    first = record["decisions"]["differences"][0]
    assert first["history"] == "1NNN" and "level 2" in first["decisions"][0]["then"]
    assert run(["compare", THREE, str(copy), "--equal"]) == 1
    assert run(["compare", THREE, THREE, "--equal"]) == 0


@pytest.mark.parametrize("other", ["three-plus-three-de-escalation", "three-plus-three-escalation-only"])
def test_the_variants_of_the_three_plus_three(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = as_json(capsys, THREE, str(DESIGNS / f"{other}.dose"), "--decisions", "--set", "levels=3")
    histories = [one["history"] for one in record["decisions"]["differences"]]
    # one variant has another reading of the top level, the other does not go back to a level with three
    assert histories[0] == ("1NNN 2NNN 3NNN" if other.endswith("de-escalation") else "1NNN 2NTT")


# ---- the command ----


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status, printed = compared(capsys, *arguments)
    assert status == 2 and re.match(r"doselang: DL\d{3} ", printed), printed
    return printed


def test_what_cannot_be_compared_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Which protocols?" in refused(capsys, THREE)
    assert "as many levels" in refused(capsys, LITERAL, THREE)
    assert "`--decisions` compares two" in refused(capsys, THREE, BOIN, THREE, "--decisions")
    assert "is not a rate" in refused(capsys, THREE, BOIN, "--target", "25")
    assert "is not a rate" in refused(capsys, THREE, BOIN, "--target", "many")
    assert "is not NAME=VALUE" in refused(capsys, BOIN, f"{BOIN}:target=high")
    assert "no parameter" in refused(capsys, BOIN, f"{BOIN}:nonsense=3")
    assert "There is no file" in refused(capsys, BOIN, f"{BOIN}:")
    assert "There is no file" in refused(capsys, BOIN, "nowhere.dose:target=3")
    assert "goes with `--method montecarlo`" in refused(capsys, THREE, BOIN, "--seed", "3")
    assert "not known" in refused(capsys, THREE, THREE, "--decisions", "--max-states", "5")
    assert "There is no scenario" in refused(capsys, THREE, BOIN, "--scenario", "nowhere")
    one, other = (str(DESIGNS / f"{name}.dose") for name in ("accelerated-titration", "three-plus-three"))
    assert "different toxicities" in refused(capsys, f"{one}:levels=5", other, "--decisions")


def test_one_protocol_with_two_sets_of_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    record = as_json(capsys, f"{BOIN}:levels=3", f"{BOIN}:levels=3,target=20%", "--figures", "--dlt", "10%,20%,30%")
    mean = {line["figure"]: line["values"] for line in record["scenarios"][0]["figures"]}["DLTs"]
    separate = []
    for target in ("30%", "20%"):
        assert (
            run(
                [
                    "simulate",
                    BOIN,
                    "--set",
                    "levels=3",
                    "--set",
                    f"target={target}",
                    "--dlt",
                    "10%,20%,30%",
                    "--format",
                    "json",
                ]
            )
            == 0
        )
        separate.append(json.loads(capsys.readouterr().out)["scenarios"][0]["dlts"]["mean"])
    assert [one["value"] for one in mean] == separate and separate[0] != separate[1]
    assert record["decisions"] is None and record["method"] == "exact"


def test_a_list_among_the_parameters_goes_on_till_the_next_name() -> None:
    path, given = _split("crm.dose:skeleton=0.05,0.1,0.2,target=25%")
    assert path == "crm.dose" and {name: len(one.numbers) for name, one in given.items()} == {
        "skeleton": 3,
        "target": 1,
    }
    assert _split("a.dose") == ("a.dose", {}) and _split("-") == ("-", {})


def test_every_difference_is_in_the_tables_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed = compared(capsys, LITERAL, SETTLED, "--decisions", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed)))
    record = as_json(capsys, LITERAL, SETTLED, "--decisions")
    assert [row["history_a"] or None for row in rows] == [one["history"] for one in record["decisions"]["differences"]]
    assert rows[0]["rules_b"].startswith("two DLTs") and float(rows[0]["probability:moderate"]) == pytest.approx(0.01)
    _, printed = compared(capsys, LITERAL, SETTLED, "--format", "csv", "--scenario", "moderate")
    figures = list(csv.DictReader(io.StringIO(printed)))
    assert {row["protocol"] for row in figures} == {"A", "B"} and {row["method"] for row in figures} == {"exact"}
    assert all(row["standard_error"] == "" for row in figures)


def test_markdown_and_simulated_text(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = compared(
        capsys, LITERAL, SETTLED, "--method", "montecarlo", "--trials", "500", "--seed", "3", "--format", "markdown",
        "--scenario", "moderate", "--target", "20%",
    )  # fmt: skip
    assert status == 0 and "| figure | A | B | B - A |" in printed and "## Decisions" in printed
    assert "Simulated independently, 500 trials each, seeds A 3, B 4" in printed and "±" in printed


def test_two_files_without_a_scenario_are_compared_by_their_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plain.dose"
    path.write_text(SMALL, encoding="utf-8")
    status, printed = compared(capsys, str(path), str(path))
    assert status == 0 and "No figures" in printed and "decide alike in every history" in printed
    assert "Give true rates" in refused(capsys, str(path), str(path), "--figures")


def test_a_parameter_is_given_once_and_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for again in ("levels=3,levels=4", "levels=3,LEVELS=3", "levels=3, levels =4"):
        status, printed = compared(capsys, THREE, f"{THREE}:{again}")
        assert status == 2 and "evels` is given twice" in printed.replace("EVELS", "evels")
    status, printed = compared(capsys, THREE, f"{BOIN}:level=3")
    assert status == 2 and f"`level=…`: {BOIN} has no parameter `level`." in printed and "`levels`?" in printed


def test_the_name_of_a_file_is_not_empty(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = compared(capsys, THREE, "")
    assert status == 2 and "DL901 file-unreadable: The name of a file is empty." in printed
