"""Operating characteristics in words and for programs."""

from __future__ import annotations

import csv
import io
import json

import pytest
from attrs import evolve

from doselang.report.characteristics import percent, render_markdown, render_text, simulation_record
from doselang.report.diagnostics_json import write_json
from doselang.report.figures import render_csv
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

  level   true DLT rate  selected as MTD  patients in all parts  with DLT in all parts
  ------  -------------  ---------------  ---------------------  ---------------------
  1               10.0%            28.5%                   7.21                   0.72
  2               20.0%            34.4%                   7.77                   1.55
  3               30.0%            27.0%                   5.83                   1.75
  no MTD                           10.0%
  in all                                                  20.80                   4.02

  20.80 patients in all parts, standard deviation 5.88, from 2 to 28

  part        patients  with DLT
  ----------  --------  --------
  escalation     11.81      2.24
  expansion       9.00      1.78

  11.81 patients in escalation alone, standard deviation 3.33, from 2 to 18

  level  patients in escalation alone  with DLT in escalation alone
  -----  ----------------------------  ----------------------------
  1                              4.35                          0.44
  2                              4.33                          0.87
  3                              3.13                          0.94

  trials end  with    because                        by rule
  ----------  ------  -----------------------------  --------
       90.0%  MTD     ten more were treated          complete
       10.0%  no MTD  the lowest level is too toxic  lowest
"""


def test_the_text_for_people() -> None:
    assert render_text(EXACT) == SHOWN
    assert render_text([*EXACT, *EXACT]) == SHOWN + "\n" + SHOWN
    assert render_text([]) == ""


def test_the_expansion_adds_ten_patients_at_the_mtd() -> None:
    """So the figures of the whole trial follow from those of the escalation, which have a test of their own."""
    (found,) = EXACT
    for level, (rate, share) in enumerate(zip(MODERATE, found.mtd, strict=True)):
        patients, dlts = found.patients.by_level[level] + 10 * share, found.dlts.by_level[level] + 10 * share * rate
        assert found.trial.patients.by_level[level] == pytest.approx(patients, abs=1e-12)
        assert found.trial.dlts.by_level[level] == pytest.approx(float(dlts), abs=1e-12)


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
    assert "| 1 | 10.0% | 28.5% | 7.21 | 0.72 |" in text


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0.0%"), (1e-9, "<0.1%"), (0.0005, "0.1%"), (0.285, "28.5%"), (0.9999, ">99.9%"), (1.0, "100.0%")],
)
def test_a_probability_is_never_rounded_to_nothing_or_all(share: float, shown: str) -> None:
    assert percent(share) == shown


# ---- for programs ----

KEYS = [
    "name", "dlt", "rates", "mtd", "no_mtd", "other_verdicts", "undecided", "patients", "dlts", "trial", "parts",
    "verdicts", "reasons", "undecided_causes", "courses", "standard_errors", "trials", "seed", "timing",
]  # fmt: skip


@pytest.mark.parametrize("found", [EXACT, GAPS, SIMULATED], ids=["exact", "gaps", "simulated"])
def test_the_json_has_the_keys_that_programs_rely_on(found: tuple[Characteristics, ...]) -> None:
    record = json.loads(write_json(simulation_record(found, "x.dose")))
    assert list(record) == ["version", "path", "method", "accrual", "scenarios"]
    (one,) = record["scenarios"]
    assert list(one) == KEYS
    assert one["dlt"] == {"1": 0.1, "2": 0.2, "3": 0.3} == one["rates"]["DLT"]
    shares = (*one["mtd"].values(), one["no_mtd"], *one["other_verdicts"].values(), one["undecided"])
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    for of in (one, one["trial"]):
        assert list(of["patients"]) == ["mean", "sd", "min", "max", "by_level", "distribution"]
        assert sum(of["patients"]["distribution"].values()) == pytest.approx(1, abs=1e-12)
        assert list(of["patients"]["by_level"]) == ["1", "2", "3"] == list(of["dlts"]["by_level"])
    for key in ("patients", "dlts"):
        assert one["trial"][key]["mean"] == pytest.approx(sum(part[key] for part in one["parts"].values()), abs=1e-12)
    said = one["verdicts"]["MTD"]
    assert list(said) == ["by_level", "none", "not_declared"]
    assert (said["by_level"], said["none"]) == (one["mtd"], one["no_mtd"])
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
    for of_errors, of in ((errors, one), (errors["trial"], one["trial"])):
        assert of_errors["patients"].keys() == of["patients"].keys() - {"sd", "min", "max"}
        assert of_errors["patients"]["distribution"].keys() == of["patients"]["distribution"].keys()
        assert of_errors["dlts"]["by_level"].keys() == of["dlts"]["by_level"].keys()
    assert errors["verdicts"]["MTD"].keys() == one["verdicts"]["MTD"].keys()
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
