"""The forms, with a sentence beside each field that is wrong; and the page on which everything is confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from doselang.report.phrases import quoted
from doselang.report.trial_entries import entry_words
from doselang.report.trial_steps import DEVIATED, changed_lines, rules_lines, step_words
from doselang.trial.opening import Trial
from doselang.trial.proposing import Said
from doselang.web.asking import Ask, Considered, Fault, Refusal
from doselang.web.fields import Choice, Field
from doselang.web.layout import Page, hashed, lines, rules_said, said
from doselang.web.markup import NOTHING, Html, element, link, listing, terms
from doselang.web.overview import OTHERS
from doselang.web.places import Places

CHECK = "Show what would be entered"


def form_page(
    trial: Trial, ask: Ask, fields: Iterable[Field], token: str, places: Places, refusal: Refusal | None = None,
    notice: Html = NOTHING,
) -> Page:  # fmt: skip
    """A form, with what was given and what is wrong with it; nothing is entered by sending it."""
    shown = list(fields)
    faults = refusal.faults if refusal is not None else ()
    at_fields = {field.name for field in shown}
    general = [fault for fault in faults if fault.name not in at_fields]
    against = refusal is not None and refusal.rules is not None
    content = (
        notice,
        _subject(trial, ask, places),
        _summary(faults, general, at_fields) if faults and not against else NOTHING,
        element(
            "form",
            element("input", type="hidden", name="form_token", value=token),
            *(_field(field, ask, refusal) for field in shown),
            _against(refusal, ask) if against and refusal is not None else _button(ask),
            method="post",
            action=_action(ask, places),
        ),
        element("p", "Nothing is entered before you have seen it and confirmed it.", class_="quiet"),
    )
    return Page(title_of(ask), content, 422 if refusal is not None else 200, "sign" if ask.doing == "sign" else None)


def title_of(ask: Ask) -> str:
    """What a form is called."""
    match ask.doing:
        case "add":
            return OTHERS[ask.kind]
        case "correct":
            return f"Correct entry {ask.number}"
        case "withdraw":
            return f"Withdraw entry {ask.number}"
        case "sign":
            return "Sign the trial as it stands"


def _action(ask: Ask, places: Places) -> str:
    match ask.doing:
        case "add":
            return places.page(f"add/{ask.kind}")
        case "sign":
            return places.page("sign")
    return places.doing(ask.doing, ask.number)


def _subject(trial: Trial, ask: Ask, places: Places) -> Html:
    """What is corrected, or what a signature is."""
    if ask.doing == "sign":
        return element("p", "A signature records that somebody signed. Who it was, the site has to make sure of.")
    if ask.doing == "add":
        return NOTHING
    words = entry_words(trial, trial.entries[ask.number - 1])
    return element("p", "It says: ", words, " (", link(f"entry {ask.number}", places.entry(ask.number)), ")")


def _summary(faults: tuple[Fault, ...], general: list[Fault], at_fields: set[str]) -> Html:
    """What is wrong, first of all: for those who do not see the whole form at once."""
    told = [element("p", fault.message, " ", fault.help) for fault in general]
    here = [link(fault.message, f"#{fault.name}") for fault in faults if fault.name in at_fields]
    return said("fault", "This cannot be entered so.", *told, listing(here))


def _button(ask: Ask) -> Html:
    return element("p", element("button", CHECK, type="submit"))


def _against(refusal: Refusal, ask: Ask) -> Html:
    """What the rules say, and the reason that is needed all the same."""
    field = Field("deviation", "Why it was done all the same", "long", "The record keeps this reason as it is written.")
    return said(
        "warning",
        " ".join(fault.message for fault in refusal.faults),
        rules_said(refusal.rules or ()),
        element("p", "If it was done all the same, it is entered as a deviation, with its reason."),
        _field(field, ask, None),
        element("p", element("button", "Show what would be entered as a deviation", type="submit")),
    )


# ---- one field ----


def _field(field: Field, ask: Ask, refusal: Refusal | None) -> Html:
    faults = refusal.of(field.name) if refusal is not None else ()
    about = [f"{field.name}-{what}" for what, there in (("hint", field.hint), ("fault", faults)) if there]
    described = " ".join(about) or None
    hint = element("p", field.hint, id=f"{field.name}-hint", class_="hint") if field.hint else NOTHING
    told = [element("span", f"{fault.message} {fault.help}".strip()) for fault in faults]
    fault = element("p", *told, id=f"{field.name}-fault", class_="fault") if told else NOTHING
    if field.shape == "several":
        return element("fieldset", element("legend", field.label), hint, fault, *_boxes(field, ask), id=field.name)
    label = element("label", field.label, "" if field.needed else " (may be left out)", for_=field.name)
    control = _control(field, ask, described, wrong=bool(faults))
    return element("div", label, hint, fault, control, class_="field")


def _control(field: Field, ask: Ask, described: str | None, *, wrong: bool) -> Html:
    value = ask.words.get(field.name, "")
    invalid = "true" if wrong else None
    if field.shape == "choice":
        return element("select", *_options(field, value), id=field.name, name=field.name, aria_describedby=described,
                       aria_invalid=invalid)  # fmt: skip
    if field.shape == "long":
        return element("textarea", value, id=field.name, name=field.name, rows=3, aria_describedby=described,
                       aria_invalid=invalid)  # fmt: skip
    return element(
        "input", type="text", id=field.name, name=field.name, value=value, autocomplete="off",
        aria_describedby=described, aria_invalid=invalid,
    )  # fmt: skip


def _options(field: Field, value: str) -> Iterator[Html]:
    values = [choice.value for choice in field.choices]
    if value not in values:
        yield element("option", value or "Choose …", value=value, selected=True)
    yield from (_choice(choice, value) for choice in field.choices if not choice.against)
    against = [choice for choice in field.choices if choice.against]
    if against:
        yield element("optgroup", *(_choice(one, value) for one in against), label="Not permitted by the rules now")


def _choice(choice: Choice, value: str) -> Html:
    return element("option", choice.words, value=choice.value, selected=choice.value == value)


def _boxes(field: Field, ask: Ask) -> Iterator[Html]:
    given = ask.words.get(field.name, "").split()
    for number, choice in enumerate(field.choices, 1):
        name = f"{field.name}-{number}"
        box = element("input", type="checkbox", id=name, name=field.name, value=choice.value,
                      checked=choice.value in given)  # fmt: skip
        yield element("p", box, " ", element("label", choice.words, for_=name))


# ---- to be confirmed ----


def confirm_page(
    trial: Trial, considered: Considered, token: str, form_token: str, places: Places, notice: Html = NOTHING
) -> Page:  # fmt: skip
    """What would be entered, the decision it rests on, and what comes of it; only this page's button enters it."""
    proposed = considered.proposed
    deviates = considered.ask.doing == "add" and proposed is not None and proposed.answer != "permitted"
    content = (
        notice,
        _deviation(trial, considered) if deviates else NOTHING,
        element("h2", "What would be entered"),
        terms(_entry(trial, considered)),
        *_rests_on(trial, considered),
        *_comes_of(trial, considered),
        element("h2", "The body of the entry"),
        lines(json.dumps(considered.body, indent=2, ensure_ascii=False)),
        element(
            "form",
            element("input", type="hidden", name="form_token", value=form_token),
            element("input", type="hidden", name="token", value=token),
            element("p", element("button", "Enter this in the record", type="submit", id="enter",
                                 class_="against" if deviates else None)),
            method="post",
            action=places.page("enter"),
        ),
        element("p", link("Back to the trial; nothing is entered", places.page(""))),
    )  # fmt: skip
    return Page("Confirm", content)


def _deviation(trial: Trial, considered: Considered) -> Html:
    proposed = considered.proposed
    assert proposed is not None and proposed.answer in DEVIATED
    return said(
        "warning",
        f"Deviation. {DEVIATED[proposed.answer]}",
        rules_said(rules_lines(proposed, trial.protocol)),
        element("p", "Its reason: ", considered.ask.word("deviation")),
    )


def _entry(trial: Trial, considered: Considered) -> Iterator[tuple[str, Html | str]]:
    yield "Entry", f"{trial.next_number}, {considered.kind}"
    yield "It says", says(trial, considered)
    yield "Entered by", considered.actor
    if considered.ask.doing in ("correct", "withdraw"):
        yield "Reason", considered.ask.word("reason")
    yield "After", element("span", "head ", hashed(considered.head), f", entry {len(trial.entries)}")
    if considered.ask.word("deviation") and "deviation" not in considered.body:
        yield "Not kept", "The rules permit it, so the reason for a deviation is not kept."


def says(trial: Trial, considered: Considered) -> str:
    """What an entry would say, in words."""
    ask, proposed = considered.ask, considered.proposed
    if ask.doing == "sign":
        return f"{considered.body['on']}, signed: {considered.body['meaning']}"
    if ask.doing == "withdraw":
        return f"entry {ask.number} is withdrawn: it was not done"
    assert proposed is not None and proposed.step is not None
    words = f"{step_words(proposed.step, trial.protocol)}, on {proposed.step.on}"
    return f"entry {ask.number} is corrected: {words}" if ask.doing == "correct" else words


def _rests_on(trial: Trial, considered: Considered) -> Iterator[Html]:
    before = considered.proposed.before if considered.proposed is not None else considered.said
    if before is not None:
        title = "What is signed" if considered.said is not None else "The decision it rests on"
        yield element("h2", title)
        yield terms(_said(before))


def _said(one: Said) -> Iterator[tuple[str, str]]:
    yield "On", str(one.advice.on)
    yield "After", one.history or "nothing: before the first patient"
    yield "The rules say", one.words
    if one.rules:
        yield "By", quoted(one.rules)


def _comes_of(trial: Trial, considered: Considered) -> Iterator[Html]:
    proposed = considered.proposed
    if proposed is None:
        return
    yield element("h2", "What comes of it")
    changed = list(changed_lines(proposed.changes, trial.protocol))
    if changed:
        yield said("warning", "Steps that were taken would be judged otherwise.", lines("\n".join(changed)))
    elif considered.ask.doing != "add":
        yield element("p", "No step that was taken is judged otherwise.")
    if proposed.after is not None:
        yield terms([("Then", proposed.after.words)])
