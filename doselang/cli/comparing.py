"""`doselang compare`: designs side by side, and where two protocols first decide differently."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import click
from attrs import evolve, frozen

from doselang.check.counterparts import same_levels
from doselang.check.differences import Compared, compare_decisions
from doselang.cli.methods import TIMED_TRIALS, Method, Ready, Way, clock_options
from doselang.cli.output import (
    format_option,
    need_protocol,
    one_standard_input,
    parameters,
    set_option,
)
from doselang.cli.rates import asked_scenarios, no_scenario, toxicity_option
from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol, Scenario
from doselang.report.comparison import (
    Comparison,
    comparison_record,
    render_comparison,
    render_decisions_table,
    render_figures_csv,
)
from doselang.report.diagnostics_json import write_json
from doselang.resolve import Setting, read_setting
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.clock import TimedAccrual
from doselang.simulate.montecarlo import TRIALS
from doselang.simulate.side_by_side import Correct, SideBySide, fitted, side_by_side

MOST_PROTOCOLS = 26

_OWN_SETTINGS = re.compile(r"(?P<path>.+?):(?P<settings>[A-Za-z][A-Za-z0-9_-]*\s*=.*)", re.DOTALL)


@click.command("compare")
@click.argument("paths", nargs=-1, metavar="FILE[:NAME=VALUE,…]…")
@format_option("table", "json", "csv", "markdown")
@click.option("--figures", is_flag=True, help="Only the operating characteristics, side by side.")
@click.option("--decisions", is_flag=True, help="Only where two protocols first decide differently.")
@click.option("--equal", is_flag=True, help="Ask whether two decide alike: the exit status is 1 if they do not.")
@click.option("--most", default=10, show_default=True, type=click.IntRange(1), help="The most differences to show.")
@click.option("--target", default=None, metavar="RATE", help="The DLT rate aimed at: tells correct from overdose.")
@click.option(
    "--correct", type=click.Choice(["closest", "highest"]), default="closest", show_default=True,
    help="The right level: closest to the target, or the highest at or below it.",
)  # fmt: skip
@click.option(
    "--method",
    type=click.Choice(["exact", "montecarlo", "timed"]),
    default="exact",
    show_default=True,
    help="montecarlo: each design simulated independently. timed: with a clock, the same patients in each design.",
)
@click.option(
    "--trials",
    type=int,
    default=None,
    help=f"How many trials to simulate.  [default: {TRIALS}; with timed {TIMED_TRIALS}]",
)
@click.option(
    "--seed", type=int, default=None,
    help="The seed: with montecarlo of the first, and each further one has the next number; with timed of all.",
)  # fmt: skip
@click.option(
    "--dlt", "rates", default=None, metavar="RATES", help="One true rate a level: 10%,20%,30% or 0.1,0.2,0.3."
)
@toxicity_option
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="A scenario of the first file (repeatable).")
@click.option("--scenarios", "table", default=None, metavar="FILE.csv", help="Scenarios from a table.")
@click.option(
    "--accrual",
    type=click.Choice(["one-at-a-time", "whole-cohort", "as-they-come"]),
    default=None,
    help="How patients enter; as they come only with timed.  [default: for figures one-at-a-time, with timed"
    " as-they-come; for decisions both]",
)
@clock_options
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1),
    help="The most states to explore, and the most pairs of them.",
)  # fmt: skip
def command(
    paths: tuple[str, ...], form: str, figures: bool, decisions: bool, equal: bool, most: int, target: str | None,
    correct: Correct, method: Method, trials: int | None, seed: int | None, rates: str | None,
    others: tuple[str, ...], names: tuple[str, ...], table: str | None, accrual: TimedAccrual | None,
    arrivals: str | None, timing_path: str | None, jobs: int | None, settings: tuple[str, ...], max_states: int,
) -> int:  # fmt: skip
    """Put designs side by side, and say where two protocols first decide differently."""
    _one_standard_input(paths, table, timing_path)
    way = Way(method, accrual, max_states, trials, None, seed, arrivals, timing_path, jobs)
    ready = way.ready()
    aimed = _target(target)
    sides = _sides(paths, settings)
    if (decisions or equal) and len(sides) != 2:
        option = "--decisions" if decisions else "--equal"
        raise trouble("DL903", f"`{option}` compares two protocols, and here are {len(sides)}.")
    loaded = [side.loaded for side in sides]
    if any(status := [need_protocol(one) for one in loaded]):
        return max(status)
    protocols = [one.protocol for one in loaded if one.protocol is not None]
    same_levels(protocols)
    both = not (figures or decisions or equal)
    scenarios = asked_scenarios(protocols[0], rates, others, names, table)
    found: tuple[SideBySide, ...] = ()
    if figures or both:
        if not scenarios and (figures or len(sides) > 2):
            raise no_scenario(protocols[0], "The first file")
        found = _figures(protocols, scenarios, ready, aimed, correct)
    compared: Compared | None = None
    if decisions or equal or (both and len(sides) == 2):
        order = None if accrual == "as-they-come" else accrual
        compared = compare_decisions(protocols[0], protocols[1], scenarios, order, max_states=max_states)
    made = Comparison(
        tuple(side.name for side in sides), tuple(one.source for one in loaded), tuple(protocols), aimed, correct,
        found, compared, most, asked=figures or both,
    )  # fmt: skip
    _print(made, form)
    return 1 if equal and compared is not None and not compared.equal else 0


def _print(made: Comparison, form: str) -> None:
    match form:
        case "json":
            click.echo(write_json(comparison_record(made)), nl=False)
        case "csv" if made.figures or made.compared is None:
            click.echo(render_figures_csv(made), nl=False)
        case "csv":
            click.echo(render_decisions_table(made), nl=False)
        case _:
            click.echo(render_comparison(made, markdown=form == "markdown"), nl=False)


# ---- what is compared ----


@frozen
class _Side:
    """A protocol as it was named, with its settings, and read."""

    name: str
    loaded: Loaded


def _sides(paths: tuple[str, ...], settings: tuple[str, ...]) -> list[_Side]:
    """The protocols of the paths given, in order. A protocol may be there twice, with other settings."""
    shared, sides = parameters(settings), []
    for path in paths:
        file, own = _split(path)
        given = {**{name: value for name, value in shared.items() if name.lower() not in map(str.lower, own)}, **own}
        for one in _files(file):
            sides.append(_Side(one + path.removeprefix(file), load(one, given)))
    if len(sides) < 2:
        raise trouble(
            "DL903", "Which protocols? Name two or more, or one twice with different parameters.",
            help="For example: doselang compare old.dose new.dose, "
            "or: doselang compare boin.dose boin.dose:target=25%,cohort_size=1,cohorts=30",
        )  # fmt: skip
    if len(sides) > MOST_PROTOCOLS:
        raise trouble("DL903", f"At most {MOST_PROTOCOLS} protocols can be compared, and these are {len(sides)}.")
    return sides


def _one_standard_input(paths: tuple[str, ...], table: str | None, timing_path: str | None) -> None:
    """As for all commands; a file may be named twice here, and the standard input may not."""
    one_standard_input((), *("-" for path in paths if path == "-" or path.startswith("-:")), table, timing_path)


def _files(path: str) -> list[str]:
    if path == "-" or not os.path.isdir(path):
        return [path]
    inside = sorted(str(file) for file in Path(path).glob("*.dose"))
    if not inside:
        raise trouble("DL901", f"There is no .dose file in the folder {path}.")
    return inside


def _split(path: str) -> tuple[str, dict[str, Setting]]:
    """A path, and the parameters given after it: `FILE:NAME=VALUE,NAME=VALUE`; a list goes on till the next name."""
    found = _OWN_SETTINGS.fullmatch(path)
    if found is None or os.path.lexists(path):
        return path, {}
    given: dict[str, str] = {}
    for piece in found["settings"].split(","):
        name, equals, value = piece.partition("=")
        if equals:
            if name.strip().lower() in map(str.lower, given):
                raise trouble(
                    "DL903", f"`{path}`: `{name.strip()}` is given twice.",
                    help="Name the file twice to compare two values: FILE:levels=4 FILE:levels=5",
                )  # fmt: skip
            given[name.strip()] = value
        elif given:
            given[list(given)[-1]] += f",{piece}"
    settings: dict[str, Setting] = {}
    for name, value in given.items():
        read = read_setting(value)
        if read is None:
            raise trouble(
                "DL903", f"`{path}`: `{name}={value}` is not NAME=VALUE with a number.",
                help="For example: FILE:levels=4,target=30%",
            )  # fmt: skip
        settings[name] = read
    return found["path"], settings


# ---- figures ----


def _target(text: str | None) -> Fraction | None:
    if text is None:
        return None
    read = read_setting(text)
    if read is None or len(read.numbers) != 1 or not 0 < read.numbers[0] < 1:
        raise trouble("DL903", f"`--target {text}` is not a rate between 0 and 1.", help="For example: --target 25%")
    return read.numbers[0]


def _figures(
    protocols: list[Protocol], scenarios: tuple[Scenario, ...], ready: Ready, target: Fraction | None, correct: Correct
) -> tuple[SideBySide, ...]:
    """The figures under each scenario. With a clock all protocols have one seed, and so the same patients."""
    fitting = [
        tuple(evolve(fitted(one, protocols[0], protocol), hazards=None) for one in scenarios) for protocol in protocols
    ]
    if ready.way.method == "timed":
        from doselang.simulate.paired import paired  # takes time to import, and few need it

        return tuple(
            paired(map(ready.timed_trials, protocols, under), target, correct) for under in zip(*fitting, strict=True)
        )
    by_protocol: list[tuple[Characteristics, ...]] = []
    for number, (protocol, some) in enumerate(zip(protocols, fitting, strict=True)):
        by_protocol.append(evolve(ready, seed=ready.seed + number).figures(protocol, some))
    return tuple(side_by_side(found, target, correct) for found in zip(*by_protocol, strict=True))
