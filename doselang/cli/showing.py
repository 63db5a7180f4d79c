"""`doselang show`: a protocol in any of its intermediate forms."""

from __future__ import annotations

import click

from doselang.cli.output import expanded, files_argument, need_protocol, parameters, set_option
from doselang.conduct.graphs import Detail
from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, explore
from doselang.protocol.model import Protocol
from doselang.report.graphs import Form, shown_graph
from doselang.report.method_tables import has_steps, method_tables
from doselang.report.shown import situations_table, tree
from doselang.simulate.exact import limits_as_trouble
from doselang.syntax.layout import rules_view


@click.command("show")
@files_argument
@click.option(
    "--as", "form", type=click.Choice(["rules", "syntax", "protocol", "machine", "graph"]), default="rules",
    show_default=True, help="What to show: the rules alone, the syntax, the meaning, the situations, the graph.",
)  # fmt: skip
@click.option("--graph", "graph_form", type=click.Choice(["mermaid", "dot"]), default="mermaid", show_default=True)
@click.option(
    "--detail", type=click.Choice(["levels", "cohorts", "states"]), default=None,
    help="What the nodes of the graph are.  [default: cohorts; levels where there would be more than 50 nodes]",
)  # fmt: skip
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
def command(
    paths: tuple[str, ...], form: str, graph_form: Form, detail: Detail | None, settings: tuple[str, ...],
    max_states: int,
) -> int:  # fmt: skip
    """Print a protocol as its rules alone, its syntax, its meaning, its machine, or a graph."""
    if detail is not None and form != "graph":
        raise trouble("DL903", "`--detail` goes with `--as graph`.")
    values, status = parameters(settings), 0
    for path in expanded(paths):
        loaded = load(path, values)
        if form in ("rules", "syntax") and not any(item.code.startswith("DL1") for item in loaded.diagnostics):
            click.echo(_rules(loaded, max_states) if form == "rules" else tree(loaded.file), nl=False)
        elif loaded.protocol is None:
            status = max(status, need_protocol(loaded))
        else:
            click.echo(_machine_form(loaded.protocol, form, graph_form, detail, max_states), nl=False)
    return status


def _rules(loaded: Loaded, max_states: int) -> str:
    """The rules, and below them the decision tables that the methods they ask amount to."""
    rules = rules_view(loaded.whole, loaded.source)
    if loaded.protocol is None or not has_steps(loaded.protocol):
        return rules
    with limits_as_trouble(max_states):
        return f"{rules}\n{method_tables(loaded.protocol, max_states=max_states)}"


def _machine_form(
    protocol: Protocol, form: str, graph_form: Form, detail: Detail | None, max_states: int
) -> str:  # fmt: skip
    if form == "protocol":
        return tree(protocol)
    histories = form == "machine" or detail == "states"
    # toxicities in later cycles come in any order alone
    accrual: Accrual = "any-order" if any(toxicity.later for toxicity in protocol.toxicities) else "one-at-a-time"
    with limits_as_trouble(max_states):
        found = explore(compile_protocol(protocol), accrual, histories=histories, max_states=max_states)
    return situations_table(found) if form == "machine" else shown_graph(found, graph_form, detail)
