"""A trial as it was conducted: what may be done now, and every decision set against the rules on its day."""

from __future__ import annotations

import random
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from doselang.conduct import judging
from doselang.conduct.advice import advise, advise_after
from doselang.conduct.answers import answer_of
from doselang.conduct.conducted import Conducted, Decided, Patient
from doselang.conduct.judging import Judged, judge
from doselang.loading import load, load_source
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.decisions import Opened
from doselang.machine.exploring import explore
from doselang.machine.followed import opens
from doselang.machine.notation import Group, HistoryError, history_through, parse_history, write_history
from doselang.machine.replay import replay
from doselang.machine.states import Frames
from doselang.machine.steps import Steps
from doselang.patients.reading import read_conducted
from doselang.protocol.model import Protocol
from doselang.report.advice import advice_record, render_advice
from doselang.resources import resource
from doselang.source import Source
from tests.test_rolling import CHOICE

FIRST = date(2026, 1, 5)
FILES = Path(__file__).parent / "conducted"


@cache
def shipped(name: str) -> Protocol:
    protocol = load(str(resource("protocols", name))).protocol
    assert protocol is not None
    return protocol


REFERENCE = shipped("ibrutinib-lenalidomide.dose")
MACHINE = compile_protocol(REFERENCE)


def boin() -> Machine:
    """BOIN with eight levels, and a window of 28 days."""
    settings = {"levels": 8, "cohorts": 40, "cohort_size": 3}
    protocol = load(str(resource("protocols", "designs", "boin.dose")), settings).protocol
    assert protocol is not None
    return compile_protocol(evolve(protocol, toxicities=(evolve(protocol.toxicities[0], window="within 28 days"),)))


BOIN = boin()


def day(number: int) -> date:
    return FIRST + timedelta(number)


def table(*rows: tuple[str, int, str], protocol: Protocol = REFERENCE) -> Conducted:
    """Patients by level, day of entering, and outcome with the days until it became known: `T5`."""
    levels = {level.label: number for number, level in enumerate(protocol.levels)}
    patients = []
    for number, (level, entered, outcome) in enumerate(rows, 1):
        known = day(entered + int(outcome[1:])) if outcome[1:] else None
        patients.append(Patient(f"{number:03}", levels[level], None, day(entered), outcome[0], known))
    return Conducted(tuple(sorted(patients, key=lambda one: (one.entered or FIRST, one.name))), dated=True)


def told(conducted: Conducted, machine: Machine = MACHINE) -> list[tuple[str, str | None, str]]:
    """What was not as the rules say: verdict, fault, and the patient's name or what was decided."""
    found = judge(machine, conducted)
    assert found.lost is None
    return [(step.verdict, step.fault, _who(step)) for step in found.steps if step.verdict != "followed"]


def _who(step: Judged) -> str:
    return step.patient.name if step.patient is not None else step.decided.what if step.decided else ""


# ---- what may be done now: the machine's decision, everywhere ----


@pytest.mark.parametrize("name", ["ibrutinib-lenalidomide.dose", "designs/three-plus-three.dose", "viola.dose"])
def test_the_advice_is_the_machines_decision_in_every_reachable_situation(name: str) -> None:
    machine = compile_protocol(shipped(name))
    seen: list[tuple[int, int, int, int]] = []

    def keep(steps: Steps, _: Frames) -> None:
        states = steps.of.number[steps.state]
        seen.extend(zip(states.tolist(), steps.exit.tolist(), steps.branch.tolist(),
                        steps.of.frames[steps.state].tolist(), strict=True))  # fmt: skip

    exploration = explore(machine, histories=True, watch=keep)
    rng = random.Random(1)
    for state, exit, number, before in seen if len(seen) < 1_000 else rng.sample(seen, 300):
        branch, frame = exploration.frames.branches[number], exploration.frames.frames[before]
        history = history_through(exploration, state, exit)
        advice = advise_after(replay(machine, history))
        decided = answer_of(machine, frame.part, frame.here, branch)
        (way,) = (way for way in advice.now.ways if way.answer == decided)
        part = machine.parts[frame.part]
        acted = {part.part.rules[part.lines[line].rule].name for line in branch.decision.lines}
        assert {account.rule.name for account in way.acted} == acted
        record = advice_record(advice)
        assert acted <= set(record["rules"])  # type: ignore[arg-type]
        following = branch.decision.answers.next
        if branch.decision.undecided is not None:
            assert advice.action == "undecided" and not advice.places
        elif len(advice.now.ways) > 1:
            assert advice.action == "choose" and not advice.places
        elif isinstance(following, Opened):
            at = frame.part if following.part is None else following.part
            places = [(place.part, place.level, place.free) for place in advice.places]
            assert places == [(at, frame.here + following.offset, following.size)], write_history(history, REFERENCE)
        else:
            assert advice.action == "ended" and not advice.places
    assert len(seen) > 30


def test_what_is_ahead_is_what_the_outcomes_lead_to() -> None:
    """Every outcome that the next cohort can show, written out, comes to what was said of it."""
    for history in ("1N", "1NNN", "1NNN 2NT", "1NNN 2NTN 2NT", "1NNN 2NNN 3NNN 3T", "1NNN +1N 2N", "1NNN !3NN"):
        groups = parse_history(history, REFERENCE)
        advice = advise_after(replay(MACHINE, groups))
        assert advice.ahead
        place = advice.places[0]
        for one in advice.ahead:
            goes_on = advice.now.underway is not None
            letters = (groups[-1].letters if goes_on else "") + one.letters
            last = Group(place.part, place.level, letters, against=groups[-1].against if goes_on else "")
            after = advise_after(replay(MACHINE, (*(groups[:-1] if goes_on else groups), last)))
            assert [way.answer for way in after.now.ways] == [one.answer]


# ---- worked examples, from both forms ----


WORKED = (
    "ibrutinib-lenalidomide.dose", "pembrolizumab-gemcitabine.dose", "pri-724.dose", "viola.dose",
    "boin-template.dose", "designs/accelerated-titration.dose",
)  # fmt: skip
FAR_APART = 400
"""Days between two patients of a written history: longer than any window."""


def examples() -> list[tuple[str, str]]:
    """The worked examples but those with `n`: a table of patients does not say who is clear so far."""
    written = [(name, one.history) for name in WORKED for one in shipped(name).examples if not one.of_patient]
    return [(name, history) for name, history in written if "n" not in history.split("/")[-1]]


def as_table(history: str, protocol: Protocol) -> Conducted:
    """The patients of a history, one known before the next enters, and what people chose."""
    patients, decisions, number = [], [], 0
    for group in parse_history(history, protocol):
        for letter in group.letters:
            entered = day(number * FAR_APART)
            letter = "." if letter in ".n" else letter
            known = None if letter == "." else entered + timedelta(FAR_APART // 2)
            patients.append(Patient(f"{number:03}", group.level, None, entered, letter, known))
            number += 1
        chosen_on = day(number * FAR_APART - 1)
        decisions += [Decided("chosen", chosen_on, option=option) for option in group.chosen]
    return Conducted(tuple(patients), tuple(decisions), dated=True)


@pytest.mark.parametrize(("name", "history"), examples())
def test_a_worked_example_comes_to_the_same_from_a_table(name: str, history: str) -> None:
    protocol = shipped(name)
    machine = compile_protocol(protocol)
    judged = judge(machine, as_table(history, protocol))
    assert [step for step in judged.steps if step.verdict != "followed"] == [] and judged.lost is None
    from_table, from_history = advise(judged.standing), advise_after(replay(machine, parse_history(history, protocol)))
    assert from_table.now == from_history.now
    assert (from_table.action, from_table.places) == (from_history.action, from_history.places)


# ---- a trial that follows its rules, and one step that does not ----


def conducted_trial(seed: int, machine: Machine = MACHINE, most: int = 20) -> tuple[Conducted, str]:
    """A trial that does what the rules say, with days; and its history at the end, as written."""
    rng, protocol = random.Random(seed), machine.protocol
    letters = "NNNN" + "".join(toxicity.letter * 2 for toxicity in protocol.toxicities) + "x"
    patients: list[Patient] = []
    cohorts: list[tuple[int, int, list[int]]] = []
    today = 0
    while len(patients) < most:
        groups = history_on(day(today), cohorts, patients)
        followed = replay(machine, groups)
        place = None
        if followed.waiting is not None and followed.waiting.to_enrol:
            place = (followed.frame.part, followed.frame.here, not groups)
        elif followed.last is not None and followed.last.branch is not None:
            for part, level in opens(followed.last.branch, followed.last.frame):
                place = (part, level, True)
        if followed.ended:
            break
        if place is None:
            today = min(known for one in patients if (known := (known_on(one) - FIRST).days) > today)
            continue
        part, level, new = place
        letter = rng.choice(letters)
        known = None if letter == "N" else day(today + rng.randint(1, 28))
        name, said = f"{len(patients):03}", rng.choice([None, part])
        patients.append(Patient(name, level, said, day(today), letter, known))
        if new:
            cohorts.append((part, level, []))
        cohorts[-1][2].append(len(patients) - 1)
        today += rng.randint(0, 20)
    history = history_on(day(today + 60), cohorts, patients)
    return Conducted(tuple(patients), dated=True), write_history(history, protocol)


def known_on(patient: Patient) -> date:
    """When the outcome is known: who is cleared, is so when 28 days have passed."""
    assert patient.entered is not None
    return patient.known or patient.entered + timedelta(28)


def history_on(today: date, cohorts: list[tuple[int, int, list[int]]], patients: list[Patient]) -> tuple[Group, ...]:
    """The history as it was known on a day."""
    groups = []
    for part, level, members in cohorts:
        known = sorted((known_on(patients[p]), p) for p in members)
        letters = [patients[p].outcome for on, p in known if on <= today]
        groups.append(Group(part, level, "".join(letters) + "." * (len(members) - len(letters))))
    return tuple(groups)


SEEDS = range(25)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trial_that_follows_its_rules_has_no_deviation(seed: int) -> None:
    conducted, history = conducted_trial(seed)
    judged = judge(MACHINE, conducted)
    assert judged.lost is None and not judged.deviations
    assert all(step.verdict == "followed" for step in judged.steps)
    assert write_history(judged.standing.groups(), REFERENCE) == history


@pytest.mark.parametrize("seed", [0, 1, 4, 10])
def test_a_long_trial_in_which_patients_leave_late_has_no_deviation(seed: int) -> None:
    """BOIN, 60 patients: some leave after a look that did not wait for them, and the next cohort had begun."""
    conducted, history = conducted_trial(seed, BOIN, most=60)
    judged = judge(BOIN, conducted)
    assert judged.lost is None and not judged.deviations and len(conducted.patients) == 60
    assert write_history(judged.standing.groups(), BOIN.protocol).replace("!", "") == history


@pytest.mark.parametrize("seed", SEEDS)
def test_one_patient_at_another_level_is_found(seed: int) -> None:
    conducted, _ = conducted_trial(seed)
    rng = random.Random(seed)
    number = rng.randrange(len(conducted.patients))
    moved = conducted.patients[number]
    patients = list(conducted.patients)
    patients[number] = evolve(moved, level=rng.choice([level for level in range(3) if level != moved.level]), part=None)
    judged = judge(MACHINE, evolve(conducted, patients=tuple(patients)))
    first = next(step for step in judged.steps if step.verdict != "followed")
    assert first.verdict == "deviated" and first.patient is not None and first.patient.name == moved.name
    assert first.fault in ("wrong level", "closed level", "too early")


# ---- single deviations ----

CLEAR = [("1", 0, "N"), ("1", 1, "N"), ("1", 2, "N")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*CLEAR, ("2", 30, "N")], []),
        ([*CLEAR, ("2", 29, "N")], [("deviated", "too early", "004")]),
        ([*CLEAR, ("1", 29, "N")], [("deviated", "too early", "004")]),
        ([*CLEAR, ("3", 30, "N")], [("deviated", "wrong level", "004")]),
        ([("2", 0, "N"), ("1", 1, "N")], [("deviated", "wrong level", "001")]),
        ([("1", 0, "T1"), ("1", 1, "T1"), ("1", 9, "N")], [("deviated", "closed level", "003")]),
        ([("1", 0, "T1"), ("1", 1, "T1"), ("2", 9, "N")], [("deviated", "after the end", "003")]),
        # one at the wrong level makes no room for the next
        ([*CLEAR, ("3", 30, "N"), ("3", 31, "N"), ("3", 32, "N"), ("2", 61, "T1")],
         [("deviated", "wrong level", "004"), ("deviated", "wrong level", "005"), ("deviated", "wrong level", "006")]),
        # a second one too early is a second deviation
        ([*CLEAR, ("2", 28, "N"), ("2", 29, "N"), ("2", 31, "N")],
         [("deviated", "too early", "004"), ("deviated", "too early", "005")]),
        # the level was wrong for one patient, and the cohort is filled by others
        ([*CLEAR, ("2", 30, "N"), ("3", 31, "N"), ("2", 32, "N"), ("2", 33, "N"), ("3", 62, "N")],
         [("deviated", "wrong level", "005")]),
    ],
)  # fmt: skip
def test_a_deviation_is_found_and_the_trial_is_followed_on(
    rows: list[tuple[str, int, str]], expected: list[tuple[str, str | None, str]]
) -> None:
    assert told(table(*rows)) == expected


@pytest.mark.parametrize(
    ("rows", "on", "action", "history", "early"),
    [
        # two more with a DLT, who entered while the three were pending: two DLTs in five close the level
        ([*CLEAR, ("1", 3, "T4"), ("1", 4, "T4")], 46, "ended", "+1T +1T 1NNN", []),
        ([*CLEAR, ("1", 3, "T4"), ("1", 4, "T4")], 15, "wait", "+1T +1T 1...", ["004", "005"]),
        # one more, known after the three, and before anybody entered by what was decided
        ([*CLEAR, ("1", 3, "T40")], 44, "undecided", "+1T 1NNN", []),
        ([*CLEAR, ("1", 3, "T40")], 42, "enrol", "1NNN +1.", []),
        # at the next level, with a DLT: of the cohort that opens there
        ([*CLEAR, ("2", 3, "T4")], 46, "enrol", "1NNN 2T", []),
        ([*CLEAR, ("2", 3, "T4")], 15, "wait", "+2T 1...", ["004"]),
    ],
)
def test_what_is_known_of_who_entered_too_early_counts(
    rows: list[tuple[str, int, str]], on: int, action: str, history: str, early: list[str]
) -> None:
    """A clinician's review found three more patients at level 2 over two DLTs in five at level 1."""
    judged = judge(MACHINE, table(*rows), day(on))
    advice = advise(judged.standing, day(on))
    assert (advice.action, advice.now.history) == (action, history)
    assert [one.name for one in advice.held] == early
    toxic = {row[0] for row in rows if row[2][0] == "T" and row[1] + int(row[2][1:]) <= on}
    shown = {REFERENCE.levels[one.level].label for one in advice.now.tallies if one.toxic(0)}
    assert shown == toxic


def test_who_was_held_takes_a_place_when_the_sentinel_has_been_alone_for_long_enough() -> None:
    machine = compile_protocol(shipped("pembrolizumab-gemcitabine.dose"))
    early = table(("1", 0, "N"), ("1", 10, "N"), protocol=machine.protocol)
    judged = judge(machine, early, day(14))
    assert [place.free for place in advise(judged.standing, day(14)).places] == [1]
    judged = judge(machine, early, day(13))
    assert advise(judged.standing, day(13)).action == "wait"


def test_what_was_declared_against_the_rules_leaves_no_advice() -> None:
    toxic = table(("1", 0, "N"), ("1", 1, "N"), ("1", 2, "N"))
    contrary = evolve(toxic, decisions=(Decided("declared", day(31), None, 0, by="the sponsor"),))
    advice = advise(judge(MACHINE, contrary, day(40)).standing, day(40))
    assert (advice.action, advice.places, advice.ahead) == ("undecided", (), ())
    assert "no advice: no MTD was declared by the sponsor, against the rules" in render_advice(advice)
    went_on = evolve(contrary, patients=(*contrary.patients, Patient("004", 1, None, day(41))))
    assert advise(judge(MACHINE, went_on, day(42)).standing, day(42)).action == "enrol"


def test_who_left_on_a_day_that_nobody_noted_makes_room() -> None:
    """A table with flags has no day for who is not evaluable: whoever is in his place entered after he had left."""
    left = table(("1", 0, "N"), ("1", 1, "x"), ("1", 2, "N"), ("1", 9, "N"), ("2", 40, "N"))
    assert told(left) == []
    assert told(table(("1", 0, "N"), ("1", 1, "N"), ("1", 2, "N"), ("1", 9, "N"))) == [("deviated", "too early", "004")]


def test_a_decision_is_judged_on_what_was_known_that_day() -> None:
    """The DLT became known on day 33: who entered the day before did so rightly, who entered on that day did not."""
    before = [*CLEAR, ("2", 30, "T2"), ("2", 31, "T2")]
    assert told(table(*before, ("2", 32, "N"))) == []
    assert told(table(*before, ("2", 33, "N"))) == [("deviated", "closed level", "006")]


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        (Decided("declared", day(30), 0, 0), [("deviated", "wrong verdict", "declared")]),
        (Decided("closed", day(30), 0), [("deviated", "not closed", "closed")]),
        (Decided("stopped", day(30)), [("deviated", "not stopped", "stopped")]),
        (Decided("chosen", day(30), option=0), [("deviated", "not asked", "chosen")]),
    ],
)
def test_a_decision_that_the_rules_do_not_take(decided: Decided, expected: list[tuple[str, str, str]]) -> None:
    assert told(evolve(table(*CLEAR), decisions=(decided,))) == expected


def test_decisions_that_the_rules_take() -> None:
    toxic = table(("1", 0, "T3"), ("1", 1, "T4"))
    on = day(6)
    decisions = (Decided("closed", on, 0), Decided("declared", on, None, 0), Decided("stopped", on))
    assert told(evolve(toxic, decisions=decisions)) == []
    early = evolve(toxic, decisions=(Decided("stopped", day(4)),))
    assert told(early) == [("deviated", "not stopped", "stopped")]


def test_thirty_patients_and_five_deviations() -> None:
    """A made-up trial with five planted deviations, as tests/conducted/planted.toml says; nothing else is found."""
    read = read_conducted(str(FILES / "planted.toml"), REFERENCE, date(2199, 12, 31))
    assert read.conducted is not None and len(read.conducted.patients) == 30
    judged = judge(MACHINE, read.conducted)
    assert [(step.fault, _who(step)) for step in judged.deviations] == [
        ("wrong verdict", "declared"), ("too early", "010"), ("wrong level", "014"), ("closed level", "025"),
        ("escalated in a patient", "002"),
    ]  # fmt: skip
    assert {step.verdict for step in judged.steps} == {"followed", "deviated"} and judged.lost is None
    assert advise(judged.standing).action == "ended"


@pytest.mark.parametrize("missing", ["_fault", "_go_on", "_courses"])
def test_a_judge_without_one_of_its_parts_does_not_find_these_five(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is needed: without it the planted trial comes out otherwise."""
    read = read_conducted(str(FILES / "planted.toml"), REFERENCE, date(2199, 12, 31))
    assert read.conducted is not None
    right = [(step.verdict, step.fault) for step in judge(MACHINE, read.conducted).steps]
    if missing == "_courses":
        monkeypatch.setattr(judging, "_courses", lambda *_: [])
    elif missing == "_fault":
        monkeypatch.setattr(judging, "_fault", lambda *_: "wrong level")
    else:
        monkeypatch.setattr(
            judging._Judge, "_go_on", lambda self, number, step: self.standing.put_aside(number, step.part)
        )
    assert [(step.verdict, step.fault) for step in judge(MACHINE, read.conducted).steps] != right


# ---- where people choose, where nothing is said, other ways of entering ----


@pytest.mark.parametrize(
    ("history", "places"),
    [
        ("1.", []),  # the sentinel is watched alone
        ("1n", [2]),  # it has been watched, and is clear so far
        ("1N", [2]),
        ("1T", [2]),  # the rest enters all the same, by a rule
        ("1N..", []),
        ("1NNN", [1]),  # the next sentinel
        ("1NTN", [3]),  # no new level, and no sentinel
    ],
)
def test_who_enters_after_a_sentinel(history: str, places: list[int]) -> None:
    protocol = shipped("pembrolizumab-gemcitabine.dose")
    followed = replay(compile_protocol(protocol), parse_history(history, protocol))
    assert [place.free for place in advise_after(followed).places] == places


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("1", 0, "N"), ("1", 14, "N"), ("1", 15, "N")], []),
        ([("1", 0, "N"), ("1", 13, "N"), ("1", 15, "N")], [("deviated", "too early", "002")]),
        ([("1", 0, "T5"), ("1", 4, "N"), ("1", 15, "N")], [("deviated", "too early", "002")]),
        ([("1", 0, "T5"), ("1", 5, "N"), ("1", 6, "N")], []),
    ],
)
def test_a_sentinel_is_alone_for_fourteen_days(
    rows: list[tuple[str, int, str]], expected: list[tuple[str, str | None, str]]
) -> None:
    protocol = shipped("pembrolizumab-gemcitabine.dose")
    assert told(table(*rows, protocol=protocol), compile_protocol(protocol)) == expected


def rolling() -> Protocol:
    protocol = shipped("designs/rolling-six.dose")
    return evolve(protocol, toxicities=(evolve(protocol.toxicities[0], window="within 28 days"),))


@pytest.mark.parametrize(
    ("rows", "expected", "history"),
    [
        ([("1", 0, "N"), ("1", 1, "N"), ("1", 2, "N"), ("1", 3, "N")], [], "1NNNN"),
        # the seventh waits
        ([("1", n, "N") for n in range(7)], [("deviated", "too early", "007")], "1NNNNNN +1N"),
        # the seventh and eighth, with a DLT: two in eight, and the level is too toxic
        ([*((("1"), n, "N") for n in range(6)), ("1", 6, "T4"), ("1", 7, "T4"), ("2", 60, "N")],
         [("deviated", "too early", "007"), ("deviated", "too early", "008"), ("deviated", "after the end", "009")],
         "1NNNNNN +1T +1T +2N"),
        # a DLT lets nobody go up before the three more are known
        ([("1", 0, "N"), ("1", 1, "T3"), ("1", 2, "N"), ("2", 40, "N")],
         [("deviated", "wrong level", "004")], "1TNN +2N"),
        ([("1", 0, "N"), ("1", 1, "N"), ("1", 2, "N"), ("2", 40, "N"), ("1", 41, "N"), ("2", 42, "N")],
         [("deviated", "wrong level", "005")], "1NNN 2NN +1N"),
    ],
)  # fmt: skip
def test_a_rolling_trial(
    rows: list[tuple[str, int, str]], expected: list[tuple[str, str | None, str]], history: str
) -> None:
    protocol = rolling()
    machine = compile_protocol(protocol)
    conducted = table(*rows, protocol=protocol)
    assert told(conducted, machine) == expected
    assert write_history(judge(machine, conducted).standing.groups(), protocol) == history


def test_what_people_chose_shows_in_where_the_next_patient_is_treated() -> None:
    """PRI-724, at three moderate toxicities: the sponsor and investigators go up, or three more enter at the level."""
    protocol = shipped("pri-724.dose")
    machine = compile_protocol(protocol)
    before = as_table("1N 3M 5M standard/5MM", protocol)
    (*_, last) = before.patients
    assert advise(judge(machine, before).standing).action == "choose"
    for level, option, verdict in ((5, 0, "followed"), (4, 1, "followed"), (0, 0, "deviated")):
        after = Patient("next", level, None, (last.entered or FIRST) + timedelta(FAR_APART))
        judged = judge(machine, evolve(before, patients=(*before.patients, after)))
        assert judged.steps[-1].verdict == verdict
        chosen = judged.standing.groups()[-2].chosen if verdict == "followed" else ()
        assert chosen == ((option,) if verdict == "followed" else ())
        assert bool(judged.steps[-1].remark) == (verdict == "followed")
    assert judged.steps[-1].fault == "nobody chose"


def test_a_choice_may_be_put_on_record_after_a_patient_entered_by_it() -> None:
    protocol = shipped("pri-724.dose")
    machine = compile_protocol(protocol)
    before = as_table("1N 3M 5M standard/5MM", protocol)
    (*_, last) = before.patients
    entered = (last.entered or FIRST) + timedelta(FAR_APART)
    patients = (*before.patients, Patient("next", 5, None, entered))
    for option, verdict in ((0, "followed"), (1, "deviated")):
        chosen = Decided("chosen", entered + timedelta(3), option=option)
        judged = judge(machine, Conducted(patients, (chosen,), dated=True))
        assert [step.verdict for step in judged.steps if step.decided is not None] == [verdict]


def test_a_choice_that_is_on_record_is_held_to() -> None:
    protocol = shipped("pri-724.dose")
    machine = compile_protocol(protocol)
    before = as_table("1N 3M 5M standard/5MM[2]", protocol)
    (*_, last) = before.patients
    after = Patient("next", 5, None, (last.entered or FIRST) + timedelta(FAR_APART))
    judged = judge(machine, evolve(before, patients=(*before.patients, after)))
    assert [step.fault for step in judged.deviations] == ["wrong level"]


def test_where_the_protocol_is_silent_nothing_is_a_deviation() -> None:
    """The literal reading says nothing of two DLTs in three: who is treated then is told apart, and followed on."""
    protocol = shipped("ibrutinib-lenalidomide-literal.dose")
    machine = compile_protocol(protocol)
    conducted = table(("1", 0, "T3"), ("1", 1, "T3"), ("1", 40, "N"), ("1", 80, "N"), protocol=protocol)
    judged = judge(machine, conducted)
    assert [step.verdict for step in judged.steps] == ["followed", "followed", "followed", "undecided"]
    said = judged.steps[-1].said
    assert said is not None and said.action == "undecided" and not said.places
    assert write_history(judged.standing.groups(), protocol) == "1TTN !1N"


def test_nobody_is_cleared_before_the_window_ends() -> None:
    """A day that comes too early is not believed: the patient is pending until the window has passed."""
    early = table(("1", 0, "N3"), ("1", 1, "N3"), ("1", 2, "N3"), ("2", 20, "N"))
    assert told(early) == [("deviated", "too early", "004")]


@pytest.mark.parametrize(
    ("on", "history", "action"),
    [
        (29, "1N", "enrol"),
        (31, "1N 3.", "wait"),
        (69, "1N 3N", "enrol"),
        (70, "1L 3N", "enrol"),
        (99, "1L 3N", "enrol"),
    ],
)
def test_a_toxicity_in_a_later_cycle_counts_from_its_day_on(on: int, history: str, action: str) -> None:
    """Accelerated titration by any course: a late DLT ends the accelerated phase at the next arrival."""
    protocol = shipped("designs/accelerated-titration-any-course.dose")
    watched = (evolve(one, window=one.window or "within 28 days") for one in protocol.toxicities)
    machine = compile_protocol(evolve(protocol, toxicities=tuple(watched)))
    first = Patient("001", 0, None, day(0), "N", later="L", later_known=day(70))
    second = Patient("002", 2, None, day(30), "N")
    advice = advise(judge(machine, Conducted((first, second), dated=True), day(on)).standing, day(on))
    assert (advice.now.history, advice.action) == (history, action)
    begins = [protocol.parts[place.part].name for place in advice.places]
    assert begins == ([] if action == "wait" else ["standard" if on >= 70 else "accelerated"])


@pytest.mark.parametrize("lost_at", [46, 20])
def test_rules_that_cannot_be_followed_to_the_day_are_told(lost_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the day that is asked for, or before it: no advice is given then, and nothing breaks."""
    comes = judging.Standing.at

    def at(self: judging.Standing, today: date | None) -> None:
        if today is not None and today >= day(lost_at):
            raise HistoryError("The rules open level 1, not level 2.")
        comes(self, today)

    monkeypatch.setattr(judging.Standing, "at", at)
    judged = judge(MACHINE, table(*CLEAR, ("2", 20, "N")), day(46))
    assert judged.lost == "The rules open level 1, not level 2."
    advice = advise(judged.standing, day(46))
    assert (advice.action, advice.places, advice.lost) == ("undecided", (), judged.lost)


@pytest.mark.parametrize(
    ("rows", "history"),
    [
        ([*(("1", 0, "N1"),) * 3, ("2", 2, "x3"), ("2", 4, "")], "1NNN 2x."),
        ([("1", 0, "x1"), ("1", 2, "")], "1x."),
    ],
)
def test_the_only_patient_of_a_rolling_level_leaves(rows: list[tuple[str, int, str]], history: str) -> None:
    machine = compile_protocol(rolling_six := shipped("designs/rolling-six.dose"))
    levels = {level.label: number for number, level in enumerate(rolling_six.levels)}
    patients = tuple(
        Patient(f"{n:03}", levels[level], None, day(on), outcome[:1] or ".", day(on + 1) if outcome else None)
        for n, (level, on, outcome) in enumerate(rows, 1)
    )
    judged = judge(machine, Conducted(patients, dated=True), day(9))
    assert judged.lost is None
    assert not judged.deviations
    assert write_history(judged.standing.groups(), rolling_six) == history


def chosen_on(entries: list[int], chosen: int) -> list[str | None]:
    """What was wrong, step by step, where patients entered on some days, and the first option was chosen on one."""
    protocol = load_source(Source("choice.dose", CHOICE), None).protocol
    assert protocol is not None
    patients = tuple(Patient(f"{n:03}", 0, None, day(on), ".", None) for n, on in enumerate(entries, 1))
    conducted = Conducted(patients, decisions=(Decided("chosen", day(chosen), option=0),), dated=True)
    return [step.fault for step in judge(compile_protocol(protocol), conducted, day(9)).steps]


def test_people_choose_between_two_who_enter_on_one_day() -> None:
    """Nobody is asked before the second has entered, and the third enters by what was chosen."""
    assert chosen_on([0, 5, 5], 5) == [None] * 4
    assert chosen_on([0, 5, 6], 5) == [None] * 4
    assert chosen_on([0, 5], 4) == [None, "not asked", None]
    assert chosen_on([0], 0) == [None, "not asked"]
