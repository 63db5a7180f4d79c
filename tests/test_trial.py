"""A trial that is conducted by its record: from the first patient to the expansion, and all that goes wrong."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from doselang.conduct import judging
from doselang.conduct.advice import Advice, advise
from doselang.conduct.judging import judge
from doselang.diagnostics import Trouble
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.patients.reading import read_conducted
from doselang.record.entries import Draft, Json
from doselang.record.reading import verify
from doselang.record.writing import writing
from doselang.report.advice import advice_record
from doselang.trial import following, proposing
from doselang.trial.adding import Added, begin_trial
from doselang.trial.exporting import tables_of
from doselang.trial.following import follow, number_of
from doselang.trial.opening import open_trial
from doselang.trial.proposing import advice_on
from tests.kept import TODAY, Kept, amended_copy


def stood(kept: Kept, on: date) -> Advice:
    return advice_on(kept.trial, on)[1]


def verdicts(kept: Kept) -> dict[int, str]:
    """By entry how a step is judged."""
    judgement = follow(kept.trial, kept.trial.steps, TODAY)
    return {number_of(step): step.verdict for step in judgement.steps}


# ---- the reference trial ----


def reference(folder: Path) -> Kept:
    """Level 1 clear, level 2 with one DLT in three and another among the three more, level 1 confirmed: the MTD."""
    kept = Kept.begun(folder)
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.cohort("2", "2025-02-04", "NTN", "2025-03-04")
    kept.cohort("2", "2025-03-05", "N", "2025-04-02")
    kept.cohort("2", "2025-04-03", "T", "2025-04-10")
    kept.cohort("1", "2025-04-11", "NNN", "2025-05-09")
    return kept


def test_a_trial_from_the_first_patient_to_the_end_of_the_expansion(tmp_path: Path) -> None:
    kept = reference(tmp_path / "trial")
    advice = stood(kept, date(2025, 5, 9))
    assert advice.now.history == "1NNN 2NTN 2NT 1NNN"
    assert [(place.part, place.level, place.free) for place in advice.places] == [(1, 0, 10)]
    kept.done("declare", "2025-05-10", verdict="MTD", level="1", by="the sponsor")
    kept.cohort("1", "2025-05-12", "NTNNNNNTNN", "2025-06-09")
    assert stood(kept, date(2025, 6, 9)).action == "ended"
    kept.done("stop", "2025-06-10")
    late = kept.add("enrol", "2025-06-11", patient="22", level="1")
    assert late.entry is None and late.proposed.judged is not None
    assert late.proposed.judged.fault == "after the end"
    assert verify(kept.trial.folder).is_right
    assert set(verdicts(kept).values()) == {"followed"}
    parts = {one.entry.body["part"] for one in kept.trial.entries if one.entry.kind == "enrol"}
    assert parts == {"escalation", "expansion"}


def test_every_entry_that_takes_a_decision_says_what_the_rules_said(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    said = [one.entry.body["said"] for one in kept.trial.entries if one.entry.kind == "enrol"]
    assert said[0] == {"history": "", "now": "3 patients may enter at level 1", "rules": []}
    assert said[3] == {
        "history": "1NNN", "now": "3 patients may enter at level 2", "rules": ["first three clear"]
    }  # fmt: skip
    assert all("said" not in one.entry.body for one in kept.trial.entries if one.entry.kind == "outcome")


def test_re_treatment_goes_to_the_next_lower_level_that_is_not_too_toxic(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.cohort("2", "2025-02-04", "NNN", "2025-03-04")
    kept.cohort("3", "2025-03-05", "NN", "2025-04-02")
    kept.done("cycle", "2025-04-02", patient="07", level="3", events="none")
    kept.done("cycle", "2025-04-30", patient="07", level="3", events="unacceptable-toxicity")
    assert kept.add("cycle", "2025-05-01", patient="07", level="3").entry is None, "not at the same level again"
    assert kept.add("cycle", "2025-05-01", patient="07", level="1").entry is None, "level 2 is the next lower"
    added = kept.done("cycle", "2025-05-28", patient="07", level="2", events=".")
    assert added.entry is not None and added.entry.body["number"] == 3
    higher = kept.add("cycle", "2025-06-25", patient="07", level="3")
    assert higher.entry is None and higher.proposed.judged is not None
    assert higher.proposed.judged.fault == "escalated in a patient"


def test_nobody_is_re_treated_at_a_level_that_was_closed_before(tmp_path: Path) -> None:
    """In hindsight a level may have been closed after the cycle; when the cycle is entered it is known that it was."""
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.cohort("2", "2025-02-04", "NNN", "2025-03-04")
    kept.cohort("3", "2025-03-05", "NTT", "2025-04-02")
    kept.cohort("2", "2025-04-03", "TT", "2025-04-10")
    kept.done("cycle", "2025-04-12", patient="07", level="3", events="U")
    assert kept.add("cycle", "2025-04-13", patient="07", level="2").proposed.answer == "against the rules"
    kept.done("cycle", "2025-04-13", patient="07", level="1")


# ---- what is refused ----


def test_two_patients_against_the_rules_are_not_a_cohort_while_they_enter(tmp_path: Path) -> None:
    """A trial that is replayed takes them for one; in a record each is by himself, and makes no room for the next."""
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    first = kept.add("enrol", "2025-02-04", patient="04", level="3", deviation="wrong line of the list")
    assert first.entry is not None
    assert first.entry.body["deviation"] == {
        "reason": "wrong line of the list", "verdict": "deviated", "fault": "wrong level"
    }  # fmt: skip
    assert kept.add("enrol", "2025-02-05", patient="05", level="3").entry is None
    assert kept.add("enrol", "2025-02-05", patient="05", level="3", deviation="and again").entry is not None
    assert [(place.level, place.free) for place in stood(kept, date(2025, 2, 6)).places] == [(1, 3)]
    assert kept.add("enrol", "2025-02-06", patient="06", level="3").entry is None
    assert kept.add("enrol", "2025-02-06", patient="06", level="2").entry is not None


def test_who_is_entered_late_cannot_take_a_place_that_is_taken(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    for number, day in enumerate(("06", "07", "08"), 1):
        kept.enrol(f"{number:02}", "1", f"2025-01-{day}")
    added = kept.add("enrol", "2025-01-06", patient="04", level="1")
    assert added.entry is None and added.proposed.answer == "against the rules"
    assert [change.number for change in added.proposed.spoiled] == [4], "the third would be the fourth"


def test_an_outcome_that_is_entered_late_is_taken_and_told(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NN", "2025-02-03")
    kept.enrol("03", "1", "2025-01-20")
    kept.known("03", "DLT", "2025-02-01")
    kept.cohort("1", "2025-02-04", "N", "2025-03-04")
    kept.enrol("05", "1", "2025-02-05")
    added = kept.known("05", "DLT", "2025-02-06")
    assert added.proposed.changes == ()
    late = kept.add("enrol", "2025-02-10", patient="06", level="1", deviation="we did not know of the DLT")
    assert late.entry is not None and stood(kept, TODAY).action == "ended"


def test_a_stop_against_the_rules_stays_a_stop(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    assert kept.add("stop", "2025-02-04").entry is None
    assert kept.add("stop", "2025-02-04", deviation="the drug is given up").entry is not None
    assert stood(kept, TODAY).action == "ended"
    assert kept.add("enrol", "2025-02-05", patient="04", level="2").proposed.answer == "against the rules"
    assert kept.correct(8).entry is not None
    assert kept.add("enrol", "2025-02-05", patient="04", level="2").entry is not None


def test_a_level_closed_against_the_rules_stays_closed(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    assert kept.add("close", "2025-02-04", level="2", deviation="toxicity elsewhere").entry is not None
    advice = stood(kept, TODAY)
    assert (advice.action, advice.places, advice.barred) == ("undecided", (), (1,))
    added = kept.add("enrol", "2025-02-05", patient="04", level="2")
    assert added.proposed.judged is not None and added.proposed.judged.fault == "closed level"


def test_people_choose(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", "committee.dose")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    assert stood(kept, TODAY).action == "choose"
    assert kept.add("choose", "2025-02-04", option="3", by="safety-committee").entry is None
    kept.done("choose", "2025-02-04", option="2", by="Safety-Committee")
    assert kept.trial.entries[-1].entry.body["by"] == "safety-committee"
    assert kept.add("choose", "2025-02-05", option="1", by="safety-committee").entry is None, "nobody is asked"
    assert kept.add("enrol", "2025-02-05", patient="04", level="2").entry is None
    kept.enrol("04", "1", "2025-02-05")


# ---- corrections ----


def test_a_correction_tells_loudly_who_was_treated_on_what_it_corrects(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    kept.enrol("05", "2", "2025-02-05")
    before = kept.content
    added = kept.correct(6, outcome="DLT", on="2025-01-20")
    assert [(change.number, change.before.verdict, change.after.verdict) for change in added.proposed.changes] == [
        (8, "followed", "deviated"), (9, "followed", "deviated")
    ]  # fmt: skip
    assert kept.content.startswith(before), "what was entered stays as it was"
    assert kept.trial.entries[5].corrected_by == (10,)
    assert kept.trial.entries[7].entry.body["said"]["now"] == "3 patients may enter at level 2", "as it was known then"


def test_a_corrected_name_is_that_of_all_that_was_said_of_the_patient(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    assert kept.correct(2, patient="A-01").entry is not None
    assert stood(kept, TODAY).now.history == "1NNN"
    kept.done("cycle", "2025-03-01", patient="a-01", level="1")
    assert kept.correct(5, on="2025-02-04").entry is not None, "the outcome is that of A-01 now"
    assert kept.trial.entries[4].body is not None and kept.trial.entries[4].body["patient"] == "A-01"
    assert kept.add("cycle", "2025-03-01", patient="01", level="1").proposed.contradiction is not None


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (2, {}, "Entry 5 speaks of patient 01: withdraw it first."),
        (2, {"patient": "02"}, "Patient 02 entered on 2025-01-06"),
        (2, {"on": "2025-02-20"}, "before the first dose on 2025-02-20"),
        (5, {"on": "2025-01-20"}, "The window of patient 01 ends on 2025-02-03"),
        (5, {"outcome": "DLT", "on": "2025-02-04"}, "The window for a DLT of patient 01 ended on 2025-02-03"),
        (5, {"patient": "02"}, "Patient 02 has an outcome already"),
    ],
)
def test_a_correction_may_not_contradict_the_record(
    number: int, words: dict[str, str], said: str, tmp_path: Path
) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    before = kept.content
    added = kept.correct(number, **words)
    assert added.entry is None and added.proposed.contradiction is not None
    assert said in added.proposed.contradiction.message
    assert kept.content == before


def test_what_is_withdrawn_can_be_entered_again(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.enrol("01", "1", "2025-01-06")
    kept.known("01", "DLT", "2025-01-10")
    kept.correct(3)
    assert stood(kept, TODAY).now.history == "1."
    kept.known("01", "none", "2025-02-03")
    assert stood(kept, TODAY).now.history == "1N"
    assert kept.correct(3, outcome="DLT").proposed.contradiction is not None, "then there would be two"


# ---- signatures and amendments ----


def test_a_signature_holds_what_it_signs(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    head = kept.trial.head
    kept.sign("reviewed", date(2025, 2, 4))
    entry = kept.trial.entries[-1].entry
    assert (entry.kind, entry.actor, entry.body["meaning"], entry.body["signed"]) == ("sign", "Dr Bo", "reviewed", head)
    assert entry.body["said"] == {
        "history": "1NNN", "now": "3 patients may enter at level 2", "rules": ["first three clear"]
    }  # fmt: skip


SIX_AT_ONCE = (
    "when none of 3 patients has a DLT and a higher level remains\n  then escalate",
    "when none of 3 patients has a DLT and a higher level remains\n  then enrol 3 more",
)
CONFIRMED = (
    'rule "at most one DLT in six"',
    'rule "six clear"\n  assume "as amended" because "of the amendment"\n'
    "  when at most 1 of 6 patients has a DLT and a higher level remains\n  then escalate\n\n"
    'rule "at most one DLT in six"',
)


def test_what_was_done_before_an_amendment_is_judged_by_the_rules_of_its_time(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    assert kept.amend(amended_copy(tmp_path / "new", SIX_AT_ONCE, CONFIRMED), date(2025, 2, 10)) is None
    assert set(verdicts(kept).values()) == {"followed"}, "the new rules would have had six at level 1"
    kept.enrol("05", "2", "2025-02-05")
    advice = stood(kept, date(2025, 3, 1))
    assert advice.now.history == "1NNN !2..", "what was done, in the terms of the new rules"
    kept.known("04", "none", "2025-03-04")
    kept.known("05", "none", "2025-03-05")
    kept.enrol("06", "2", "2025-03-06")
    kept.known("06", "none", "2025-04-03")
    assert [place.level for place in stood(kept, date(2025, 4, 3)).places] == [1], "six at level 2, as amended"
    assert stood(kept, date(2025, 2, 9)).now.history == "1NNN 2..", "on the day before, the rules of that day"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("level 2  ", "level 2X  "), "It has no level 2, which the record names (entry 8)."),
        (("toxicity DLT", "toxicity limiting"), "It has no outcome DLT"),
    ],
)
def test_a_protocol_without_the_words_for_what_was_done_is_not_put_in_force(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.cohort("2", "2025-02-04", "T", "2025-02-05")
    script = tmp_path / "new"
    script.mkdir()
    text = Path(kept.trial.current.loaded.source.path).read_text(encoding="utf-8").replace(*change)
    text = text.split("# ---- worked examples")[0].replace("DLTs", "DLT").split("# ---- what must hold")[0]
    text = text.replace(" DLT", " limiting") if change[0].startswith("toxicity") else text
    (script / "new.dose").write_text("\n".join(_without_citations(text)), encoding="utf-8")
    loaded = load(str(script / "new.dose"))
    assert loaded.protocol is not None, loaded.diagnostics
    before = kept.content
    refused = kept.amend(loaded, date(2025, 2, 10))
    assert refused is not None and said in refused
    assert kept.content == before and not (tmp_path / "trial" / "protocol-2").exists()


def _without_citations(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.strip().startswith(("cites", "text", "background"))]


@pytest.mark.parametrize("seed", range(3))
def test_an_amendment_that_decides_alike_changes_nothing(seed: int, tmp_path: Path) -> None:
    chance, day = random.Random(seed), date(2025, 1, 6)
    kept = Kept.begun(tmp_path / "trial")
    for _ in range(chance.randrange(4, 14)):
        day = _step_at_random(kept, chance, day + timedelta(chance.choice([0, 1, 3, 10])))
    kept.add("enrol", day.isoformat(), "a slip", patient="slip", level="3")
    told, before = verdicts(kept), advice_record(stood(kept, day))
    title = amended_copy(tmp_path / "new", ('dexamethasone in multiple myeloma"', 'dexamethasone, version 2"'))
    assert kept.amend(title, day) is None
    assert (verdicts(kept), advice_record(stood(kept, day))) == (told, before)
    day = _step_at_random(kept, chance, day + timedelta(1))
    assert set(verdicts(kept).values()) <= {"followed", "deviated"}


def test_of_two_amendments_at_once_the_second_is_told(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    before = Kept(kept.trial, 30)
    assert kept.amend(amended_copy(tmp_path / "new", SIX_AT_ONCE, CONFIRMED), date(2025, 2, 10)) is None
    other = amended_copy(tmp_path / "other", ("the lowest level is too toxic", "the lowest dose is too toxic"))
    assert "amended just now" in str(before.amend(other, date(2025, 2, 10)))


def test_what_is_entered_late_has_words_in_the_protocol_in_force(tmp_path: Path) -> None:
    """It is read by the protocol of its day, and the one in force goes on from it."""
    kept = Kept.begun(tmp_path / "trial", "two-classes.dose")
    kept.enrol("01", "1", "2025-01-06")
    one_class = tmp_path / "new.dose"
    one_class.write_text(
        'protocol "One class"\nlevels 1 to 3\nstart at level 1\ntoxicity DLT  within 28 days\npart escalation\n'
        'cohorts of 3\nrule "all"\n  when the cohort is complete\n  then declare no MTD, stop\n',
        encoding="utf-8",
    )
    classes = [toxicity.name for toxicity in kept.trial.protocol.toxicities]
    assert kept.amend(load(str(one_class)), date(2025, 1, 20)) is None
    added = kept.add("outcome", "2025-01-10", patient="01", outcome=classes[1])
    assert added.entry is None and added.proposed.contradiction is not None
    assert f"It has no outcome {classes[1]}" in added.proposed.contradiction.message


def test_the_same_protocol_and_days_before_the_last_are_refused(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    assert "is the protocol in force" in str(kept.amend(kept.trial.current.loaded, date(2025, 2, 10)))
    new = amended_copy(tmp_path / "new", SIX_AT_ONCE, CONFIRMED)
    assert "is in the future" in str(kept.amend(new, TODAY + timedelta(1)))
    assert "is not replaced on 2025-01-05" in str(kept.amend(new, date(2025, 1, 5)))


# ---- the folder ----


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("enrol", {"patient": "01", "level": 1, "on": "2025-01-06", "part": None}, "does not say what `enrol` says"),
        ("enrol", {"patient": "01", "level": "1", "on": "6 Jan", "part": None}, "does not say what `enrol` says"),
        ("outcome", {"patient": "01", "outcome": "none"}, "does not say what `outcome` says"),
    ],
)
def test_entries_of_another_program_are_told(kind: str, body: dict[str, Json], said: str, tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    with writing(kept.trial.folder) as record:
        record.append(Draft(kind, body, "Another", kept.time))
    with pytest.raises(Trouble) as raised:
        open_trial(kept.trial.folder)
    assert raised.value.diagnostic.code == "DL811" and said in raised.value.diagnostic.message


def test_a_trial_is_read_from_its_own_copy(tmp_path: Path) -> None:
    new = amended_copy(tmp_path / "site", SIX_AT_ONCE, CONFIRMED)
    begin_trial(tmp_path / "trial", new, {}, "Ann", date(2025, 1, 6))
    for file in (tmp_path / "site").iterdir():
        file.unlink()
    trial = open_trial(tmp_path / "trial")
    assert trial.protocol == new.protocol
    assert trial.current.loaded.source.path == str(tmp_path / "trial" / "protocol" / "ibrutinib-lenalidomide.dose")


def test_the_designs_that_come_with_doselang_are_kept_too(tmp_path: Path) -> None:
    script = tmp_path / "mine.dose"
    script.write_text('protocol "Mine"\nuse "three-plus-three"\n  with levels 4\n', encoding="utf-8")
    loaded = load(str(script))
    begin_trial(tmp_path / "trial", loaded, {}, "Ann", date(2025, 1, 6))
    kept = {path.name for path in (tmp_path / "trial" / "protocol").iterdir()}
    assert kept == {"mine.dose", "three-plus-three.dose", "three-plus-three.md"}
    assert open_trial(tmp_path / "trial").protocol == loaded.protocol


def test_parameters_that_were_set_are_kept(tmp_path: Path) -> None:
    from doselang.cli import run

    design = "protocols/designs/three-plus-three.dose"
    path = str(Path(__file__).parent.parent / design)
    assert run(["trial", "init", str(tmp_path / "trial"), path, "--set", "levels=5", "--actor", "Ann"]) == 0
    assert len(open_trial(tmp_path / "trial").protocol.levels) == 5


# ---- the same as `doselang next` ----


def walked(kept: Kept, chance: random.Random, steps: int) -> None:
    """Permitted steps at random on random days; at each the advice is that on the exported tables."""
    day = date(2025, 1, 6)
    for _ in range(steps):
        day = _step_at_random(kept, chance, day + timedelta(chance.choice([0, 0, 1, 3, 10, 30])))
        assert_same_advice(kept, day)
        if stood(kept, day).action in ("ended", "undecided") or day > TODAY - timedelta(90):
            break


def _step_at_random(kept: Kept, chance: random.Random, day: date) -> date:
    """A step that is permitted, on a day or later; its day."""
    advice, protocol = stood(kept, day), kept.trial.protocol
    due = [one for one in advice.awaited if one.until is None or one.until <= day]
    if advice.awaited and (due or advice.action == "wait" or chance.random() < 0.3):
        one = chance.choice(due or advice.awaited)
        outcome = "none" if due else chance.choice([toxicity.name for toxicity in protocol.toxicities] + ["none"] * 4)
        if outcome == "none" and one.until is not None:
            day = max(day, one.until)
        kept.known(one.patient.name, outcome, day.isoformat())
    elif advice.action == "enrol":
        place = chance.choice(advice.places)
        kept.enrol(f"{kept.patients + 1:02}", protocol.levels[place.level].label, day.isoformat())
    elif advice.action == "choose":
        option = chance.randrange(len(advice.now.ways)) + 1
        kept.done("choose", day.isoformat(), option=str(option), by="safety-committee")
    return day


def assert_same_advice(kept: Kept, day: date) -> None:
    """What the record says is what `doselang next` says of the tables that are exported from it."""
    folder = Path(kept.trial.folder).parent
    for name, text in tables_of(kept.trial, "tables").items():
        (folder / name).write_text(text, encoding="utf-8")
    given = read_conducted(str(folder / "tables.toml"), kept.trial.protocol, date(2199, 12, 31))
    assert given.conducted is not None, given.diagnostics
    if not given.conducted.patients:
        return
    machine = compile_protocol(kept.trial.protocol)
    judged = judge(machine, given.conducted, day)
    ours, advice = advice_on(kept.trial, day)
    assert advice_record(advice) == advice_record(advise(judged.standing, day))
    assert [(step.verdict, step.fault) for step in ours.steps] == [
        (step.verdict, step.fault) for step in judged.steps
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "name", ["ibrutinib-lenalidomide.dose", "committee.dose", "sentinel.dose", "backfill.dose", "two-classes.dose"]
)
def test_the_record_and_its_tables_say_the_same_at_every_step(name: str, seed: int, tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", name)
    walked(kept, random.Random(seed), 20)
    assert kept.patients > 2


# ---- each part is needed ----


def story(folder: Path) -> list[object]:
    """What comes of steps of every kind, most of which are refused."""
    kept = Kept.begun(folder / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    tried: list[Added] = [
        kept.add("enrol", "2025-02-04", patient="04", level="3"),
        kept.add("enrol", "2025-02-04", patient="04", level="3", deviation="a slip"),
        kept.add("enrol", "2025-02-05", patient="05", level="3"),
        kept.add("enrol", "2025-02-05", patient="04", level="2"),
        kept.add("outcome", "2025-02-05", patient="04", outcome="none"),
        kept.add("cycle", "2025-02-05", patient="01", level="2"),
        kept.add("enrol", "2025-02-05", patient="06", level="2"),
        kept.add("close", "2025-02-06", level="2", deviation="toxicity elsewhere"),
        kept.add("enrol", "2025-02-07", patient="07", level="2"),
        kept.correct(6, outcome="DLT", on="2025-01-20"),
    ]
    return [(one.entry is None, one.proposed.answer, len(one.proposed.changes)) for one in tried]


class Everybody:
    """Whoever is asked for is in it."""

    def __contains__(self, name: object) -> bool:
        return True


MUTANTS = {
    "no contradictions": (proposing, "contradiction", lambda *_: None),
    "no judgement": (proposing, "_judged_next", lambda *_: None),
    "hindsight": (following, "judge", lambda *given, hindsight: judging.judge(*given, hindsight=Everybody())),
    "no stops": (judging.Standing, "admits", lambda *_: True),
    "no changes": (proposing, "changes_between", lambda *_: ()),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_one_of_its_parts_the_story_ends_otherwise(
    mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "right").mkdir()
    right = story(tmp_path / "right")
    (tmp_path / "wrong").mkdir()
    monkeypatch.setattr(*MUTANTS[mutant])
    try:
        wrong: object = story(tmp_path / "wrong")
    except Exception as error:  # a record that contradicts itself cannot be followed
        wrong = error
    assert wrong != right
