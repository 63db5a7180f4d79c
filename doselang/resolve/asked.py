"""Which classes of toxicity no rule asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from doselang.protocol import model
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Outline
from doselang.syntax import nodes as syntax


def report_never_asked(glossary: Glossary, outline: Outline, toxicities: Sequence[model.Toxicity]) -> None:
    """Report each toxicity beside the first that no rule of the trial, table, definition of a verdict or silence names.

    One that is asked for under a name for several is asked for. To the rules a patient with any other is one without a
    toxicity, which is easily overlooked where it is worse than a DLT.
    """
    if len(toxicities) < 2:
        return
    rules = (rule for section in (outline.trial, *outline.parts) for rule in section.rules)
    silences = (silent for silent, home in outline.silences if not home.course)
    tables = (adviser for adviser in outline.advisers if isinstance(adviser, syntax.Table))
    nodes = (*rules, *tables, *outline.verdicts, *silences)
    names = {name.text for node in nodes for name in _names(node)}
    asked = {one for name in names for one in glossary.find_classes(name) or ()}
    for number, toxicity in enumerate(toxicities):
        if number and number not in asked:
            first = toxicities[0].name
            glossary.report.add(
                "DL223", f"No rule asks for the toxicity `{toxicity.name}`.", toxicity.span,
                help=f"A patient with it has no {first} in `none of 3 patients has a {first}`. Where it matters add "
                f"`and no {toxicity.name}` to a condition, and a rule with `any {toxicity.name}`.",
            )  # fmt: skip


def _names(node: syntax.Node) -> Iterator[syntax.Name]:
    """All names inside a node."""
    for field in attrs.fields(type(node)):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, syntax.Name):
                yield part
            elif isinstance(part, syntax.Node):
                yield from _names(part)
