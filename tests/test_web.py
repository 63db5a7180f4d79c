"""The page of a trial: every address, what is offered and entered, what is refused, and who may see it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # which of its clients Starlette likes better
    from starlette.testclient import TestClient

from doselang.cli import run
from doselang.conduct.advised import now_words
from doselang.record.reading import verify
from doselang.report.advice import render_advice
from doselang.trial.adding import add
from doselang.trial.opening import open_trial
from doselang.trial.proposing import advice_on
from doselang.trial.steps import Note
from doselang.trial.wording import MAY_TAKE, TAKES
from doselang.web import guard, serving, site
from doselang.web.guard import HEADERS, MOST_BODY_BYTES, Guard
from doselang.web.layout import STYLE
from doselang.web.sessions import MOST_SESSIONS, MOST_WAITING, Door
from doselang.web.site import Site
from tests.kept import TODAY, Kept, amended_copy

PORT = 8000
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
PYTHON_WORDS = re.compile(r"Traceback|Exception|\w*Error\b|<class|NoneType|Errno|\bNone\b|object at 0x")


class Elements(HTMLParser):
    """The elements of a page, and what is wrong with their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("br", "hr", "input", "link", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [given for tag, given in self.found if tag in tags]


class Browser:
    """A browser at the page of a trial."""

    def __init__(self, folder: Path, *, actor: str = "Ann", site: Site | None = None) -> None:
        self.told: list[str] = []
        self.day = TODAY
        self.site = site or Site(str(folder), Door(actor), PORT, self.told.append, today=lambda: self.day)
        self.client = TestClient(self.site.application(), base_url=ORIGIN, follow_redirects=False)
        self.room = self.site.door.room
        self._form_token = ""

    def start(self) -> Browser:
        assert self.client.get(self.site.start).status_code == 200
        return self

    def get(self, path: str = "", **more: Any) -> Any:
        return self.client.get(f"{self.room}/{path}", **more)

    def page(self, path: str = "") -> str:
        found = self.get(path)
        assert found.status_code == 200, text_of(found.text)
        return str(found.text)

    @property
    def form_token(self) -> str:
        self._form_token = self._form_token or hidden(self.page("sign"), "form_token")
        return self._form_token

    def post(self, path: str, words: dict[str, str], token: str | None = None, **headers: str) -> Any:
        given = {"form_token": self.form_token if token is None else token, **words}
        sent = {"origin": ORIGIN, "sec-fetch-site": "same-origin", **headers}
        return self.client.post(f"{self.room}/{path}", data=given, headers={k: v for k, v in sent.items() if v})

    def ask(self, path: str, status: int = 200, **words: str) -> str:
        """What is shown when a form is sent."""
        found = self.post(path, {"actor": "Ann", "on": TODAY.isoformat(), **words})
        assert found.status_code == status, text_of(found.text)
        return str(found.text)

    def enter(self, shown: str) -> Any:
        """Confirm what is shown."""
        return self.post("enter", {"token": hidden(shown, "token")})

    def entered(self, path: str, **words: str) -> str:
        """Send a form, confirm, and go on to the page of the entry."""
        done = self.enter(self.ask(path, **words))
        assert done.status_code == 303, text_of(done.text)
        return str(self.client.get(done.headers["location"]).text)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]+)">', page)
    assert found, text_of(page)
    return found[1]


def text_of(page: str) -> str:
    """What can be read of a page."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def beside(page: str, field: str) -> str:
    """The sentence beside a field."""
    found = re.search(rf'<p id="{field}-fault" class="fault">(.*?)</p>', page)
    return text_of(found[1]) if found else ""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Three patients at level 1 without toxicity, and a fourth at level 2."""
    kept = Kept.begun(tmp_path_factory.mktemp("begun") / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    return kept


@pytest.fixture
def kept(begun: Kept, tmp_path: Path) -> Kept:
    """A copy of that trial, to be gone on with."""
    folder = shutil.copytree(begun.trial.folder, tmp_path / "trial")
    return Kept(evolve(begun.trial, folder=str(folder)))


@pytest.fixture
def browser(kept: Kept) -> Browser:
    return Browser(Path(kept.trial.folder)).start()


def last(kept: Kept) -> Any:
    return open_trial(kept.trial.folder).entries[-1].entry


# ---- the page of the trial ----


def test_the_decision_is_that_of_next(browser: Browser, kept: Kept) -> None:
    for day in (date(2025, 1, 6), date(2025, 1, 20), date(2025, 2, 3), TODAY):
        page = browser.page(f"?on={day}")
        advice = advice_on(kept.trial, day)[1]
        printed = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
        place = kept.trial.protocols[0].loaded.source
        assert printed and unescape(printed[1]).strip().startswith(render_advice(advice, place).strip()[:200])
        assert render_advice(advice, place) in unescape(printed[1])
        decision = re.search(r'id="now">(.*?)</p>', page)
        assert decision and unescape(decision[1]).lower() == now_words(advice).lower()


def test_who_entered_too_early_is_told_with_and_without_advice(browser: Browser, kept: Kept) -> None:
    for patient in ("05", "06"):
        kept.enrol(patient, "2", "2025-02-05")
    kept.add("enrol", "2025-02-06", deviation="a slip", patient="07", level="2")
    early = "Who entered too early, and is of no cohort yet 07 at level 2 (pending)"
    text = text_of(browser.page("?on=2025-02-07"))
    assert early in text and "Nobody may enter: wait for 4 outcomes" in text
    kept.add("declare", "2025-02-07", deviation="the sponsor wished so", verdict="MTD", level="none")
    text = text_of(browser.page("?on=2025-02-07"))
    assert early in text and "No advice: no MTD was declared, against the rules" in text
    assert "04 at level 2, whose window ends on 2025-03-04" in text


def test_places_beside_a_cohort_are_offered_in_any_order(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", "backfill.dose")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    page = Browser(Path(kept.trial.folder)).start()
    offered = "Enrol a patient: {} patients may enter at level {}"
    text = text_of(page.page("?on=2025-02-04"))
    assert "2 patients may enter at level 2 and 2 patients may enter at level 1" in text
    assert all(offered.format(2, level) in text_of(page.page()) for level in (1, 2))
    for patient, level in (("05", "1"), ("06", "1"), ("07", "2"), ("08", "2")):
        kept.enrol(patient, level, "2025-02-05")
    text = text_of(page.page("?on=2025-02-05"))
    assert "Nobody may enter: wait for 2 outcomes at level 1 and 3 outcomes at level 2" in text
    assert "Enrol a patient:" not in text_of(page.page())


def test_what_the_page_of_the_trial_tells(browser: Browser, kept: Kept) -> None:
    text = text_of(browser.page())
    assert kept.trial.protocol.title in text
    assert f"Head {kept.trial.head[:16]} , entry 8" in text
    assert f"Protocol {last(kept).protocol[:16]} , in force since 2025-01-06" in text
    assert "2 patients may enter at level 2" in text
    assert "04 at level 2, whose window ended on 2025-03-04: the outcome is to be recorded" in text
    assert "What the 3 outcomes to come show" in text and "enrol 3 at level 3 first three clear" in text
    assert "“If none of the first three patients at a level has a DLT" in text and "0 of 3 evaluable at level 1" in text
    assert "Rule “first three clear”" in text
    assert "01 level 1 1 2025-01-06 2025-02-03 no toxicity 2025-02-03 entry 2" in text
    assert "04 level 2 2 2025-02-04 2025-03-04 not known entry 8" in text
    assert "Deviations None." in text


def test_what_is_permitted_is_offered_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    page = browser.page()
    steps = page[page.index('id="steps"') : page.index('class="others"')]
    assert re.findall(r'href="[^"]*/add/([^"]*)"', unescape(steps)) == ["enrol?level=2", "outcome?patient=04"]
    toxic = Kept.begun(tmp_path / "toxic")
    toxic.cohort("1", "2025-01-06", "TT", "2025-01-20")
    page = Browser(tmp_path / "toxic").start().page()
    steps = page[page.index('id="steps"') : page.index('class="others"')]
    assert re.findall(r'href="[^"]*/add/([^"]*)"', unescape(steps)) == [
        "declare?level=none&verdict=MTD", "close?level=1", "stop",
    ]  # fmt: skip
    assert "the trial has ended: nobody may enter" in text_of(page).lower()


def test_people_choose(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", "committee.dose")
    chosen = _until_people_choose(kept)
    browser = Browser(tmp_path / "trial").start()
    page = browser.page()
    assert "Enter that [1] was chosen" in text_of(page) and "Enter that [2] was chosen" in text_of(page)
    form = browser.page("add/choose?option=2")
    assert '<option value="2" selected>' in form
    browser.entered("add/choose", option="2", by=chosen)
    assert last(kept).body["option"] == 2 and "deviation" not in last(kept).body


def _until_people_choose(kept: Kept) -> str:
    """Conduct a trial until people are asked; who is."""
    for letters in ("NNN", "NTN", "NNN", "NTN"):
        advice = advice_on(kept.trial, TODAY)[1]
        if advice.action == "choose":
            break
        place = advice.places[0]
        kept.cohort(kept.trial.protocol.levels[place.level].label, "2025-03-03", letters[: place.free], "2025-04-30")
    assert advice_on(kept.trial, TODAY)[1].action == "choose"
    return kept.trial.protocol.bodies[0].name


# ---- entering ----


def test_a_patient_is_enrolled(browser: Browser, kept: Kept) -> None:
    before = kept.content
    form = browser.page("add/enrol?level=2")
    assert '<option value="2" selected>level 2: 2 patients may enter at level 2</option>' in form
    assert f'value="{TODAY}"' in form and 'value="Ann"' in form
    shown = browser.ask("add/enrol", patient="05", level="2")
    text = text_of(shown)
    assert kept.content == before, "showing enters nothing"
    assert "05 entered at level 2, on 2026-01-31" in text and f"head {kept.trial.head[:16]}" in text
    assert "The rules say 2 patients may enter at level 2" in text and 'By "first three clear"' in text
    done = browser.enter(shown)
    assert done.status_code == 303 and done.headers["location"] == f"{browser.room}/entry/9"
    entry = last(kept)
    assert (entry.kind, entry.actor, entry.number) == ("enrol", "Ann", 9)
    assert json.loads(unescape(re.findall(r"<pre>(.*?)</pre>", shown, re.DOTALL)[-1])) == entry.body
    assert "It is entered. Entry 9: 05 entered at level 2" in text_of(browser.page("entry/9"))
    assert verify(kept.trial.folder).is_right


def test_confirming_twice_enters_once(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/note", text="Seen")
    token = browser.form_token
    first, second = (browser.post("enter", {"token": hidden(shown, "token")}, token) for _ in range(2))
    assert first.headers["location"] == second.headers["location"] == f"{browser.room}/entry/9"
    assert len(open_trial(kept.trial.folder).entries) == 9


def test_confirming_at_the_same_time_enters_once(browser: Browser, kept: Kept) -> None:
    shown, form_token = browser.ask("add/note", text="Seen"), browser.form_token
    words = {"token": hidden(shown, "token")}
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: browser.post("enter", words, form_token), range(8)))
    assert {one.headers["location"] for one in done} == {f"{browser.room}/entry/9"}
    assert len(open_trial(kept.trial.folder).entries) == 9


def by_another(kept: Kept) -> None:
    """Somebody else enters something meanwhile."""
    add(open_trial(kept.trial.folder), Note("in between", TODAY), "Bo", today=TODAY)


def test_what_was_shown_on_another_head_is_shown_again(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/enrol", patient="05", level="2")
    by_another(kept)
    before = kept.content
    refused = browser.enter(shown)
    assert refused.status_code == 409 and kept.content == before
    text = text_of(refused.text)
    assert "Somebody else has entered something since this was shown. Nothing was entered. Entry 9, by Bo" in text
    assert "Entry 10, enrol" in text and hidden(refused.text, "token") != hidden(shown, "token")
    assert browser.enter(shown).status_code == 409 and kept.content == before, "the old one stays refused"
    assert browser.enter(refused.text).headers["location"] == f"{browser.room}/entry/10"


def test_what_another_enters_in_the_very_moment_is_seen(
    browser: Browser, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the record was read for the confirmation, and before it is held for writing."""
    shown = browser.ask("add/enrol", patient="05", level="2")

    def late(*given: Any, **more: Any) -> Any:
        by_another(kept)
        return add(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(site, "add", late)
        refused = browser.enter(shown)
    assert refused.status_code == 409 and len(open_trial(kept.trial.folder).entries) == 9
    assert "Nothing was entered. Entry 9, by Bo" in text_of(refused.text)
    assert browser.enter(refused.text).headers["location"] == f"{browser.room}/entry/10"


def test_without_the_check_of_the_head_it_would_be_entered(
    browser: Browser, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "add", lambda *given, head, **more: add(*given, **more))
    shown = browser.ask("add/enrol", patient="05", level="2")
    by_another(kept)
    assert browser.enter(shown).status_code == 303


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("correct/3", {"patient": "22", "level": "1", "on": "2025-01-06", "reason": "a slip"}),
        ("withdraw/8", {"reason": "a slip"}),
        ("sign", {"meaning": "reviewed"}),
    ],
)
def test_corrections_and_signatures_too_are_entered_on_their_head_only(
    path: str, words: dict[str, str], browser: Browser, kept: Kept
) -> None:
    shown = browser.ask(path, **words)
    by_another(kept)
    before = kept.content
    assert browser.enter(shown).status_code == 409 and kept.content == before


def test_a_deviation_shown_on_another_head_needs_its_reason_anew(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/enrol", patient="05", level="3", deviation="a mistake")
    by_another(kept)
    refused = browser.enter(shown)
    assert refused.status_code == 409 and 'name="deviation"' in refused.text and "a mistake" not in refused.text


def test_what_was_shown_yesterday_is_shown_again(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/note", text="Seen")
    browser.day, before = date(2026, 2, 1), kept.content
    refused = browser.enter(shown)
    assert refused.status_code == 409 and kept.content == before
    assert "It was shown on 2026-01-31, and today is 2026-02-01. Nothing was entered." in text_of(refused.text)


@pytest.mark.parametrize("token", ["", "x", "é" * 9])
def test_what_was_not_shown_is_not_entered(token: str, browser: Browser, kept: Kept) -> None:
    before = kept.content
    assert browser.post("enter", {"token": token}).status_code == 409
    assert kept.content == before


def test_what_was_shown_in_another_browser_is_not_entered(browser: Browser, kept: Kept) -> None:
    other = Browser(Path(kept.trial.folder), site=browser.site).start()
    shown, before = other.ask("add/note", text="Seen"), kept.content
    assert browser.enter(shown).status_code == 409 and kept.content == before


def test_a_session_remembers_so_much_and_no_more(browser: Browser) -> None:
    first = browser.ask("add/note", text="first")
    for number in range(MOST_WAITING):
        browser.ask("add/note", text=str(number))
    assert browser.enter(first).status_code == 409


def test_the_name_is_remembered(browser: Browser) -> None:
    browser.ask("add/note", text="Seen", actor="Dr Bo")
    assert 'name="actor" value="Dr Bo"' in browser.page("add/enrol")


# ---- against the rules ----


def test_a_step_against_the_rules_needs_its_reason(browser: Browser, kept: Kept) -> None:
    before = kept.content
    refused = browser.ask("add/enrol", 422, patient="05", level="3")
    text = text_of(refused)
    assert "This is not as the rules say: 05 entered at level 3." in text
    assert "The rules 2 patients may enter at level 2" in text and 'class="warning"' in refused
    assert 'value="05"' in refused and '<option value="3" selected>' in refused and 'name="deviation"' in refused
    assert browser.ask("add/enrol", 422, patient="05", level="3", deviation=" \n ") and kept.content == before
    shown = browser.ask("add/enrol", patient="05", level="3", deviation="The sponsor asked for it")
    assert "Deviation. This is not as the rules say." in text_of(shown) and kept.content == before
    assert browser.enter(shown).status_code == 303
    assert last(kept).body["deviation"]["reason"] == "The sponsor asked for it"
    text = text_of(browser.page())
    assert "The trial has left its protocol." in text and "05 entered at level 3, part escalation ( entry 9 )" in text


def test_a_reason_that_is_not_needed_is_not_kept(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/enrol", patient="05", level="2", deviation="why not")
    assert "the reason for a deviation is not kept" in text_of(shown)
    assert browser.enter(shown).status_code == 303 and "deviation" not in last(kept).body


# ---- corrections, signatures ----


def test_a_correction_shows_what_is_judged_otherwise(browser: Browser, kept: Kept) -> None:
    assert "It says: 2025-02-03 01 had no toxicity" in text_of(browser.page("correct/5"))
    words = {"patient": "01", "outcome": "DLT", "on": "2025-01-20", "reason": "Grade 4 in the source"}
    shown = browser.ask("correct/5", **words)
    assert "ATTENTION: 04 was treated on what does not hold as the record stands now." in text_of(shown)
    page = browser.entered("correct/5", **words)
    assert "entry 5 is corrected: 01 had a DLT, on 2025-01-20" in text_of(page)
    entry = last(kept)
    assert (entry.kind, entry.body["entry"], entry.body["reason"]) == ("correct", 5, "Grade 4 in the source")
    record = text_of(browser.page("record"))
    assert "corrected by entry 9" in record and "The record is as it was written." in record


def test_an_entry_is_withdrawn(browser: Browser, kept: Kept) -> None:
    page = browser.entered("withdraw/8", reason="It was another trial")
    assert "entry 8 is withdrawn" in text_of(page) and last(kept).body["body"] is None
    assert "Entry 8 is withdrawn already." in text_of(browser.ask("withdraw/8", 422, reason="again"))
    assert "<del>" in browser.page("record")


def test_an_entry_is_corrected_only_by_what_is_new(browser: Browser) -> None:
    same = {"patient": "01", "outcome": "none", "on": "2025-02-03", "reason": "none"}
    assert "Entry 5 says that already." in text_of(browser.ask("correct/5", 422, **same))
    for number, status in ((1, 409), (99, 409), (0, 409)):
        assert browser.get(f"correct/{number}").status_code == status


def test_a_signature(browser: Browser, kept: Kept) -> None:
    head = kept.trial.head
    shown = browser.ask("sign", meaning="reviewed")
    assert "What is signed On 2026-01-31" in text_of(shown)
    assert browser.enter(shown).status_code == 303
    assert (last(kept).kind, last(kept).body["signed"], last(kept).body["meaning"]) == ("sign", head, "reviewed")


def test_a_cycle_with_its_events(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", "course.dose")
    level, events = kept.trial.protocol.levels[0].label, [one.name for one in kept.trial.protocol.course.events]
    kept.enrol("01", level, "2025-01-06")
    browser = Browser(tmp_path / "trial").start()
    assert all(f'value="{event}"' in browser.page("add/cycle") for event in events)
    shown = browser.ask("add/cycle", 422, patient="01", level="nowhere", events=events[0])
    assert "There is no level" in beside(shown, "level") and re.search(rf'value="{events[0]}" checked', shown)
    browser.entered("add/cycle", patient="01", level=level, events=events[0], on="2025-01-06", deviation="as it was")
    assert last(kept).body["events"] == [events[0]]


# ---- what is wrong in a form ----

WRONG = [
    ("add/enrol", {"patient": "", "level": "2"}, "patient", "The patient is not named."),
    ("add/enrol", {"patient": "0\u202e5", "level": "2"}, "patient", "a sign that cannot be seen"),
    ("add/enrol", {"patient": "x" * 200, "level": "2"}, "patient", "more than 100 signs"),
    ("add/enrol", {"patient": "05", "level": ""}, "level", "The level is missing."),
    ("add/enrol", {"patient": "05", "level": "9"}, "level", "There is no level `9`. The levels are `1`, `2` and `3`."),
    ("add/enrol", {"patient": "05", "level": "2", "part": "nowhere"}, "part", "There is no part"),
    ("add/enrol", {"patient": "05", "level": "2", "on": ""}, "on", "The day is missing."),
    ("add/enrol", {"patient": "05", "level": "2", "on": "03/04/2025"}, "on", "Write it as 2026-03-01."),
    ("add/enrol", {"patient": "05", "level": "2", "on": "2025-02-30"}, "on", "Write it as 2026-03-01."),
    ("add/enrol", {"patient": "05", "level": "2", "actor": " "}, "actor", "It is not said who enters this."),
    ("add/enrol", {"patient": "05", "level": "2", "actor": "A\nB"}, "actor", "one line"),
    ("add/enrol", {"patient": "05", "level": "2", "actor": "A" * 201}, "actor", "at most 200 signs"),
    ("add/outcome", {"patient": "04", "outcome": ""}, "outcome", "The outcome is missing."),
    ("add/outcome", {"patient": "04", "outcome": "DTL"}, "outcome", "Did you mean `DLT`?"),
    ("add/outcome", {"patient": "04", "outcome": "pending"}, "outcome", "not known is not entered"),
    ("add/choose", {"option": "first", "by": "them"}, "option", "The options of a rule are counted from 1."),
    ("add/choose", {"option": "1", "by": ""}, "by", "It is not said who decided."),
    ("add/declare", {"verdict": "MTP", "level": "1"}, "verdict", "Did you mean `MTD`?"),
    ("add/declare", {"verdict": "MTD", "level": "4"}, "level", "There is no level `4`."),
    ("add/close", {"level": "high"}, "level", "There is no level `high`."),
    ("add/note", {"text": " "}, "text", "The text is missing."),
    ("add/note", {"text": "x" * 6_000}, "text", "This has 6,000 signs, and at most 5,000 are allowed."),
    ("correct/5", {"patient": "01", "outcome": "DLT", "reason": ""}, "reason", "The reason is missing."),
    ("withdraw/5", {"reason": ""}, "reason", "The reason is missing."),
    ("sign", {"meaning": ""}, "meaning", "It is not said what the signature means."),
    ("sign", {"meaning": "reviewed", "on": "2027-01-01"}, "on", "2027-01-01 is in the future: today is 2026-01-31."),
]  # fmt: skip


@pytest.mark.parametrize(("path", "words", "field", "sentence"), WRONG)
def test_what_is_wrong_is_told_beside_its_field(
    path: str, words: dict[str, str], field: str, sentence: str, browser: Browser, kept: Kept
) -> None:
    before = kept.content
    page = browser.ask(path, 422, **words)
    assert sentence in beside(page, field), text_of(page)
    assert f'href="#{field}"' in page and 'aria-invalid="true"' in page and "<title>Not entered: " in page
    assert kept.content == before and not PYTHON_WORDS.search(text_of(page))


def test_everything_that_is_missing_is_told_at_once(browser: Browser) -> None:
    page = browser.ask("add/enrol", 422, patient="", level="", on="", actor="")
    assert all(beside(page, field) for field in ("patient", "level", "on", "actor"))


@pytest.mark.parametrize(
    ("path", "words", "sentence"),
    [
        ("add/enrol", {"patient": "04", "level": "2"}, "Patient 04 entered on 2025-02-04, at level 2 (entry 8)."),
        ("add/enrol", {"patient": "05", "level": "2", "on": "2026-02-01"}, "2026-02-01 is in the future"),
        ("add/outcome", {"patient": "99", "outcome": "DLT"}, "No patient `99` has entered."),
        ("add/outcome", {"patient": "01", "outcome": "DLT"}, "Patient 01 has an outcome already"),
        ("add/outcome", {"patient": "04", "outcome": "none", "on": "2025-02-20"}, "The window of patient 04 ends on"),
    ],
)
def test_what_contradicts_the_record_is_not_entered(
    path: str, words: dict[str, str], sentence: str, browser: Browser, kept: Kept
) -> None:
    before = kept.content
    page = browser.ask(path, 422, deviation="all the same", **words)
    assert sentence in text_of(page) and kept.content == before


# ---- who may see the page ----

PAGES = ("", "record", "paths", "paths?cohorts=2", "sign", "entry/1", "entry/8", "correct/8", "withdraw/8",
         *(f"add/{kind}" for kind in TAKES))  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_without_the_session(path: str, browser: Browser, kept: Kept) -> None:
    stranger = Browser(Path(kept.trial.folder), site=browser.site)
    for given in (stranger.get(path), stranger.post(path, {}, "x"), stranger.client.get(f"/{path}")):
        assert given.status_code == 403
        assert kept.trial.protocol.title not in given.text and "04" not in text_of(given.text)


def test_the_start_address_opens_once(kept: Kept) -> None:
    browser = Browser(Path(kept.trial.folder))
    address = browser.site.start
    opened = browser.client.get(address)
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and f"Path={browser.room}" in cookie
    assert f"url={browser.room}/" in opened.text and browser.get().status_code == 200
    assert "secret" not in opened.text
    other = Browser(Path(kept.trial.folder), site=browser.site)
    assert other.client.get(address).status_code == 403 and other.get().status_code == 403
    assert browser.site.start != address and browser.site.start in browser.told[-1]
    for wrong in ("/start", "/start?secret=", "/start?secret=é", f"/start?secret={'x' * 43}"):
        assert other.client.get(wrong).status_code == 403
    assert other.client.get(browser.site.start).status_code == 200 and browser.get().status_code == 200


def test_many_browsers_can_be_let_in_but_not_endlessly_many(browser: Browser) -> None:
    for _ in range(MOST_SESSIONS):
        assert TestClient(browser.site.application(), base_url=ORIGIN).get(browser.site.start).status_code == 200
    assert browser.get().status_code == 403


def test_a_cookie_of_another_program_hides_none(browser: Browser) -> None:
    (mine,) = browser.client.cookies.jar
    sent = f"{mine.name}=x; {mine.name}={mine.value}; {mine.name}=y"
    stranger = TestClient(browser.site.application(), base_url=ORIGIN)
    assert stranger.get(f"{browser.room}/", headers={"cookie": sent}).status_code == 200
    assert stranger.get(f"{browser.room}/", headers={"cookie": f"{mine.name}=x"}).status_code == 403


HOSTS = ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "localhost", f"[::1]:{PORT}",
         f"127.0.0.1.evil.example:{PORT}", f"0.0.0.0:{PORT}", f"127.1:{PORT}", f"localhost.:{PORT}", ""]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_is_refused(host: str, browser: Browser, kept: Kept) -> None:
    for path in (*(f"{browser.room}/{path}" for path in PAGES), browser.site.start, STYLE):
        found = browser.client.get(path, headers={"host": host})
        assert found.status_code == 403 and kept.trial.protocol.title not in found.text
    assert browser.post("add/note", {"text": "x"}, host=host or " ").status_code == 403
    assert browser.client.get(browser.site.start).status_code == 200, "the secret was not used up"


def test_two_hosts_are_refused(browser: Browser) -> None:
    found = browser.client.get(f"{browser.room}/", headers=[("host", HOST), ("host", "evil.example")])
    assert found.status_code == 403


def test_localhost_is_this_computer_too(browser: Browser) -> None:
    client = TestClient(browser.site.application(), base_url=f"http://LOCALHOST:{PORT}", follow_redirects=False)
    assert client.get(browser.site.start.replace("127.0.0.1", "localhost")).status_code == 200
    assert client.get(f"{browser.room}/").status_code == 200


ORIGINS = ["", "null", "http://evil.example", f"https://{HOST}", "http://127.0.0.1:1", f"http://localhost:{PORT}",
           f"http://{HOST}.evil.example"]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_form_of_another_origin_is_refused(origin: str, browser: Browser, kept: Kept) -> None:
    shown, before = browser.ask("add/note", text="Seen"), kept.content
    for path, words in (("enter", {"token": hidden(shown, "token")}), ("add/note", {"text": "x", "actor": "Ann"})):
        assert browser.post(path, words, origin=origin).status_code == 403
    assert kept.content == before


@pytest.mark.parametrize("where", ["cross-site", "same-site", "x"])
def test_what_another_site_asks_for_is_refused(where: str, browser: Browser, kept: Kept) -> None:
    shown, before = browser.ask("add/note", text="Seen"), kept.content
    token = {"token": hidden(shown, "token")}
    assert browser.post("enter", token, **{"sec-fetch-site": where}).status_code == 403
    assert browser.get("", headers={"sec-fetch-site": where}).status_code == 403
    assert kept.content == before
    assert browser.get("", headers={"sec-fetch-site": "none"}).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "é", "another"])
def test_a_form_that_was_not_shown_here_is_refused(token: str, browser: Browser, kept: Kept) -> None:
    if token == "another":
        token = Browser(Path(kept.trial.folder), site=browser.site).start().form_token
    shown, before = browser.ask("add/note", text="Seen"), kept.content
    for path, words in (("enter", {"token": hidden(shown, "token")}), ("add/note", {"text": "x", "actor": "Ann"})):
        assert browser.post(path, words, token).status_code == 403
    assert kept.content == before


@pytest.mark.parametrize(
    ("check", "attack"),
    [
        ("_refuse_other_forms", {"token": "x"}),
        ("_refuse_other_origins", {"origin": "http://evil.example"}),
        ("_host", {"host": "evil.example", "origin": "http://evil.example"}),
    ],
)
def test_each_check_is_needed(
    check: str, attack: dict[str, str], browser: Browser, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = browser.ask("add/note", text="Seen")
    token = browser.form_token
    words, before = {"token": hidden(shown, "token")}, kept.content
    assert browser.post("enter", words, **{"token": token, **attack}).status_code == 403 and kept.content == before
    if check == "_host":
        monkeypatch.setattr(Guard, "_host", lambda _, request: request.headers["host"])
    else:
        monkeypatch.setattr(guard, check, lambda form, _: form.pop("form_token", "") if "_forms" in check else None)
    assert browser.post("enter", words, **{"token": token, **attack}).status_code == 303 and kept.content != before


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_page_is_read_and_sent_and_nothing_else(method: str, browser: Browser) -> None:
    for path in (f"{browser.room}/", browser.site.start, f"{browser.room}/enter"):
        assert browser.client.request(method, path, headers={"origin": ORIGIN}).status_code == 405
    assert browser.client.get(browser.site.start).status_code == 200, "the secret was not used up"


def test_what_is_too_large_or_no_form_is_refused(browser: Browser, kept: Kept) -> None:
    before, room, token = kept.content, browser.room, browser.form_token
    send = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}

    def status(content: Any, **headers: str) -> int:
        given = {**send, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return int(browser.client.post(f"{room}/add/note", content=content, headers=given).status_code)

    large = f"form_token={token}&text={'x' * MOST_BODY_BYTES}".encode()
    assert status(large) == 413 and status(iter([large[:100], large[100:]])) == 413
    assert status(large, content_length="10") in (400, 413)
    assert status(b"{}", content_type="application/json") == 415
    assert status(b"form_token=x", content_type="multipart/form-data; boundary=x") == 415
    assert status(b"form_token=%ff") == 400 and status(b"\xff=\xfe") == 400 and status(b"a") == 400
    assert status("&".join(["a=b"] * 60).encode()) == 400
    assert status(b"") == 403 and status(b"form_token=x") == 403
    assert browser.get(f"?{'x' * 5_000}").status_code == 414
    assert kept.content == before


@pytest.mark.parametrize("path", PAGES)
def test_reading_writes_nothing(path: str, browser: Browser, kept: Kept) -> None:
    folder = Path(kept.trial.folder)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    words = "&".join(f"{name}=1" for name in ("patient", "level", "token", "on", "form_token"))
    browser.get(path)
    browser.get(f"{path}{'&' if '?' in path else '?'}{words}")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_every_answer_has_the_headers(browser: Browser, kept: Kept) -> None:
    shown = browser.ask("add/note", text="Seen")
    answers = [browser.get(path) for path in (*PAGES, "nowhere", "entry/99", "add/nothing", "enter")]
    answers += [browser.client.get(path) for path in (STYLE, "/", "/start", "/favicon.ico")]
    answers += [browser.post("add/note", {}), browser.post("enter", {}), browser.enter(shown), browser.post("", {})]
    answers += [browser.client.get("/", headers={"host": "evil.example"}), browser.client.put("/")]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert len(answer.headers.get_list("content-security-policy")) == 1
    policy = HEADERS["Content-Security-Policy"]
    for rule in ("default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'"):
        assert rule in policy
    assert HEADERS["X-Content-Type-Options"] == "nosniff" and HEADERS["Cache-Control"] == "no-store"


# ---- what is shown is only ever text ----

EVIL = "<script>alert(1)</script>"
WORSE = "\"'><img src=x onerror=alert(1)>&amp;"


def test_names_and_texts_are_only_ever_text(tmp_path: Path) -> None:
    loaded = amended_copy(
        tmp_path / "files",
        ('protocol "Ibrutinib', f'protocol "{EVIL} Ibrutinib'),
        *[('"first three clear"', f'"{EVIL}"')] * 3,
    )
    from doselang.trial.adding import begin_trial

    begin_trial(tmp_path / "trial", loaded, {}, EVIL, date(2025, 1, 6), time="2025-01-06T08:00:00Z")
    kept = Kept(open_trial(tmp_path / "trial"))
    browser = Browser(tmp_path / "trial", actor=WORSE).start()
    pages = []
    for number, name in enumerate((EVIL, WORSE, "x</pre>")):
        browser.entered("add/enrol", patient=name, level="1", on="2025-01-06", actor=EVIL)
        words = {"patient": name, "outcome": "none", "on": "2025-02-03"}
        pages.append(browser.entered("add/outcome", **words, actor=WORSE))
        pages.append(browser.page(f"correct/{2 + 2 * number}"))
    pages.append(browser.entered("add/note", text=f"{EVIL}\n{WORSE}"))
    pages.append(browser.ask("add/enrol", 422, patient=WORSE, level=EVIL, on=WORSE, part=EVIL, actor=WORSE))
    pages.append(browser.ask("add/enrol", 422, patient="9", level="3", part="", actor=WORSE))
    pages.append(browser.ask("add/enrol", patient="9", level="3", deviation=EVIL, actor=WORSE))
    pages.append(browser.ask("correct/3", patient=EVIL, outcome="DLT", on="2025-01-07", reason=WORSE))
    pages += [browser.page(path) for path in PAGES]
    pages.append(browser.page(f"add/enrol?patient={EVIL}&level={EVIL}"))
    pages.append(browser.get(f"?on={EVIL}").text)
    for page in pages:
        assert "<script" not in page and "<img" not in page and not Elements(page).wrong
        assert not [given for _, given in Elements(page).found if any(name.startswith("on") for name in given)]
    assert EVIL in unescape(pages[-3]) and kept.trial.protocol.title.startswith(EVIL)


def test_signs_that_cannot_be_seen_are_made_visible(browser: Browser) -> None:
    page = browser.entered("add/note", text="a\u202eb\x1b[31mc")
    assert "\u202e" not in page and "\x1b" not in page and "a\N{REPLACEMENT CHARACTER}b" in page


# ---- pages that everybody can read ----


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_well_formed_and_says_what_it_is(path: str, browser: Browser) -> None:
    page = browser.page(path)
    found = Elements(page)
    assert page.startswith("<!DOCTYPE html>") and not found.wrong and not found.open
    assert found.all("html") == [{"lang": "en"}] and len(found.all("h1")) == len(found.all("main")) == 1
    ids = [given["id"] for _, given in found.found if "id" in given]
    assert len(set(ids)) == len(ids)
    labels = {given.get("for") for given in found.all("label")}
    controls = [given for given in found.all("input", "select", "textarea") if given.get("type") != "hidden"]
    assert all(given["id"] in labels for given in controls)
    assert all(given.get("scope") in ("col", "row") for given in found.all("th"))
    described = [one for given in controls for one in (given.get("aria-describedby") or "").split()]
    assert set(described) <= set(ids)
    assert found.all("a")[0]["href"] == "#content" and "content" in ids
    assert [given["href"] for given in found.all("link")] == [STYLE]
    assert not found.all("script", "style", "img", "iframe")
    levels = [int(tag[1]) for tag, _ in found.found if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "<title>" in page and not any("style" in given for _, given in found.found)


def test_every_word_of_every_step_has_a_field(tmp_path: Path) -> None:
    Kept.begun(tmp_path / "trial", "course.dose").enrol("01", "1", "2025-01-06")
    browser = Browser(tmp_path / "trial").start()
    for kind, words in TAKES.items():
        page = browser.page(f"add/{kind}")
        names = {given.get("name") for given in Elements(page).all("input", "select", "textarea")}
        assert {*words, "actor", "form_token"} <= names
        assert names <= {*words, *MAY_TAKE.get(kind, ()), "actor", "form_token"}


def test_the_stylesheet_has_nothing_from_elsewhere(browser: Browser) -> None:
    style = browser.client.get(STYLE)
    assert style.headers["content-type"].startswith("text/css") and "focus-visible" in style.text
    assert "url(" not in style.text and "@import" not in style.text and "@media print" in style.text


def test_the_colours_can_be_told_apart(browser: Browser) -> None:
    """Contrast of text to its ground, at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", browser.client.get(STYLE).text))

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for text in ("ink", "quiet", "link", "good", "bad"):
        for ground in ("paper", "bad-paper", "note-paper"):
            brighter, darker = sorted((light(colours[text]), light(colours[ground])), reverse=True)
            assert (brighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


DESIGNS = ["designs/rolling-six.dose", "designs/crm.dose", "designs/accelerated-titration.dose", "pri-724.dose",
           "two-ladders.dose", "sentinel.dose", "grid-steps.dose", "course.dose"]  # fmt: skip


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_of_all_kinds_have_their_pages(name: str, tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial", name)
    browser = Browser(tmp_path / "trial").start()
    for number in range(3):
        for path in (*PAGES[:5], *(f"add/{kind}" for kind in TAKES)):
            assert not Elements(browser.page(path)).wrong
        trial = open_trial(kept.trial.folder)
        places = advice_on(trial, TODAY)[1].places
        assert places or number
        for place in places[:1]:
            level, part = trial.protocol.levels[place.level].label, trial.protocol.parts[place.part].name
            browser.entered("add/enrol", patient=f"0{number}", level=level, part=part, on=f"2025-0{number + 3}-10")


# ---- what lies ahead ----


def test_what_lies_ahead(browser: Browser) -> None:
    page = text_of(browser.page("paths"))
    assert "1 cohort after 1NNN" in page and "level 2: 0/3 enrol 3 at level 3" in page
    assert len(browser.page("paths?cohorts=3")) > len(browser.page("paths?cohorts=2")) > len(browser.page("paths"))
    for odd in ("0", "-1", "x", "9" * 50):
        assert browser.page(f"paths?cohorts={odd}") == browser.page("paths")


def test_nothing_lies_ahead_of_a_trial_that_has_ended(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "TT", "2025-01-20")
    assert Browser(tmp_path / "trial").start().get("paths").status_code == 200


# ---- what goes wrong ----


def test_a_damaged_record_is_told_in_words(browser: Browser, kept: Kept) -> None:
    path = Path(kept.trial.folder) / "record.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"04"', b'"05"', 1))
    for given in (browser.get(), browser.get("record"), browser.get("sign")):
        assert given.status_code == 503 and "is damaged" in given.text and not PYTHON_WORDS.search(text_of(given.text))


def test_a_fault_of_the_program_is_told_in_words(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("secret-name")

    monkeypatch.setattr(site, "advice_on", breaks)
    found = browser.get()
    assert found.status_code == 500 and "A fault in doselang" in found.text
    assert "secret-name" not in found.text and "Traceback" not in found.text
    assert "A page could not be made: KeyError (breaks, line " in browser.told[-1]


def test_a_full_disk_is_told_in_words_and_it_can_be_tried_again(
    browser: Browser, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    import doselang.record.writing as writing

    shown, before = browser.ask("add/note", text="Seen"), kept.content

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "write_whole", full)
        found = browser.enter(shown)
    assert found.status_code == 503 and "No space left on device" in found.text and kept.content == before
    assert browser.enter(shown).status_code == 303


@pytest.mark.parametrize("path", ["nowhere", "entry/99", "entry/0", "entry/x", "add/nothing", "add/begin", "correct/x",
                                  "entry/" + "9" * 3_000, "%2e%2e/", "enter"])  # fmt: skip
def test_there_is_no_such_page(path: str, browser: Browser) -> None:
    found = browser.get(path)
    assert found.status_code == 404 and "There is no such page" in found.text


# ---- the command ----


def test_a_folder_without_a_trial_is_not_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", str(tmp_path / "nowhere"), "--no-browser"]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_a_port_that_is_taken(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", kept.trial.folder, "--no-browser", "--port", str(port)]) == 2
    assert f"Port {port} of this computer cannot be used" in capsys.readouterr().err


def test_it_listens_at_this_computer_only() -> None:
    with serving._listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_is_said_what_to_install(
    missing: str, kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == missing or name.startswith("doselang.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert run(["serve", kept.trial.folder, "--no-browser"]) == 2
    assert "pip install 'doselang[web]'" in capsys.readouterr().err


def test_the_file_that_opens_the_browser_is_read_by_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, str]] = []

    def opened(address: str) -> None:
        path = Path(address.removeprefix("file://"))
        seen.append((address, path.stat().st_mode & 0o777, path.read_text(encoding="utf-8")))

    monkeypatch.setattr(serving.webbrowser, "open", opened)
    with serving._opened("http://127.0.0.1:1/start?secret=word"):
        ((address, mode, text),) = seen
        assert "word" not in address and mode == 0o600 and "url=http://127.0.0.1:1/start?secret=word" in text
    assert not Path(address.removeprefix("file://")).exists()
