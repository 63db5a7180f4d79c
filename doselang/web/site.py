"""The site of a trial: which address shows or does what. Only a confirmation writes, and only what was shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from threading import Lock
from typing import TypeAlias

from attrs import define, evolve, field, frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from doselang.conduct.pathways import Pathways, pathways, without_pending
from doselang.diagnostics import Trouble
from doselang.machine.notation import HistoryError
from doselang.record.reading import read, verify
from doselang.report.trial_steps import added_lines, corrected_lines
from doselang.trial.adding import Added, Overtaken, add, correct, corrected_entry, sign
from doselang.trial.opening import Trial, open_trial, step_now, trial_of
from doselang.trial.proposing import advice_on
from doselang.trial.wording import TAKES, read_day, words_of
from doselang.web.asking import Ask, Considered, Doing, Refusal, again, consider, refusal
from doselang.web.entries import MOST_COHORTS, entry_page, paths_page, record_page
from doselang.web.fields import fields_of, first_words
from doselang.web.forms import confirm_page, form_page
from doselang.web.guard import START, Guard, cookie_name
from doselang.web.layout import STYLE, Page, document, refused_page, said, trouble_page
from doselang.web.markup import NOTHING, Html, element, link, listing
from doselang.web.offers import offers
from doselang.web.overview import overview
from doselang.web.places import Places
from doselang.web.sessions import Door, Entered, Session

Answer: TypeAlias = "Page | Onward"


@frozen
class Onward:
    """The browser is sent to another page."""

    to: str


@frozen(eq=False)
class Visit:
    """A request that was let in: the session, the trial as its record has it now, what was sent."""

    session: Session
    trial: Trial
    today: date
    places: Places
    asked: dict[str, str]
    number: int
    kind: str


@define(eq=False)
class Site:
    """What is served: the trial in a folder, to browsers that come in by the door. `tell` prints in the terminal."""

    folder: str
    door: Door
    port: int
    tell: Callable[[str], None]
    today: Callable[[], date] = date.today
    _trial: Trial | None = None
    _lock: Lock = field(factory=Lock)

    @property
    def start(self) -> str:
        """The address that opens the page once."""
        return f"http://127.0.0.1:{self.port}{START}?secret={self.door.opening}"

    def trial(self) -> Trial:
        """The trial as its record has it now; the record is read and verified anew. Raises Trouble."""
        if self._trial is None:
            self._trial = open_trial(self.folder)
        else:
            self._trial = trial_of(self.folder, read(self.folder).entries, self._trial)
        return self._trial

    def application(self) -> Guard:
        """The application, with its guard before it."""
        room = self.door.room
        shown = {"": _overview, "record": _record, "paths": _paths, "entry/{number:int}": _entry}
        forms: dict[str, Doing] = {"add/{kind}": "add", "correct/{number:int}": "correct",
                                   "withdraw/{number:int}": "withdraw", "sign": "sign"}  # fmt: skip
        routes = [
            Route(START, self._started, methods=["GET"]),
            Route(STYLE, _style, methods=["GET"]),
            *(Route(f"{room}/{path}", self._visited(make), methods=["GET"]) for path, make in shown.items()),
            Route(f"{room}/enter", self._visited(_enter), methods=["POST"]),
        ]
        for path, doing in forms.items():
            routes.append(Route(f"{room}/{path}", self._visited(_form_of(doing)), methods=["GET"]))
            routes.append(Route(f"{room}/{path}", self._visited(_sent_to(doing)), methods=["POST"]))
        app = Starlette(routes=routes, exception_handlers={404: self._missing, 405: self._missing})
        app.router.redirect_slashes = False
        return Guard(app, self.door, self.port)

    # ---- answers ----

    def _visited(self, make: Callable[[Visit], Answer]) -> Callable[[Request], Response]:
        """An address that answers with what `make` makes of a visit; what goes wrong is told in words."""

        def answer(request: Request) -> Response:
            trial = None
            with self._lock:
                try:
                    trial = self.trial()
                    made = make(self._visit(request, trial))
                    if isinstance(made, Onward):
                        return RedirectResponse(made.to, 303)
                    trial = self._trial
                except Trouble as stopped:
                    made = trouble_page(stopped.diagnostic, 409 if stopped.diagnostic.code == "DL903" else 503)
                except Exception as error:
                    self.tell(_fault_words(error))
                    made = refused_page("A fault in doselang", f"A fault in doselang: {type(error).__name__}.",
                                        "Please report it, with what was done.", 500)  # fmt: skip
            return self._sent(made, trial)

        return answer

    def _visit(self, request: Request, trial: Trial) -> Visit:
        asked = getattr(request.state, "form", None)
        given = dict(request.query_params) if asked is None else asked
        number, kind = request.path_params.get("number", 0), request.path_params.get("kind", "")
        return Visit(request.state.session, trial, self.today(), Places(self.door.room), given, number, kind)

    def _sent(self, page: Page, trial: Trial | None) -> Response:
        return HTMLResponse(document(page, self.door.room, trial), page.status)

    def _missing(self, request: Request, _: Exception) -> Response:
        return self._sent(_no_page(), None)

    def _started(self, request: Request) -> Response:
        """Let a browser in that has the secret. The browser goes on by itself: from here it has the cookie."""
        session = self.door.open(request.query_params.get("secret", ""))
        if session is None:
            help = "The address that `doselang serve` printed last opens it."
            return HTMLResponse(document(refused_page("Not shown", "This address does not open the page, or has"
                                " opened it before.", help, 403), None, None), 403)  # fmt: skip
        self.tell(f"Opened in a browser. For another one:\n  {self.start}")
        to = f"{self.door.room}/"
        page = Page("The trial is open", (element("p", link("Go on to the trial", to)),), onward=to)
        response = HTMLResponse(document(page, None, None))
        response.set_cookie(cookie_name(self.port), session.identity, path=self.door.room, httponly=True,
                            samesite="strict")  # fmt: skip
        return response


def _fault_words(error: Exception) -> str:
    """That a page could not be made, and where in the program; nothing of what was asked for."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({place.tb_frame.f_code.co_name}, line {place.tb_lineno})"
    return f"A page could not be made: {type(error).__name__}{where}."


def _style(_: Request) -> Response:
    return Response(files("doselang.web").joinpath("page.css").read_text(encoding="utf-8"), media_type="text/css")


def _no_page() -> Page:
    return refused_page("There is no such page", "There is no such page.", "The ways above lead to all pages.", 404)


# ---- what is shown ----


def _overview(visit: Visit) -> Page:
    written = visit.asked.get("on", "").strip()
    on = read_day(written) if written else visit.today
    judgement, advice = advice_on(visit.trial, on)
    offered = offers(visit.trial, judgement.standing, advice) if on == visit.today else None
    return overview(visit.trial, judgement, advice, offered, visit.places)


def _record(visit: Visit) -> Page:
    return record_page(visit.trial, verify(visit.trial.folder), visit.places)


def _entry(visit: Visit) -> Page:
    if not 1 <= visit.number <= len(visit.trial.entries):
        return _no_page()
    one = visit.trial.entries[visit.number - 1]
    return entry_page(visit.trial, one, visit.session.told_of(visit.number), visit.places)


def _paths(visit: Visit) -> Page:
    asked = visit.asked.get("cohorts", "1")
    cohorts = int(asked) if asked in map(str, range(1, MOST_COHORTS + 1)) else 1
    found, why = _pathways(visit, cohorts)
    return paths_page(found, why, cohorts, visit.places)


def _pathways(visit: Visit, cohorts: int) -> tuple[Pathways | None, str]:
    """The pathways from where the trial stands, or why there are none."""
    standing = advice_on(visit.trial, visit.today)[0].standing
    if standing.lost is not None:
        return None, standing.lost
    protocol = standing.machine.protocol
    try:
        after = without_pending(standing.machine, standing.groups())
        return pathways(protocol, standing.machine, after, cohorts), ""
    except HistoryError as error:
        return None, error.message
    except OverflowError:
        return None, "The next cohort has too many outcomes to be listed."


# ---- forms ----


def _form_of(doing: Doing) -> Callable[[Visit], Page]:
    """A form, begun with what is known."""

    def make(visit: Visit) -> Page:
        ask = _begun(visit, doing)
        return _no_page() if ask is None else _form(visit, ask)

    return make


def _begun(visit: Visit, doing: Doing) -> Ask | None:
    """What a form begins with; None for a kind of step that there is not."""
    if doing == "add":
        words = first_words(visit.kind, visit.today, visit.asked, visit.session.actor)
        return Ask("add", words, visit.kind) if visit.kind in TAKES else None
    words = {"actor": visit.session.actor}
    if doing == "sign":
        return Ask("sign", {"on": visit.today.isoformat(), **words})
    found = corrected_entry(visit.trial, visit.number)
    return Ask(doing, {**words_of(step_now(visit.trial, visit.number)), **words}, found.entry.kind, visit.number)


def _form(visit: Visit, ask: Ask, refused: Refusal | None = None, notice: Html = NOTHING) -> Page:
    advice = advice_on(visit.trial, visit.today)[1]
    fields = fields_of(visit.trial, advice, ask)
    return form_page(visit.trial, ask, fields, visit.session.form_token, visit.places, refused, notice)


def _sent_to(doing: Doing) -> Callable[[Visit], Page]:
    """What was sent is considered and shown; nothing is written."""

    def make(visit: Visit) -> Page:
        kind, number = visit.kind, visit.number
        if doing == "add" and kind not in TAKES:
            return _no_page()
        if doing in ("correct", "withdraw"):
            kind = corrected_entry(visit.trial, number).entry.kind
        return _shown(visit, Ask(doing, visit.asked, kind, number))

    return make


def _shown(visit: Visit, ask: Ask, notice: Html = NOTHING) -> Page:
    """What would be entered, to be confirmed; or the form again, with what is wrong."""
    found = consider(visit.trial, ask, visit.today)
    if not any(fault.name == "actor" for fault in getattr(found, "faults", ())):
        visit.session.actor = ask.word("actor")
    if isinstance(found, Refusal):
        return _form(visit, ask, found, notice)
    token = visit.session.wait_for(found)
    return confirm_page(visit.trial, found, token, visit.session.form_token, visit.places, notice)


# ---- confirmed ----


def _enter(visit: Visit) -> Answer:
    """Write what was shown under a token, once, if the record and the day are still those that it was shown for."""
    token = visit.asked.get("token", "")
    if token in visit.session.entered:
        return Onward(visit.places.entry(visit.session.entered[token].number))
    considered = visit.session.waiting.get(token)
    if considered is None:
        return refused_page("Nothing to confirm", "What is confirmed here was not shown in this browser.",
                            "Begin again from the page of the trial.", 409)  # fmt: skip
    try:
        if considered.today != visit.today:
            return _shown_again(visit, token, considered)
        entered = _written(visit.trial, considered)
    except Overtaken:
        return _shown_again(visit, token, considered)
    if isinstance(entered, Refusal):
        return _form(visit, considered.ask, entered)
    del visit.session.waiting[token]
    visit.session.entered[token] = entered
    return Onward(visit.places.entry(entered.number))


def _shown_again(visit: Visit, token: str, considered: Considered) -> Page:
    """What it comes to now; the token of what was shown before is worth nothing any more."""
    del visit.session.waiting[token]
    folder = visit.trial.folder
    now = evolve(visit, trial=trial_of(folder, read(folder).entries, visit.trial))
    return evolve(_shown(now, again(considered), _overtaken(now, considered)), status=409)


def _overtaken(visit: Visit, considered: Considered) -> Html:
    """That something was shown on what does not hold any more, and what came in between."""
    before = next((n for n, one in enumerate(visit.trial.entries, 1) if one.entry.hash == considered.head), 0)
    new = [link(f"Entry {one.entry.number}, by {one.entry.actor}", visit.places.entry(one.entry.number))
           for one in visit.trial.entries[before:]]  # fmt: skip
    if considered.today != visit.today:
        why = f"It was shown on {considered.today}, and today is {visit.today}."
    else:
        why = "Somebody else has entered something since this was shown."
    return said("warning", f"{why} Nothing was entered.", listing(new),
                element("p", "Below is what it comes to now."))  # fmt: skip


def _written(trial: Trial, considered: Considered) -> Entered | Refusal:
    """Write the entry, on the head on which it was shown. Raises Overtaken and Trouble."""
    ask, actor, head = considered.ask, considered.actor, considered.head
    if ask.doing == "sign":
        on = considered.body["on"]
        day = date.fromisoformat(str(on))
        entry = sign(trial, actor, ask.word("meaning"), day, today=considered.today, head=head)
        return Entered(entry.number, (f"Entry {entry.number}: signed by {actor}.",))
    if ask.doing == "add":
        assert considered.step is not None
        deviation = ask.word("deviation") or None
        added = add(trial, considered.step, actor, deviation=deviation, today=considered.today, head=head)
        told = added_lines(added, deviation) if added.entry else ()
    else:
        step, reason = considered.step, ask.word("reason")
        added = correct(trial, ask.number, step, actor, reason, today=considered.today, head=head)
        told = corrected_lines(added) if added.entry else ()
    return _entered(added, tuple(told))


def _entered(added: Added, told: tuple[str, ...]) -> Entered | Refusal:
    if added.entry is None:
        return refusal(added.proposed, added.trial)
    return Entered(added.entry.number, told)
