"""Which classes of toxicity no rule asks for."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from doselang.protocol import model
from doselang.protocol.classes import tabled
from doselang.protocol.words import toxicity_name
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Outline
from doselang.syntax import nodes as syntax
from doselang.syntax.words import with_article


def report_never_asked(glossary: Glossary, outline: Outline, protocol: model.Protocol) -> None:
    """Report each toxicity beside the first that no rule of the trial, table, definition of a verdict or silence names.

    One that is asked for under a name for several is asked for. To the rules a patient with any other is one without a
    toxicity, which is easily overlooked where it is worse than a DLT.
    """
    if len(protocol.toxicities) < 2:
        return
    rules = (rule for section in (outline.trial, *outline.parts) for rule in section.rules)
    silences = (silent for silent, home in outline.silences if not home.course)
    tables = (adviser for adviser in outline.advisers if isinstance(adviser, syntax.Table))
    nodes = (*rules, *tables, *outline.verdicts, *silences)
    names = {name.text for node in nodes for name in _names(node)}
    asked = {one for name in names for one in glossary.find_classes(name) or ()}
    for number, toxicity in enumerate(protocol.toxicities):
        if number and number not in asked:
            first = toxicity_name(protocol, tabled(protocol))
            none = f"none of 3 patients has {with_article(first)}"
            glossary.report.add(
                "DL223", f"No rule asks for the toxicity `{toxicity.name}`.", toxicity.span,
                help=f"A patient with it has no {first} in `{none}`. Where it matters add "
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
