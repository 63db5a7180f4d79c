"""`doselang explain`: the page of a finding, or what is decided after a history, by which rule, and why."""

from __future__ import annotations

import click

from doselang.cli.output import accrual_option, format_option, need_protocol, parameters, set_option
from doselang.codes import CODES
from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.machine.exits import Accrual
from doselang.report.diagnostics_json import write_json
from doselang.resources import resource


@click.command("explain")
@click.argument("what", metavar="CODE|FILE")
@click.argument("history", required=False)
@click.option("--patient", is_flag=True, help="The history is that of one patient: 2 . U 1 .")
@format_option("text", "json")
@accrual_option
@set_option
def command(
    what: str, history: str | None, patient: bool, form: str, accrual: Accrual, settings: tuple[str, ...]
) -> int:
    """Explain a finding by its code: `doselang explain DL301`.

    Or explain what a protocol decides after a history: `doselang explain FILE "1NNN 2TT"`.
    """
    code = what.upper()
    if history is None and (code in CODES or (code.startswith("DL") and "." not in what and "/" not in what)):
        click.echo(finding_page(code), nl=False)
        return 0
    if history is None:
        raise trouble(
            "DL903",
            "After which history?",
            help=f'For example: doselang explain {what} "1NNN 2TT"; or a code: doselang explain DL301',
        )
    loaded = load(what, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    click.echo(_patient(loaded, history) if patient else _trial(loaded, history, accrual, form), nl=False)
    return 0


def finding_page(code: str) -> str:
    """The page of a finding, the same that the documentation shows."""
    if code not in CODES:
        alike = [f"{number} ({CODES[number].name})" for number in CODES if number.startswith(code[:3]) and code[2:3]]
        help = f"Of this kind there are {', '.join(alike)}." if alike else "The codes are DL101 to DL999."
        raise trouble("DL903", f"There is no finding {code}.", help=help)
    return resource("docs", "findings", f"{code}.md").read_text(encoding="utf-8")


def _trial(loaded: Loaded, history: str, accrual: Accrual, form: str) -> str:
    from doselang.conduct.explain import explain
    from doselang.machine.compiling import compile_protocol
    from doselang.machine.notation import HistoryError, parse_history
    from doselang.report.explanation import explanation_record, render_explanation

    protocol = loaded.protocol
    assert protocol is not None
    try:
        told = explain(compile_protocol(protocol), parse_history(history, protocol), accrual)
    except HistoryError as error:
        signs = history.split()[1:]
        of_patient = signs and all(sign in (".", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ") or sign[0] == "(" for sign in signs)
        help = "For a patient's course add `--patient`." if of_patient else None
        raise trouble("DL904", error.message, help=help) from None
    return (
        write_json(explanation_record(told, loaded.source))
        if form == "json"
        else render_explanation(told, loaded.source)
    )


def _patient(loaded: Loaded, history: str) -> str:
    from doselang.conduct.patients import cycle_words, follow, rules_of
    from doselang.machine.course import compile_course
    from doselang.machine.notation import HistoryError
    from doselang.report.explanation import elsewhere

    assert loaded.protocol is not None
    course = compile_course(loaded.protocol)
    if course is None:
        raise trouble("DL904", "The protocol says nothing of a patient's course.")
    try:
        last = follow(course, history)[-1]
    except HistoryError as error:
        raise trouble("DL904", error.message) from None
    lines = [f"After {history}: {cycle_words(course, last)}"]
    state = course.course.states[last.point.state]
    for name in rules_of(course, last):
        rule = next(rule for rule in state.rules if rule.name == name)
        lines.append(f'  by "{name}"{elsewhere(rule, loaded.source)}')
        lines += [f"    “{citation.words}”" for citation in rule.cites]
        lines += [f"    assumed: {assumed.reading}, because {assumed.because}" for assumed in rule.assumes]
    return "".join(f"{line}\n" for line in lines)
