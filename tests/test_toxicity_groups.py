"""Names for several toxicities that are counted together: what they mean, worked out in other ways."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from doselang.check.checking import check
from doselang.check.differences import compare_decisions
from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.loading import load_source
from doselang.machine import gathering
from doselang.machine.records import Ints, Records
from doselang.patients.reading import read_conducted
from doselang.protocol.guards import THIS, Place, Range
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.clock import Timing
from doselang.simulate.exact import exact
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.scenarios import from_rates
from doselang.simulate.timed_figures import timed
from doselang.source import Source
from tests.oracles.later import ends
from tests.test_generated import Case, cases
from tests.test_later import found
from tests.test_machine_against_oracle import Explored, check_ends, some_case_disagrees

Capture = pytest.CaptureFixture[str]
DESIGNS = Path(__file__).parent.parent / "protocols" / "designs"

HEAD = """\
protocol "Two classes that limit the dose"
levels 1 to 3
start at level 1
toxicity DLT       within 28 days  written T
toxicity haem-DLT  within 28 days  written H
toxicity limiting-event is DLT or haem-DLT
replace inevaluable patients
part escalation
cohorts of 3
"""
RULES = """\
rule "clear"
  when {none} and exactly 3 evaluable and a higher level exists
  then escalate
rule "clear at the top"
  when {none} and exactly 3 evaluable and no higher level exists
  then stay
rule "one"
  when {one} and exactly 3 evaluable
  then stay
rule "one of six"
  when {few} and exactly 6 evaluable and a higher level exists and the next higher level is untried
  then escalate
rule "tolerated"
  when {few} and exactly 6 evaluable and (no higher level exists or the next higher level is tried)
  then declare this level as MTD, stop
rule "toxic"
  when {two}
  then close this level as too toxic
rule "down"
  when this level is closed as too toxic and fewer than 6 evaluable at the next lower level
  then fill the next lower level to 6
rule "below is full"
  when this level is closed as too toxic and at least 6 evaluable at the next lower level
  then declare the next lower level as MTD, stop
rule "none"
  when this level is closed as too toxic and no lower level exists
  then declare no MTD, stop
"""
TOGETHER = HEAD + RULES.format(
    none="no limiting-event", one="exactly 1 limiting-event", few="at most 1 limiting-event",
    two="at least 2 limiting-events",
)  # fmt: skip
SPELLED_OUT = HEAD + RULES.format(
    none="no DLT and no haem-DLT",
    one="((exactly 1 DLT and no haem-DLT) or (no DLT and exactly 1 haem-DLT))",
    few="not (at least 2 DLTs or (any DLT and any haem-DLT) or at least 2 haem-DLTs)",
    two="(at least 2 DLTs or (any DLT and any haem-DLT) or at least 2 haem-DLTs)",
)
ALONE = TOGETHER.replace("toxicity haem-DLT  within 28 days  written H\n", "").replace(
    "toxicity limiting-event is DLT or haem-DLT\n", ""
).replace("limiting-event", "DLT")  # fmt: skip


def protocol_of(text: str) -> Protocol:
    loaded = load_source(Source("a.dose", text), DESIGNS)
    assert loaded.protocol is not None, [item.message for item in loaded.diagnostics]
    return loaded.protocol


# ---- the same said otherwise ----


def test_a_name_for_several_decides_as_the_numbers_written_out() -> None:
    assert compare_decisions(protocol_of(TOGETHER), protocol_of(SPELLED_OUT)).equal


def test_a_threshold_of_the_sum_that_is_another_is_noticed() -> None:
    other = protocol_of(TOGETHER.replace("at least 2 limiting-events", "at least 3 limiting-events"))
    assert not compare_decisions(other, protocol_of(SPELLED_OUT)).equal


def test_what_is_kept_of_the_classes_grows_no_faster_than_written_out() -> None:
    one, other = (check(protocol_of(text)) for text in (TOGETHER, SPELLED_OUT))
    assert one.states <= other.states


RATES = (0.05, 0.1, 0.2), (0.1, 0.15, 0.05)
TWO = Scenario("two classes", RATES)
ONE = Scenario("one class", (tuple(a + b for a, b in zip(*RATES, strict=True)),))


def test_two_classes_counted_together_are_as_one_class_with_both_rates() -> None:
    """Whether a patient counts has the sum of the rates as its chance, whatever else is kept apart."""
    (two,), (one,) = exact(protocol_of(TOGETHER), [TWO]), exact(protocol_of(ALONE), [ONE])
    assert two.mtd == pytest.approx(one.mtd, abs=1e-12) and two.no_mtd == pytest.approx(one.no_mtd, abs=1e-12)
    assert two.patients.mean == pytest.approx(one.patients.mean, abs=1e-9)


def test_the_same_by_simulation() -> None:
    (drawn,) = monte_carlo(protocol_of(TOGETHER), [TWO], trials=20_000, seed=3)
    (one,) = exact(protocol_of(ALONE), [ONE])
    assert drawn.mtd == pytest.approx(one.mtd, abs=0.015)


def test_the_same_with_a_clock() -> None:
    timing = Timing(every=10.0, window=28.0, onset="at the end")
    (drawn,) = timed(protocol_of(TOGETHER), [TWO], timing, trials=4_000, seed=3)
    (one,) = timed(protocol_of(ALONE), [ONE], timing, trials=4_000, seed=3)
    assert drawn.mtd == pytest.approx(one.mtd, abs=0.04) and drawn.no_mtd == pytest.approx(one.no_mtd, abs=0.04)


# ---- a machine that counts otherwise does not agree ----


total, tally = Records.total, gathering._Collector.tally


def first_alone(self: Records, what: tuple[int, ...], part: int | None = None) -> Ints:
    return total(self, what, part) if what[0] < 0 else self.tally(what[0], part)


def first_of_a_cohort_alone(self: Records, start: int, toxicities: tuple[int, ...]) -> Ints:
    return self.column(start + 1 + toxicities[0])


def only_the_first_is_kept(self: gathering._Collector, what: tuple[int, ...], *more: object) -> None:
    tally(self, what[:1], *more)  # type: ignore[arg-type]


MUTANTS: dict[str, tuple[object, str, object]] = {
    "of several classes the first counts alone": (Records, "total", first_alone),
    "of a sum only the first class is remembered": (gathering._Collector, "tally", only_the_first_is_kept),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_machine_that_counts_otherwise_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[name])
    some_case_disagrees(cases().filter(lambda case: len(case.protocol.toxicities) > 1))


OF_THE_FIRST = (
    HEAD.replace("cohorts of 3", "cohorts of 2")
    + """\
rule "more"
  when exactly 2 evaluable
  then stay
rule "one and none"
  when exactly 4 evaluable and 1 of the first 2 patients has a limiting-event
       and none of the added 2 has a limiting-event
  then declare this level as MTD, stop
rule "another"
  when exactly 4 evaluable and not (1 of the first 2 patients has a limiting-event and
       none of the added 2 has a limiting-event)
  then declare no MTD, stop
"""
)


def test_cohorts_are_remembered_by_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(protocol_of(OF_THE_FIRST), ((Fraction(1, 4),) * 3, (Fraction(1, 5),) * 3), {})
    check_ends(Explored(case, "whole-cohort"), case.ends("whole-cohort"))
    monkeypatch.setattr(Records, "among", first_of_a_cohort_alone)
    with pytest.raises(AssertionError):
        check_ends(Explored(case, "whole-cohort"), case.ends("whole-cohort"))


CLOSED_ABOVE = (
    HEAD.replace("cohorts of 3", "cohorts of 2")
    + """\
rule "up"
  when this level is level 1 and exactly 2 evaluable
  then escalate
rule "close"
  when this level is level 2 and exactly 2 evaluable
  then close this level as too toxic, enrol 2 at the next lower level
rule "two above"
  when exactly 4 evaluable and at least 2 limiting-events at the next higher level
  then declare this level as MTD, stop
rule "fewer above"
  when exactly 4 evaluable and at most 1 limiting-event at the next higher level
  then declare no MTD, stop
"""
)


def only_the_numbers_themselves(
    self: gathering._Collector, place: Place, what: tuple[int, ...], count: Range | None
) -> None:
    if count is None or place == THIS:
        return
    for one in what:
        self.thresholds.setdefault(one, set()).add(count.low)


def test_a_closed_level_keeps_what_a_sum_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A patient with either class makes two together, and neither makes two alone."""
    case = Case(protocol_of(CLOSED_ABOVE), ((Fraction(1, 4),) * 3, (Fraction(1, 5),) * 3), {})
    check_ends(Explored(case, "whole-cohort"), case.ends("whole-cohort"))
    monkeypatch.setattr(gathering._Collector, "elsewhere", only_the_numbers_themselves)
    with pytest.raises(AssertionError):
        check_ends(Explored(case, "whole-cohort"), case.ends("whole-cohort"))


# ---- toxicities in later cycles ----

MOVING = """\
protocol "A patient moves from one class to another"
levels 1 to 2
start at level 1
toxicity DLT
toxicity late-DLT  in later cycles  written L
toxicity moderate  written M
toxicity any-event is late-DLT or moderate
part escalation
cohorts of 1
look at every arrival
rule "first"
  when exactly 1 enrolled
  then stay
rule "two"
  when exactly 2 enrolled and no pending and at least 2 any-events and any moderate
  then declare this level as MTD, stop
rule "two late"
  when exactly 2 enrolled and no pending and at least 2 late-DLTs
  then declare this level as MTD, stop
rule "fewer"
  when exactly 2 enrolled and no pending and at most 1 any-event
  then declare no MTD, stop
"""


def test_a_patient_who_moves_inside_a_sum_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = protocol_of(MOVING)
    assert found(protocol) == ends(protocol)
    monkeypatch.setattr(Records, "total", first_alone)
    assert found(protocol) != ends(protocol)


MOVED = ("1ML", "two"), ("1LL", "two late"), ("1LN", "fewer"), ("1NL", "fewer"), ("1TL", "fewer")


@pytest.mark.parametrize(("history", "rule"), MOVED)
def test_the_sum_where_patients_have_moved(history: str, rule: str, capsys: Capture, tmp_path: Path) -> None:
    """Of two patients those with a late DLT or a moderate toxicity count, whatever they had before."""
    (tmp_path / "a.dose").write_text(MOVING)
    assert run(["explain", str(tmp_path / "a.dose"), history]) == 0
    assert f'"{rule}"' in capsys.readouterr().out.partition("Why not")[0]


# ---- what people are shown ----


def test_people_are_shown_how_many_there_are(capsys: Capture, tmp_path: Path) -> None:
    """The machine stops counting at two; the account of a history does not."""
    (tmp_path / "a.dose").write_text(TOGETHER)
    assert run(["explain", str(tmp_path / "a.dose"), "1TTH"]) == 0
    assert "at least 2 limiting-events  3 in 3 evaluable at level 1" in " ".join(
        capsys.readouterr().out.split()
    ).replace("limiting-events 3", "limiting-events  3")


def test_decision_tables_count_what_the_rules_count(capsys: Capture, tmp_path: Path) -> None:
    """Decisions depend on the sum alone, so that the tables are those of one class, under the name of the sum."""
    told = []
    for name, text in (("together", TOGETHER), ("alone", ALONE)):
        (tmp_path / f"{name}.dose").write_text(text)
        assert run(["table", str(tmp_path / f"{name}.dose")]) == 0
        told.append(capsys.readouterr().out)
    assert "limiting-events among them down" in told[0]
    assert told[0].replace("limiting-event", "DLT").replace("-", "").split() == told[1].replace("-", "").split()


def test_decision_tables_count_the_first_class_where_it_is_asked_for_alone(capsys: Capture, tmp_path: Path) -> None:
    rule = 'rule "a DLT"\n  when any DLT and any haem-DLT\n  then count both\n'
    (tmp_path / "a.dose").write_text(TOGETHER.replace("part escalation", "counter both\npart escalation") + rule)
    assert run(["table", str(tmp_path / "a.dose")]) == 0
    assert " DLTs among them down" in capsys.readouterr().out


def test_a_gap_is_told_in_what_the_rules_count(capsys: Capture, tmp_path: Path) -> None:
    """Of one patient with either class nothing is said any more; the rule that is proposed says it."""
    before, _, rest = TOGETHER.partition('rule "one"')
    gap = before + 'rule "one of six"' + rest.partition('rule "one of six"')[2]
    (tmp_path / "a.dose").write_text(gap)
    assert run(["check", str(tmp_path / "a.dose")]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "The first cohort at a level, with 1 limiting-event in 3: no rule says what comes next." in told
    assert "when 1 of 3 patients has a limiting-event then …" in told


def test_a_class_that_is_asked_for_together_with_others_is_asked_for() -> None:
    source = Source("a.dose", TOGETHER)
    assert "DL223" not in {item.code for item in load_source(source, DESIGNS).diagnostics}
    alone = TOGETHER.replace("DLT or haem-DLT", "DLT or haem-DLT\ntoxicity moderate  written M")
    assert "DL223" in {item.code for item in load_source(Source("a.dose", alone), DESIGNS).diagnostics}


def test_the_rates_of_a_name_for_several_are_those_of_each() -> None:
    with pytest.raises(Trouble) as refused:
        from_rates(protocol_of(TOGETHER), "10%,20%,30%", ["limiting-event=10%,20%,30%"])
    assert "`limiting-event` counts `DLT` and `haem-DLT` together" in str(refused.value.diagnostic.help)


# ---- a design that is used ----

USED = """\
protocol "A drug"
use "three-plus-three"
  with levels 3
  without "what a dose-limiting toxicity is, and within what time it counts"
toxicity haem-DLT   within 28 days  written H
toxicity other-DLT  within 28 days  written O
toxicity DLT is haem-DLT or other-DLT
part escalation
"""


def test_a_design_counts_a_name_that_replaces_its_toxicity() -> None:
    """Its rules ask for DLTs: with the name in its place they are those of both classes."""
    used = protocol_of(USED)
    assert [one.name for one in used.toxicities] == ["haem-DLT", "other-DLT"]
    one, two = USED.partition("toxicity haem")[0] + "toxicity DLT  within 28 days\npart escalation\n", TWO
    (together,), (alone,) = exact(used, [two]), exact(protocol_of(one), [ONE])
    assert together.mtd == pytest.approx(alone.mtd, abs=1e-12)


# ---- tables of patients ----

MAP = '[patients]\nfile = "patients.csv"\npatient = "ID"\nlevel = "DOSE"\ndlt = "DLTFL"\n'


def refused_cells(folder: Path, name: str) -> list[tuple[str, str]]:
    tables = read_conducted(str(folder / name), protocol_of(USED), date(2026, 11, 1))
    return [(item.code, item.message) for item in tables.diagnostics]


def test_a_name_for_several_is_no_outcome_of_a_patient(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("patient,level,outcome\nP1,1,haem-DLT\nP2,1,DLT\n")
    ((code, message),) = refused_cells(tmp_path, "patients.csv")
    assert code == "DL803" and "`DLT` could be `haem-DLT` or `other-DLT`" in message


def test_a_column_of_yes_and_no_does_not_tell_which_of_several(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    (tmp_path / "patients.csv").write_text("ID,DOSE,DLTFL\nP1,1,N\nP2,1,Y\n")
    ((code, message),) = refused_cells(tmp_path, "map.toml")
    assert code == "DL803" and "`Y` could be `haem-DLT` or `other-DLT`" in message
    (tmp_path / "map.toml").write_text(MAP + '[patients.outcomes]\nY = "haem-DLT"\n')
    assert not refused_cells(tmp_path, "map.toml")
