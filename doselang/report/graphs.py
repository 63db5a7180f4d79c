"""The graph of a trial in words, as Mermaid or DOT, for programs that draw it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from attrs import frozen

from doselang.conduct.graphs import Before, Detail, End, Graph, Node, Place, Way, declared, graph_of
from doselang.machine.exploring import Exploration
from doselang.machine.notation import history_of, write_history
from doselang.protocol.model import Protocol
from doselang.protocol.words import level_words
from doselang.report.printable import printable

Form = Literal["mermaid", "dot"]

MOST_NODES = 50
"""With more nodes by cohort than these, the graph is by level."""

UNDECIDED = {
    "no answer": "no rule says what comes next",
    "silence": "the text is silent",
    "conflict": "rules contradict each other",
    "choice": "people choose",
}
"""Why a trial ends undecided; anything else is a move that cannot be carried out."""


def shown_graph(found: Exploration, form: Form, detail: Detail | None) -> str:
    """The graph as Mermaid or DOT. Without `detail` by cohort, or by level where that would have too many nodes."""
    graph = graph_of(found, detail or "cohorts")
    note = f"{len(graph.places)} nodes, by {graph.detail[:-1]}"
    if detail is None and len(graph.places) > MOST_NODES:
        by_level = graph_of(found, "levels")
        note = f"{len(by_level.places)} nodes, by level; with --detail cohorts there are {len(graph.places)}"
        graph = by_level
    drawing = GraphText(found.machine.protocol, graph, found)
    return drawing.mermaid(note) if form == "mermaid" else drawing.dot(note)


# ---- words ----


def place_words(protocol: Protocol, place: Place) -> str:
    """`level 2, first cohort of 3`; `level 2, 3 more after 1/3`; `MTD: level 2`; `undecided: …`."""
    if isinstance(place, End):
        return _end_words(protocol, place)
    level = level_words(protocol, place.level)
    first = ", the first alone" if place.alone else ""
    match place.kind:
        case "first":
            return f"{level}, first {'patient' if place.size == 1 else f'cohort of {place.size}'}{first}"
        case "more":
            return f"{level}, {place.size} more{first}{_before_words(place.before)}"
        case "beside":
            return f"{level}, {place.size} beside a cohort"
        case "rolling":
            return f"{level}, patients one by one"
        case "settling":
            return f"{level}, outcomes still pending"
        case None:
            return level


def _before_words(before: Before | None) -> str:
    return "" if before is None else f" after {'≥' if before.at_least else ''}{before.dlt}/{before.evaluable}"


def _end_words(protocol: Protocol, end: End) -> str:
    if end.undecided is not None:
        return f"undecided: {UNDECIDED.get(end.undecided, 'a move that cannot be carried out')}"
    words = []
    for verdict in declared(end):
        name, level = protocol.verdicts[verdict].name, end.verdicts[verdict]
        words.append(f"{name}: {level_words(protocol, level)}" if level >= 0 else f"no {name}")
    return ", ".join(words) or "stopped without a verdict"


def way_lines(protocol: Protocol, ways: Iterable[Way]) -> list[str]:
    """A line for all outcomes that the same rules decide: `0/3, 1/3: none, then at most one`; further rules below."""
    by_rules: dict[tuple[tuple[str, ...], tuple[int, ...]], list[Way]] = {}
    for way in sorted(ways, key=lambda way: (sum(way.counts), way.counts[::-1], way.rules, way.chosen)):
        by_rules.setdefault((way.rules, way.chosen), []).append(way)
    lines = []
    for (rules, chosen), of_rules in by_rules.items():
        options = "".join(f" [{option + 1}]" for option in chosen)
        first = f": {rules[0]}" if rules else ""
        lines.append(f"{outcome_words(protocol, of_rules)}{options}{first}")
        lines += [f"+ {rule}" for rule in rules[1:]]
    return lines


def outcome_words(protocol: Protocol, ways: Iterable[Way]) -> str:
    """`0/3`; `≥2/3` for two and three; `1 DLT, 2 MT of 3` where several toxicities are counted."""
    words: list[str] = []
    whole: dict[int, list[int]] = {}
    for way in ways:
        known = sum(way.counts)
        if way.seen == "cohort" and len(way.counts) == 2:
            whole.setdefault(known, []).append(way.counts[1])
        else:
            words.append(_seen_words(protocol, way))
    for known, toxic in sorted(whole.items()):
        words += _runs(sorted(set(toxic)), known)
    return ", ".join(dict.fromkeys(words))


def _seen_words(protocol: Protocol, way: Way) -> str:
    named = zip(way.counts[1:], protocol.toxicities, strict=True)
    match way.seen:
        case "enters":
            return "a patient enters"
        case "arrives":
            return "a patient arrives"
        case "known" | "later":
            return next((toxicity.name for n, toxicity in named if n), "no toxicity")
        case "cohort":
            return f"{', '.join(f'{n} {toxicity.name}' for n, toxicity in named)} of {sum(way.counts)}"


def _runs(toxic: list[int], known: int) -> list[str]:
    """Numbers that follow each other as one: `≤1/3`, `≥2/3`, `1–2/3`, `any of 3`."""
    runs: list[list[int]] = []
    for number in toxic:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [_run(run[0], run[-1], known) for run in runs]


def _run(low: int, high: int, known: int) -> str:
    if low == high:
        return f"{low}/{known}"
    if low == 0:
        return f"any of {known}" if high == known else f"≤{high}/{known}"
    return f"≥{low}/{known}" if high == known else f"{low}–{high}/{known}"


# ---- as text for programs that draw ----


def mermaid_text(text: str) -> str:
    """A text between quotation marks in Mermaid: everything that could be taken for a sign is a character code."""
    plain = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,.:/()+-'[]")
    return "".join(char if char in plain or ord(char) > 127 else f"#{ord(char)};" for char in printable(text))


def dot_text(text: str) -> str:
    """A text between quotation marks in DOT."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


_DOT_STYLE = (
    '  graph [fontname="Helvetica"];', '  node [shape=box, fontname="Helvetica"];',
    '  edge [fontname="Helvetica", fontsize=11];',
)  # fmt: skip


@frozen
class GraphText:
    """A graph with its protocol; keys are n1, n2, … in the order of the places."""

    protocol: Protocol
    graph: Graph
    found: Exploration

    def keys(self) -> dict[Place, str]:
        return {place: f"n{number}" for number, place in enumerate(self.graph.places, 1)}

    def lines_of(self, place: Place) -> list[str]:
        """What stands in a node."""
        words = [place_words(self.protocol, place)]
        if place.state is not None:
            history = write_history(history_of(self.found, place.state), self.protocol)
            words.append(f"after {history}" if history else "the beginning")
        return words

    def grouped(self) -> list[tuple[int | None, list[Place]]]:
        """The places of each part; the ends, of no part, last. Without groups where there is one part."""
        if len(self.protocol.parts) == 1:
            return [(None, list(self.graph.places))]
        parts = sorted({place.part for place in self.graph.places if isinstance(place, Node)})
        of_part: list[tuple[int | None, list[Place]]] = [
            (part, [p for p in self.graph.places if isinstance(p, Node) and p.part == part]) for part in parts
        ]
        return [*of_part, (None, [place for place in self.graph.places if isinstance(place, End)])]

    def mermaid(self, note: str) -> str:
        """As a flowchart of Mermaid."""
        keys, lines = self.keys(), ["flowchart TD", f"  %% {note}"]
        for part, places in self.grouped():
            inner = "  " if part is None else "    "
            if part is not None:
                lines.append(f'  subgraph p{part + 1}["{mermaid_text(self.protocol.parts[part].name)}"]')
            for place in places:
                left, right = _mermaid_shape(place)
                text = self._text(self.lines_of(place), mermaid_text, "<br/>")
                lines.append(f'{inner}{keys[place]}{left}"{text}"{right}')
            lines += [] if part is None else ["  end"]
        for (source, target), ways in self.graph.ways.items():
            text = self._text(way_lines(self.protocol, ways), mermaid_text, "<br/>")
            lines.append(f'  {keys[source]} -->|"{text}"| {keys[target]}')
        lines.append(f"  style {keys[self.graph.first]} stroke-width:3px")
        return "".join(f"{line}\n" for line in lines)

    def dot(self, note: str) -> str:
        """As a graph for Graphviz."""
        keys, lines = self.keys(), ["digraph trial {", f"  // {note}", *_DOT_STYLE]
        for part, places in self.grouped():
            inner = "  " if part is None else "    "
            if part is not None:
                lines.append(
                    f'  subgraph cluster_{part + 1} {{\n    label="{dot_text(self.protocol.parts[part].name)}";'
                )
            for place in places:
                text = self._text(self.lines_of(place), dot_text, "\\n")
                first = ", penwidth=3" if place == self.graph.first else ""
                lines.append(f'{inner}{keys[place]} [label="{text}"{_dot_shape(place)}{first}];')
            lines += [] if part is None else ["  }"]
        for (source, target), ways in self.graph.ways.items():
            text = self._text(way_lines(self.protocol, ways), dot_text, "\\n")
            lines.append(f'  {keys[source]} -> {keys[target]} [label="{text}"];')
        return "".join(f"{line}\n" for line in [*lines, "}"])

    @staticmethod
    def _text(lines: list[str], escape: Callable[[str], str], between: str) -> str:
        return between.join(escape(line) for line in lines)


def _mermaid_shape(place: Place) -> tuple[str, str]:
    match place:
        case Node():
            return "[", "]"
        case End(undecided=None):
            return "([", "])"
        case End():
            return "{{", "}}"


def _dot_shape(place: Place) -> str:
    match place:
        case Node():
            return ""
        case End(undecided=None):
            return ", style=rounded"
        case End():
            return ", shape=hexagon"
