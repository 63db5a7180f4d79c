"""Patients beside a cohort: both have places at the same time, in whatever order patients come; the look waits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import combinations_with_replacement, product
from pathlib import Path

import pytest
from attrs import define, evolve, field

from doselang.conduct.advice import Advice, advise, advise_after
from doselang.conduct.advised import now_words
from doselang.conduct.conducted import Conducted, Patient
from doselang.conduct.judging import judge
from doselang.conduct.standing import Standing
from doselang.loading import load_source
from doselang.machine import replay as replaying
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.notation import HistoryError, parse_history
from doselang.machine.replay import replay
from doselang.protocol.model import Stop
from doselang.report.advice import render_advice
from doselang.source import Source
from tests.kept import SCRIPTS, Kept
from tests.oracles.plain import Cohort, Halt, Look, Trial, World

SIX = """
protocol "both levels count"
levels 1 to 3
start at level 1
toxicity DLT
replace inevaluable patients
part p
cohorts of 3
rule "up"
  when none of 3 patients has a DLT and this level is level 1
  then escalate and backfill 2 patients at this level
rule "good"
  when this level is level 2 and at most 1 of 5 patients has a DLT at level 1 and exactly 3 evaluable
  then declare level 1 as MTD, stop "fine"
rule "bad"
  when this level is level 2 and at least 2 of 5 patients have a DLT at level 1 and exactly 3 evaluable
  then declare no MTD, stop "bad"
rule "other"
  when any of 3 patients has a DLT and this level is level 1
  then declare no MTD, stop
"""
"""As a user had it: the verdict at level 2 rests on the patients of level 1."""

AT_ONCE = """
protocol "a look at any time"
levels 1 to 3
start at level 1
toxicity DLT
replace inevaluable patients
part p
cohorts of 3
rule "up"
  when none of 3 patients has a DLT and this level is level 1
  then escalate and backfill 2 patients at this level
rule "fine"
  when this level is level 2 and at most 1 of 3 patients has a DLT
  then declare this level as MTD, stop
rule "toxic"  at any time
  when at least 2 DLTs
  then close this level as too toxic
rule "both"  at any time
  when at least 1 DLT and at least 2 DLTs at the next lower level
  then close the next lower level with all above as too toxic
rule "end"
  when this level is closed as too toxic
  then declare no MTD, stop
"""
"""Two DLTs at level 2 bring the look about whatever is known below; one does if there were two below."""

CHOICE = """
protocol "a choice"
levels 1 to 2
start at level 1
toxicity DLT
replace inevaluable patients
body sponsor
part p
cohorts of 3
rule "up"
  when none of 3 patients has a DLT and a higher level exists
  then ask sponsor to choose escalate or escalate and backfill 3 patients at this level
rule "end"
  when any of 3 patients has a DLT or no higher level exists
  then declare this level as MTD, stop
"""

ALONE = """
protocol "a sentinel"
levels 1 to 3
start at level 1
toxicity DLT
replace inevaluable patients
part p
cohorts of 3
sentinel of each new level for 14 days
rule "up"
  when none of 3 patients has a DLT and this level is level 1
  then escalate and backfill 2 patients at this level
rule "sentinel"
  when the sentinel has a DLT and this level is level 2
  then enrol the rest
rule "sentinel below"
  when the sentinel has a DLT and this level is level 1
  then declare no MTD, stop
rule "end"
  when the cohort is complete and this level is level 2
  then declare this level as MTD, stop
rule "end below"
  when any of 3 patients has a DLT and this level is level 1
  then declare no MTD, stop
"""


SHIPPED = (SCRIPTS / "backfill.dose").read_text(encoding="utf-8").replace("  within 28 days", "")
"""Without a window everybody is known on the day that the table says."""


@cache
def machine_of(text: str) -> Machine:
    protocol = load_source(Source("script.dose", text), None).protocol
    assert protocol is not None
    return compile_protocol(protocol)


def told(text: str, history: str) -> Advice:
    machine = machine_of(text)
    return advise_after(replay(machine, parse_history(history, machine.protocol)))


def free(advice: Advice) -> dict[str, int]:
    """The places that are offered, by label."""
    return {advice.now.protocol.levels[place.level].label: place.free for place in advice.places}


# ---- single situations ----


@pytest.mark.parametrize(
    ("history", "places"),
    [
        ("1NNN", {"2": 3, "1": 2}),
        ("1NNN 1N", {"2": 3, "1": 1}),
        ("1NNN 1.", {"2": 3, "1": 1}),
        ("1NNN 2N", {"2": 2, "1": 2}),
        ("1NNN 2...", {"1": 2}),
        ("1NNN 1N 2NNN", {"1": 1}),
        ("1NNN 1T. 2N.", {"2": 1}),
        ("1NNN 1Tx 2NNN", {"1": 1}),
        ("1NNN 1xx 2NNN", {"1": 2}),
        ("1NNN 1N. 2Nx.", {"2": 1}),
    ],
)
def test_the_places_of_both_are_offered(history: str, places: dict[str, int]) -> None:
    advice = told(SIX, history)
    assert advice.action == "enrol" and free(advice) == places


@pytest.mark.parametrize(
    ("history", "waits"),
    [
        ("1NNN 1T. 2NNN", "1 outcome at level 1"),
        ("1NNN 1.. 2N..", "2 outcomes at level 1 and 2 outcomes at level 2"),
        ("1NNN 1Nx. 2NN.", "1 outcome at level 1 and 1 outcome at level 2"),
        # whatever the one who is pending shows, the verdict would be the same
        ("1NNN 1N. 2NNN", "1 outcome at level 1"),
    ],
)
def test_who_is_waited_for_is_said_with_number_and_level(history: str, waits: str) -> None:
    assert now_words(told(SIX, history)) == f"nobody may enter: wait for {waits}"


def test_the_look_comes_when_all_are_known() -> None:
    assert told(SIX, "1NNN 1NT 2NNN").now.ways[0].acted[0].rule.name == "good"
    assert told(SIX, "1NNN 1TT 2NNN").now.ways[0].acted[0].rule.name == "bad"
    assert told(SIX, "1NNN 1TxT 2NxNT").now.ways[0].acted[0].rule.name == "bad"


def test_nobody_enters_a_cohort_whose_look_is_sure_to_come() -> None:
    """Two DLTs at level 2 close it: the third place there is not to be filled while level 1 is waited for."""
    assert free(told(AT_ONCE, "1NNN 1N 2T")) == {"2": 2, "1": 1}
    assert free(told(AT_ONCE, "1NNN 1N 2TT")) == {"1": 1}
    assert free(told(AT_ONCE, "1NNN 2TT")) == {"1": 2}
    assert now_words(told(AT_ONCE, "1NNN 1N. 2TT")) == "nobody may enter: wait for 1 outcome at level 1"
    assert told(AT_ONCE, "1NNN 1NT 2TT").action == "ended"
    # one DLT brings it about if there are two below
    assert free(told(AT_ONCE, "1NNN 1T. 2T")) == {"2": 2}
    assert told(AT_ONCE, "1NNN 1TT 2T").action == "ended"


def test_a_sentinel_is_alone_at_its_own_level() -> None:
    assert free(told(ALONE, "1NNN")) == {"2": 1, "1": 2}
    assert free(told(ALONE, "1NNN 2.")) == {"1": 2}
    assert free(told(ALONE, "1NNN 1. 2N")) == {"2": 2, "1": 1}
    # the look after its DLT waits for those beside it, and then the rest enters
    assert free(told(ALONE, "1NNN 1N 2T")) == {"1": 1}
    assert free(told(ALONE, "1NNN 1NN 2T")) == {"2": 2}


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("1NNN 1NNN", "The cohort `1NNN` is to have 2 patients, not 3."),
        ("1NNN 1N 2NNNN", "The cohort `2NNNN` is to have 3 patients, not 4."),
        ("1NNN 3N", "the rules open level 1 or level 2, not level 3."),
        ("1NNN 1N 3N", "the rules open level 2, not level 3."),
        ("1NNN 1N 1N", "Patients who enter beside a cohort at one level are one group: `1NN`."),
        ("1NNN 2NN 1N", "Patients who enter beside a cohort are written before it: `1N 2NN`."),
        ("1NNN 2NNN 3N", "After `1NNN 2NNN` the look waits for the patients beside it: 2 outcomes at level 1."),
        ("1NNN 1N. 2NNN 3N", "After `1NNN 1N. 2NNN` the look waits for the patients beside it: 1 outcome at level 1."),
    ],
)
def test_what_the_rules_do_not_lead_to_is_refused(history: str, words: str) -> None:
    with pytest.raises(HistoryError) as raised:
        told(SIX, history)
    assert words in raised.value.message


def test_without_replacement_the_rules_leave_open_what_comes_next() -> None:
    text = SIX.replace("replace inevaluable patients\n", "")
    assert told(text, "1NNN 1x 2N").action == "undecided"
    assert told(text, "1NNN 2x").action == "undecided"


def test_pathways_do_not_begin_in_the_middle() -> None:
    from doselang.conduct.pathways import pathways

    machine = machine_of(SIX)
    with pytest.raises(HistoryError, match="patients beside the cohort are to come"):
        pathways(machine.protocol, machine, parse_history("1NNN 1N", machine.protocol), 1)
    assert pathways(machine.protocol, machine, parse_history("1NNN 1NN", machine.protocol), 1).paths


def test_what_is_against_the_rules_is_followed_with_those_who_are_pending() -> None:
    """A cohort in place of what was to come: who is pending beside the last counts there however he turns out."""
    advice = told(AT_ONCE, "1NNN 1T. 2N !2TT")
    tally = next(one for one in advice.now.tallies if one.level == 0)
    assert (tally.evaluable, tally.toxic(0), tally.pending) == (4, 1, 1)


# ---- every order ----


Situation = tuple[str, int, str, int]
"""Beside the cohort, who is known and how many are pending; the same of the cohort."""


def written(situation: Situation) -> str:
    back, back_pending, main, pending = situation
    groups = [("1", back + "." * back_pending), ("2", main + "." * pending)]
    return " ".join(["1NNN", *(level + letters for level, letters in groups if letters)])


def look_of(machine: Machine, back: str, main: str) -> tuple[frozenset[str], object] | None:
    """The rules and the decision of the plain interpreter, at the first outcome that brings a look; None: no look."""
    protocol = machine.protocol
    for known in range(1, len(main) + 1):
        trial = Trial((Cohort(0, 0, 3, "NNN"), Cohort(0, 0, 2, back), Cohort(0, 1, 3, main[:known])))
        if known < 3 and not World(protocol, (), "one-at-a-time", {}).acts_at_once(trial):
            continue
        look = Look(protocol, trial, ())
        try:
            found = look.decide()
        except Halt:
            return frozenset(look.acted), "undecided"
        opened = "ended" if isinstance(found, Stop) else tuple((one.level, one.size) for one in found)  # type: ignore[union-attr]
        return frozenset(look.acted), (opened, look.trial.closed, tuple(look.trial.verdicts.items()))
    return None


def offered(machine: Machine, situation: Situation) -> tuple[int, int]:
    """The places beside the cohort and in it, counted."""
    back, back_pending, main, pending = situation
    missing = 2 - len(back.replace("x", ""))
    ways = ["".join(more) for more in combinations_with_replacement("NT", missing)]
    sure = all(look_of(machine, back.replace("x", "") + way, main) is not None for way in ways)
    return missing - back_pending, 0 if sure else 3 - len(main) - pending


def following(situation: Situation, places: tuple[int, int]) -> Iterator[Situation]:
    """What can happen next: a patient enters where there is a place, or becomes known."""
    back, back_pending, main, pending = situation
    if places[0]:
        yield back, back_pending + 1, main, pending
    if places[1]:
        yield back, back_pending, main, pending + 1
    for letter in "NT" if "x" in back else "NTx":
        if back_pending:
            yield back + letter, back_pending - 1, main, pending
    for letter in "NT":
        if pending:
            yield back, back_pending, main + letter, pending - 1


def check_every_order(text: str) -> int:
    """Meet every situation that an order of patients and outcomes leads to; the number of decisions."""
    machine, waiting, seen, decisions = machine_of(text), [("", 0, "", 0)], set(), 0
    while waiting:
        situation = waiting.pop()
        if situation in seen:
            continue
        seen.add(situation)
        back, back_pending, main, pending = situation
        advice = told(text, written(situation))
        if len(back.replace("x", "")) == 2:
            back = back.replace("x", "")
            looks = {look_of(machine, back, main + "".join(more)) for more in product("NT", repeat=pending)}
            decided = {one and one[1] for one in looks}
            if len(decided) == 1 and None not in decided:
                decisions += 1
                check_decision(advice, *looks.pop(), alone=pending == 0)  # type: ignore[misc]
                continue
        places = offered(machine, situation)
        if situation != ("", 0, "", 0):
            assert not advice.now.ways, written(situation)
        assert free(advice) == {level: n for level, n in zip("12", places, strict=True) if n}, written(situation)
        if not any(places):
            each = [
                f"{n} outcome{'s' * (n > 1)} at level {level}" for level, n in ((1, back_pending), (2, pending)) if n
            ]
            assert now_words(advice) == f"nobody may enter: wait for {' and '.join(each)}"
        check_refused(text, situation)
        waiting += following(situation, places)
    return decisions


def check_decision(advice: Advice, rules: frozenset[str], decision: object, *, alone: bool) -> None:
    (way,) = advice.now.ways
    if alone:
        assert {account.rule.name for account in way.acted} == rules
    if decision == "undecided":
        assert advice.action == "undecided"
        return
    opened, closed, _ = decision  # type: ignore[misc]
    assert {one.level for one in advice.now.tallies if one.status == "closed"} == set(closed)
    if opened == "ended":
        assert advice.action == "ended"
    else:
        assert {(place.level, place.free) for place in advice.places} == set(opened)


def check_refused(text: str, situation: Situation) -> None:
    """One patient more than there are places, and one at a level that is not open."""
    back, back_pending, main, pending = situation
    more = 2 - len(back.replace("x", "")) - back_pending + 1, 3 - len(main) - pending + 1
    wrong = [
        written((back, back_pending + more[0], main, pending)), written((back, back_pending, main, pending + more[1])),
        f"{written(situation)} 3.",
    ]  # fmt: skip
    for history in wrong:
        with pytest.raises(HistoryError):
            told(text, history)


@pytest.mark.parametrize("text", [SIX, AT_ONCE, SHIPPED], ids=["both count", "any time", "shipped"])
def test_every_order_leads_to_the_decision_of_the_plain_interpreter(text: str) -> None:
    assert check_every_order(text) > 50


def test_a_look_that_does_not_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying._Player, "wait_for", lambda self, *some: None)
    with pytest.raises(AssertionError):
        check_every_order(SIX)


def test_a_place_that_is_no_longer_needed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "sure_to_come", lambda *given: False)
    check_every_order(SIX)
    with pytest.raises(AssertionError):
        check_every_order(AT_ONCE)


# ---- tables of patients ----


@define
class Group:
    """A cohort as it fills: its patients' letters in order of becoming known, and who is pending."""

    level: int
    letters: str = ""
    pending: list[int] = field(factory=list)


@define
class Walk:
    """A trial that follows its rules, one event a day; nobody looks ahead."""

    machine: Machine
    chance: random.Random
    patients: list[Patient] = field(factory=list)
    done: list[Group] = field(factory=list)
    open: dict[int, Group] = field(factory=dict)
    today: date = date(2026, 1, 5)

    @property
    def history(self) -> str:
        groups = [*self.done, *(one for one in self.open.values() if one.letters or one.pending)]
        return " ".join(f"{one.level + 1}{one.letters}{'.' * len(one.pending)}" for one in groups)

    @property
    def conducted(self) -> Conducted:
        return Conducted(tuple(self.patients), dated=True)

    def advice(self) -> Advice:
        groups = parse_history(self.history, self.machine.protocol) if self.history else ()
        advice = advise_after(replay(self.machine, groups))
        if not self.history or (advice.now.ways and any(one.letters or one.pending for one in self.open.values())):
            self.done += self.open.values()
            # the cohort is offered first, and written last
            self.open = {place.level: Group(place.level) for place in reversed(advice.places)}
        return advice

    def step(self, advice: Advice) -> None:
        self.today += timedelta(1)
        of = [(group, one) for group in (*self.done, *self.open.values()) for one in group.pending]
        if of and (not advice.places or self.chance.random() < 0.5):
            group, one = self.chance.choice(of)
            # all goes well at first; who is known after a look is not inevaluable then
            later = "NNNNT" if group in self.done else "NNNNNTx"
            letter = self.chance.choice(later if self.done else "N")
            group.pending.remove(one)
            group.letters += letter
            self.patients[one] = evolve(self.patients[one], outcome=letter, known=self.today)
        else:
            place = self.chance.choice(advice.places)
            self.open[place.level].pending.append(self.enter(place.level))

    def enter(self, level: int) -> int:
        number = len(self.patients)
        self.patients.append(Patient(f"{number:03}", level, None, self.today))
        return number


SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("text", [SHIPPED, AT_ONCE], ids=["shipped", "any time"])
def test_a_table_of_any_order_has_no_deviation_and_the_same_advice(text: str, seed: int) -> None:
    walk = Walk(machine_of(text), random.Random(seed))
    for _ in range(40):
        advice = walk.advice()
        if walk.patients:
            judged = judge(walk.machine, walk.conducted, walk.today)
            assert judged.lost is None and all(one.verdict == "followed" for one in judged.steps), walk.history
            ours = advise(judged.standing, walk.today)
            assert (ours.action, ours.places, ours.now) == (advice.action, advice.places, advice.now), walk.history
            assert now_words(ours) == now_words(advice)
        if not advice.places and not any(one.outcome == "." for one in walk.patients):
            break
        walk.step(advice)
    assert len(walk.patients) > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_patient_where_no_place_is_open_is_found(seed: int) -> None:
    walk = Walk(machine_of(SHIPPED), random.Random(seed))
    for _ in range(walk.chance.randrange(4, 25)):
        advice = walk.advice()
        if advice.action not in ("enrol", "wait"):
            break
        walk.step(advice)
    walk.today += timedelta(1)
    places = {place.level for place in walk.advice().places}
    walk.enter(walk.chance.choice([level for level in range(3) if level not in places]))
    *before, last = judge(walk.machine, walk.conducted).steps
    assert all(one.verdict == "followed" for one in before)
    assert last.verdict == "deviated" and last.fault in ("wrong level", "too early", "after the end", "closed level")


def test_a_standing_that_offers_places_for_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who enters level 2 after two DLTs there, while level 1 is waited for, is found."""
    rows = [(0, 0, "N", 1), (0, 0, "N", 1), (0, 0, "N", 1), (1, 2, "T", 3), (1, 2, "T", 4), (1, 5, ".", 0)]
    start = date(2026, 1, 5)
    patients = [
        Patient(f"{n}", level, None, start + timedelta(entered), letter, start + timedelta(known) if known else None)
        for n, (level, entered, letter, known) in enumerate(rows)
    ]
    conducted = Conducted(tuple(patients), dated=True)
    (found,) = judge(machine_of(AT_ONCE), conducted).deviations
    assert found.patient is not None and found.patient.name == "5"
    fits = Standing.free
    monkeypatch.setattr(
        Standing, "free", lambda self, cohort, today: max(fits(self, cohort, today), 3 - len(cohort.patients))
    )
    assert not judge(machine_of(AT_ONCE), conducted).deviations


def test_people_choose_a_backfill_by_entering_there_alone() -> None:
    machine, start = machine_of(CHOICE), date(2026, 1, 5)
    clear = [Patient(f"{n}", 0, None, start, "N", start + timedelta(1)) for n in range(3)]

    def last(level: int) -> tuple[str, str | None, str]:
        entered = Patient("3", level, None, start + timedelta(2))
        step = judge(machine, Conducted((*clear, entered), dated=True)).steps[-1]
        return step.verdict, step.fault, step.remark

    assert last(0)[0] == "followed" and last(0)[2].startswith("option [2] was chosen, by that")
    assert last(1)[:2] == ("deviated", "nobody chose")


# ---- the record, the commands ----


def test_a_record_takes_both_in_any_order_and_nobody_more(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", "backfill.dose")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    kept.enrol("05", "1", "2025-02-05")
    kept.enrol("06", "2", "2025-02-05")
    assert kept.add("enrol", "2025-02-05", patient="07", level="3").entry is None
    kept.enrol("07", "2", "2025-02-05")
    kept.enrol("08", "1", "2025-02-06")
    for level in "123":
        assert kept.add("enrol", "2025-02-06", patient="09", level=level).entry is None
    for name, day in (("04", 4), ("06", 5), ("07", 5)):
        kept.known(name, "none", f"2025-03-{day:02}")
    kept.known("05", "inevaluable", "2025-03-05")
    kept.enrol("09", "1", "2025-03-06")
    kept.known("08", "none", "2025-03-06")
    assert kept.add("enrol", "2025-03-07", patient="10", level="3").entry is None
    kept.known("09", "DLT", "2025-03-08")
    kept.enrol("10", "3", "2025-03-08")


def test_what_was_chosen_is_written_where_both_ways_lead_there() -> None:
    with pytest.raises(HistoryError, match=r"Several options lead to `2…`: write which was chosen"):
        told(CHOICE, "1NNN 2N")
    assert free(told(CHOICE, "1NNN[2] 2N")) == {"2": 2, "1": 3}
    assert free(told(CHOICE, "1NNN[1] 2N")) == {"2": 2}
    assert "wait for 3 outcomes at level 1" in render_advice(told(CHOICE, "1NNN[2] 1... 2NNN"))
