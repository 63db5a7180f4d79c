"""Operating characteristics in words and for programs."""

from __future__ import annotations

import csv
import io
import json

import pytest
from attrs import evolve

from doselang.report.characteristics import (
    percent,
    render_csv,
    render_markdown,
    render_text,
    simulation_record,
)
from doselang.report.diagnostics_json import write_json
from doselang.simulate.characteristics import Characteristics, Courses
from doselang.simulate.exact import exact
from doselang.simulate.montecarlo import monte_carlo
from tests.samples import literal, reference, two_classes
from tests.test_exact import MODERATE, scenario

ONE = scenario(MODERATE)
EXACT, GAPS = exact(reference(3), [ONE]), exact(literal(3), [ONE])
SIMULATED = monte_carlo(literal(3), [ONE], trials=1000, seed=4)

SHOWN = """\
a scenario: exact, one patient at a time

  level   true DLT rate  selected as MTD  patients  with DLT
  ------  -------------  ---------------  --------  --------
  1               10.0%            28.5%      4.35      0.44
  2               20.0%            34.4%      4.33      0.87
  3               30.0%            27.0%      3.13      0.94
  no MTD                           10.0%
  in all                                     11.81      2.24

  11.81 patients in escalation, standard deviation 3.33, from 2 to 18

  part        patients  with DLT
  ----------  --------  --------
  escalation     11.81      2.24
  expansion       9.00      1.78

  trials end  with    because                        by rule
  ----------  ------  -----------------------------  --------
       90.0%  MTD     ten more were treated          complete
       10.0%  no MTD  the lowest level is too toxic  lowest
"""


def test_the_text_for_people() -> None:
    assert render_text(EXACT) == SHOWN
    assert render_text([*EXACT, *EXACT]) == SHOWN + "\n" + SHOWN
    assert render_text([]) == ""


def test_the_undecided_come_first() -> None:
    lines = render_text(GAPS).splitlines()
    assert lines[2].startswith("  the rules do not decide what happens: ")
    assert "1NTT" in render_text(GAPS) and lines[2].endswith("of trials end undecided")
    assert "undecided" not in SHOWN


def test_a_simulation_says_so_with_its_seed_and_standard_errors() -> None:
    text = render_text(SIMULATED)
    assert text.startswith("a scenario: simulated, 1,000 trials, seed 4, one patient at a time, ± standard error\n")
    assert "exact" not in text and text.count("±") > 20


def test_markdown_has_the_same_figures() -> None:
    text = render_markdown(EXACT)
    assert text.startswith("## a scenario\n\nExact, one patient at a time.\n\n| level |")
    assert "| 1 | 10.0% | 28.5% | 4.35 | 0.44 |" in text


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0.0%"), (1e-9, "<0.1%"), (0.0005, "0.1%"), (0.285, "28.5%"), (0.9999, ">99.9%"), (1.0, "100.0%")],
)
def test_a_probability_is_never_rounded_to_nothing_or_all(share: float, shown: str) -> None:
    assert percent(share) == shown


# ---- for programs ----

KEYS = [
    "name", "dlt", "rates", "mtd", "no_mtd", "other_verdicts", "undecided", "patients", "dlts", "parts", "reasons",
    "undecided_causes", "courses", "standard_errors", "trials", "seed", "timing",
]  # fmt: skip


@pytest.mark.parametrize("found", [EXACT, GAPS, SIMULATED], ids=["exact", "gaps", "simulated"])
def test_the_json_has_the_keys_that_programs_rely_on(found: tuple[Characteristics, ...]) -> None:
    record = json.loads(write_json(simulation_record(found, "x.dose")))
    assert list(record) == ["version", "path", "method", "accrual", "scenarios"]
    (one,) = record["scenarios"]
    assert list(one) == KEYS
    assert one["dlt"] == {"1": 0.1, "2": 0.2, "3": 0.3} == one["rates"]["DLT"]
    assert list(one["patients"]) == ["mean", "sd", "min", "max", "by_level", "distribution"]
    shares = (*one["mtd"].values(), one["no_mtd"], *one["other_verdicts"].values(), one["undecided"])
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert sum(one["patients"]["distribution"].values()) == pytest.approx(1, abs=1e-12)
    assert list(one["patients"]["by_level"]) == ["1", "2", "3"] == list(one["dlts"]["by_level"])
    for reason in one["reasons"]:
        assert list(reason) == ["verdict", "reason", "rule", "rules", "probability"]
    for cause in one["undecided_causes"]:
        assert list(cause) == ["cause", "history", "probability"]


def test_standard_errors_mirror_the_keys() -> None:
    assert simulation_record(EXACT, "x")["scenarios"][0]["standard_errors"] is None  # type: ignore[index]
    one = json.loads(write_json(simulation_record(SIMULATED, "x.dose")))["scenarios"][0]
    errors = one["standard_errors"]
    for key in ("mtd", "other_verdicts", "parts"):
        assert errors[key].keys() == one[key].keys()
    assert errors["patients"].keys() == one["patients"].keys() - {"sd", "min", "max"}
    assert errors["patients"]["distribution"].keys() == one["patients"]["distribution"].keys()
    assert errors["dlts"]["by_level"].keys() == one["dlts"]["by_level"].keys()
    assert len(errors["reasons"]) == len(one["reasons"])
    assert len(errors["undecided_causes"]) == len(one["undecided_causes"])
    assert (one["trials"], one["seed"]) == (1000, 4)


def test_courses_are_shown_where_there_are_some() -> None:
    found = [evolve(EXACT[0], courses=Courses(0.08, 9.1, {"progression": 0.7, "refusal": 0.3}))]
    record = simulation_record(found, "x")["scenarios"][0]["courses"]  # type: ignore[index]
    assert record == {"re_treated": 0.08, "cycles_mean": 9.1, "reasons_off": {"progression": 0.7, "refusal": 0.3}}
    assert "8.0% of patients are re-treated; 9.1 cycles a patient" in render_text(found)


def test_the_long_table_has_every_figure_once() -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv([*SIMULATED, *EXACT]))))
    simulated = [row for row in rows if row["method"] == "montecarlo"]
    keys = [(row["figure"], row["level"], row["item"]) for row in simulated]
    assert len(set(keys)) == len(keys)
    (found,) = SIMULATED
    value = {key: row for key, row in zip(keys, simulated, strict=True)}
    assert float(value["mtd", "2", ""]["value"]) == found.mtd[1]
    assert found.standard_errors is not None
    assert float(value["mtd", "2", ""]["standard_error"]) == found.standard_errors.mtd[1]
    assert value["patients_max", "", ""]["value"] == str(found.patients.max)
    assert all(row["standard_error"] == "" for row in rows if row["method"] == "exact")


def test_every_toxicity_has_its_true_rates() -> None:
    found = exact(two_classes(), [scenario((0.1, 0.2, 0.3), (0.2, 0.2, 0.2))])
    assert "true DLT rate  true moderate rate" in render_text(found)
    assert "figure,level,item" in render_csv(found) and ",rate,1,moderate,0.2," in render_csv(found)
