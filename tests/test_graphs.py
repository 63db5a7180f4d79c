"""The graph of a trial: every step of the machine is in it, nothing else is, and names cannot break what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from doselang.api import load
from doselang.cli import run
from doselang.conduct.graphs import Before, Detail, End, Graph, Node, Place, Way, graph_of
from doselang.conduct.pathways import pathways
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import Exploration, explore
from doselang.machine.notation import history_of
from doselang.machine.records import ADDED_SIZE, FIRST_SIZE, Arrival, Known
from doselang.machine.steps import Steps
from doselang.protocol.model import Level, Protocol
from doselang.report.graphs import (
    MOST_NODES,
    dot_text,
    mermaid_text,
    outcome_words,
    place_words,
    shown_graph,
    way_lines,
)
from doselang.report.printable import printable
from tests.documents import ROOT
from tests.samples import committee, literal, reference, two_classes

LARGE = {"pri-724", "biased-coin", "k-in-a-row"}
"""Protocols with more than 30,000 states."""

SHIPPED = [
    pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LARGE else ())
    for path in sorted((ROOT / "protocols").rglob("*.dose"))
]
FAMILY = sorted((ROOT / "protocols" / "designs").glob("three-plus-three*.dose"))

Edge = tuple[Place, Place, Way]


def protocol_of(path: Path) -> Protocol:
    protocol = load(path).protocol
    assert protocol is not None
    return protocol


def explored(protocol: Protocol, *, histories: bool = False) -> Exploration:
    return explore(compile_protocol(protocol), histories=histories)


@cache
def explored_file(path: Path, *, histories: bool = False) -> Exploration:
    return explored(protocol_of(path), histories=histories)


# ---- every step of the machine, one by one ----


def plain_place(found: Exploration, number: int, detail: Detail) -> Place:
    """The place of a state, from its frame and the record of its level."""
    bucket, position = found.state(number)
    frame = found.frames.frames[bucket.frames[position]]
    protocol = found.machine.protocol
    if frame.settling >= 0:
        return Node(frame.settling, frame.here, "settling")
    if frame.end >= 0:
        decision = found.frames.branches[frame.end].decision
        if decision.undecided is not None:
            return End((), decision.undecided.why)
        verdicts = [NONE_DECLARED if level == NONE_ANY_MORE else level for level in frame.verdicts]
        if verdicts[protocol.result] != NO_LEVEL:
            verdicts = [level if v == protocol.result else NO_LEVEL for v, level in enumerate(verdicts)]
        return End(tuple(verdicts))
    if protocol.parts[frame.part].rolling:
        return Node(frame.part, frame.here, "rolling")
    *_, last = frame.orders
    if len(frame.orders) > 1:
        return Node(frame.part, last.level, "beside", last.size)
    if detail == "levels":
        return Node(frame.part, last.level)
    records = found.machine.records
    record = records.table[bucket.codes[position, last.level]].tolist()
    if record[FIRST_SIZE] and not record[ADDED_SIZE]:
        return Node(frame.part, last.level, "first", last.size, last.sentinel)
    known = dlt = 0
    told, more = True, False
    for part in range(len(protocol.parts)):
        column = records.layout.part_n(part)
        if not frame.begun & (1 << part):
            continue
        n, y = record[column], record[column + 1]
        most_n, most_y = records.ceilings[column], records.ceilings[column + 1]
        if frame.part > 0:
            faded = found.machine.parts[frame.part].fading.ceilings
            most_n, most_y = min(most_n, faded[column]), min(most_y, faded[column + 1])
        told = told and n < most_n and most_y > 0
        more = more or y >= most_y
        known, dlt = known + n, dlt + y
    before = Before(known, dlt, bool(more)) if told else None
    return Node(frame.part, last.level, "more", last.size, last.sentinel, before)


def plain_edges(found: Exploration, detail: Detail) -> set[Edge]:
    """The edges of the graph, from the steps of the machine one by one."""
    places = [plain_place(found, number, detail) for number in range(found.states)]
    ways: dict[int, Way] = {}
    edges = set()
    for source, target, exit in steps_of(found):
        way = ways.setdefault(exit, plain_way(found, exit))
        edges.add((places[source], places[target], way))
    return edges


def steps_of(found: Exploration) -> Iterator[tuple[int, int, int]]:
    for bucket in found.buckets:
        ends = [*bucket.steps[1:].tolist(), len(bucket.came_from)]
        for state, (start, end) in enumerate(zip(bucket.steps.tolist(), ends, strict=True)):
            for source, exit in zip(
                bucket.came_from[start:end].tolist(), bucket.came_by[start:end].tolist(), strict=True
            ):
                if source >= 0:
                    yield source, bucket.start + state, exit


def plain_way(found: Exploration, exit: int) -> Way:
    situations, machine = found.situations, found.machine
    letters = situations.letters[exit]
    part = machine.parts[situations.part_of_exit[exit]]
    branch = found.frames.branches[situations.branch[exit]]
    names: list[str] = []
    for line in branch.decision.lines:
        name = part.part.rules[part.lines[line].rule].name
        names += [name] if name not in names else []
    change = machine.records.kinds()[situations.change[exit]]
    seen = "enters" if isinstance(change, Arrival) else "known" if isinstance(change, Known) else ""
    counts = tuple(letters.count(str(n)) for n in range(1 + len(machine.protocol.toxicities)))
    return Way(counts, tuple(names), tuple(o for _, o in branch.choices), seen or ("cohort" if letters else "arrives"))


def edges_of(graph: Graph) -> set[Edge]:
    return {(source, target, way) for (source, target), ways in graph.ways.items() for way in ways}


@pytest.mark.parametrize("path", SHIPPED)
@pytest.mark.parametrize("detail", ["cohorts", "levels"])
def test_the_graph_has_every_step_of_the_machine_and_no_other(path: Path, detail: Detail) -> None:
    found = explored_file(path)
    graph = graph_of(found, detail)
    assert edges_of(graph) == plain_edges(found, detail)
    assert graph.first == plain_place(found, 0, detail)
    assert set(graph.places) == {graph.first} | {place for pair in graph.ways for place in pair}


@pytest.mark.parametrize("sample", [reference(4), literal(3), committee(3), two_classes(3)])
def test_so_it_is_for_protocols_built_from_python(sample: Protocol) -> None:
    found = explored(sample)
    for detail in ("cohorts", "levels"):
        assert edges_of(graph_of(found, detail)) == plain_edges(found, detail)


def test_a_graph_that_lacks_a_step_or_has_one_more_is_found() -> None:
    found = explored(reference(3))
    graph, expected = graph_of(found, "cohorts"), plain_edges(explored(reference(3)), "cohorts")
    assert edges_of(graph) == expected
    for pair, ways in graph.ways.items():
        for way in ways:
            less = {**graph.ways, pair: ways - {way}}
            assert edges_of(evolve(graph, ways=less)) != expected
            for broken in (evolve(way, rules=(*way.rules, "another")), evolve(way, counts=(way.counts[0] + 1, 99))):
                assert edges_of(evolve(graph, ways={**graph.ways, pair: ways | {broken}})) != expected
        elsewhere = {(one[0], graph.places[-1] if one == pair else one[1]): w for one, w in graph.ways.items()}
        assert pair[1] == graph.places[-1] or edges_of(evolve(graph, ways=elsewhere)) != expected


def test_a_changed_rule_changes_the_graph() -> None:
    plain, changed = reference(3), reference(3, start=1)
    assert edges_of(graph_of(explored(plain), "cohorts")) != edges_of(graph_of(explored(changed), "cohorts"))


@pytest.mark.parametrize("path", SHIPPED)
def test_the_steps_that_are_kept_are_all_that_are_taken(path: Path) -> None:
    taken: set[tuple[int, int]] = set()

    def watch(steps: Steps, _frames: object) -> None:
        sources = steps.of.number[steps.state].tolist()
        taken.update(zip(sources, steps.exit.tolist(), strict=True))

    found = explore(compile_protocol(protocol_of(path)), watch=watch)
    kept = [(source, exit) for source, _, exit in steps_of(found)]
    assert len(kept) == len(set(kept)) and set(kept) == taken


@pytest.mark.parametrize("path", SHIPPED)
def test_what_a_node_says_was_before_is_what_the_history_shows(path: Path) -> None:
    found = explored_file(path, histories=True)
    toxic = found.machine.protocol.toxicities[0].letter
    told = 0
    for number in range(0, found.states, 1 + found.states // 2000):
        place = plain_place(found, number, "cohorts")
        if not isinstance(place, Node) or place.kind not in ("first", "more"):
            continue
        letters = "".join(group.letters for group in history_of(found, number) if group.level == place.level)
        if place.kind == "first":
            assert letters == ""
        elif place.before is not None and not place.before.at_least:
            assert (place.before.evaluable, place.before.dlt) == (len(letters), letters.count(toxic))
            told += 1
    assert told or path not in FAMILY


@pytest.mark.parametrize("path", [*FAMILY, ROOT / "protocols" / "ibrutinib-lenalidomide.dose"], ids=lambda p: p.stem)
def test_every_pathway_goes_along_the_edges(path: Path) -> None:
    """Pathways follow histories and do not know the exploration."""
    protocol = protocol_of(path)
    graph = graph_of(explored(protocol), "cohorts")
    known = {(a.part, a.level, b.part, b.level, w.counts, w.rules) for a, b, w in edges_of(graph)
             if isinstance(a, Node) and isinstance(b, Node)}  # fmt: skip
    met = set()
    for pathway in pathways(protocol, compile_protocol(protocol), (), 5).paths:
        for one in pathway.cohorts:
            if one.level_next is not None and one.part_next is not None:
                met.add((one.part, one.level, one.part_next, one.level_next, one.counts, one.rules))
    assert len(met) > 10 and met <= known


# ---- as it reads ----


def test_one_level_by_hand() -> None:
    protocol = reference(1, expansion=False)
    graph = graph_of(explored(protocol), "cohorts")
    shown = {
        (place_words(protocol, a), place_words(protocol, b)): way_lines(protocol, ways)
        for (a, b), ways in graph.ways.items()
    }
    first, none, one = "level 1, first cohort of 3", "level 1, 3 more after 0/3", "level 1, 3 more after 1/3"
    assert shown == {
        (first, none): ["0/3: first clear, nothing higher"],
        (first, one): ["1/3: one"],
        (first, "no MTD"): ["2/2, 2/3: two in the first", "+ lowest"],
        (none, "MTD: level 1"): ["≤1/3: one in six", "+ MTD"],
        (none, "no MTD"): ["2/2, 2/3: second in six", "+ lowest"],
        (one, "MTD: level 1"): ["0/3: added clear, nothing higher", "+ MTD"],
        (one, "no MTD"): ["1/1, 1/2, 1/3: toxicity among the added", "+ lowest"],
    }


def test_outcomes_in_words() -> None:
    def of(*counts: tuple[int, ...]) -> str:
        return outcome_words(reference(1), [Way(one, ()) for one in counts])

    assert of((3, 0)) == "0/3" and of((1, 2), (0, 3)) == "≥2/3" and of((3, 0), (2, 1)) == "≤1/3"
    assert of((2, 1), (1, 2)) == "1–2/3" and of((3, 0), (2, 1), (1, 2), (0, 3)) == "any of 3"
    assert of((3, 0), (1, 2)) == "0/3, 2/3" and of((0, 2), (1, 2), (0, 3)) == "2/2, ≥2/3"
    two = Way((1, 1, 1), ())
    assert outcome_words(two_classes(), [two]) == "1 DLT, 1 moderate of 3"


def test_undecided_ends_and_choices_are_shown() -> None:
    text = shown_graph(explored(literal(3)), "mermaid", None)
    assert '{{"undecided: no rule says what comes next"}}' in text
    assert '0/3 [2]: clear"' in shown_graph(explored(committee(3)), "mermaid", None)


@pytest.mark.parametrize("path", [*FAMILY, ROOT / "protocols" / "ibrutinib-lenalidomide.dose"], ids=lambda p: p.stem)
def test_the_reference_and_the_family_of_3_plus_3_stay_readable(path: Path) -> None:
    graph = graph_of(explored_file(path), "cohorts")
    assert len(graph.places) <= 21 and len(graph.ways) <= 47


@pytest.mark.parametrize("path", [p for p in SHIPPED if not p.marks])
def test_what_is_shown_without_an_option_is_tens_of_nodes(path: Path) -> None:
    nodes, _ = parsed_mermaid(shown_graph(explored_file(path), "mermaid", None))
    assert len(nodes) <= MOST_NODES


def test_with_many_nodes_it_is_by_level_and_says_so() -> None:
    found = explored_file(ROOT / "protocols" / "designs" / "boin.dose")
    text = shown_graph(found, "mermaid", None)
    by_cohort = len(graph_of(found, "cohorts").places)
    assert f"%% 11 nodes, by level; with --detail cohorts there are {by_cohort}\n" in text and by_cohort > MOST_NODES
    assert f"%% {by_cohort} nodes, by cohort\n" in shown_graph(found, "mermaid", "cohorts")


def test_the_full_form_has_a_node_for_every_state() -> None:
    found = explored(reference(3), histories=True)
    graph = graph_of(found, "states")
    assert len(graph.places) == found.states
    assert sum(len(ways) for ways in graph.ways.values()) >= len(list(steps_of(found))) > found.states - 2
    nodes, edges = parsed_mermaid(shown_graph(found, "mermaid", "states"))
    assert len(nodes) == found.states and len(edges) == len(graph.ways)
    assert sorted(nodes.values())[0].startswith("MTD: level 1\nafter 1NNN")


# ---- as text for programs ----

NODE = re.compile(r'\s*(n\d+)(\[|\(\[|\{\{)"([^"]*)"(\]|\]\)|\}\})')
EDGE = re.compile(r'\s*(n\d+) -->\|"([^"]*)"\| (n\d+)')


def decoded(text: str) -> str:
    """What Mermaid makes of a text between quotation marks."""
    assert not set(text.replace("<br/>", "")) & set('<>"`\\{}|&*_~^$%;=') - {";"}
    assert re.sub(r"#\d+;", "", text).count("#") == 0
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text.replace("<br/>", "\n"))


def parsed_mermaid(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """The nodes and edges of a flowchart; every line of it must be one that Mermaid knows."""
    nodes, edges, depth = {}, [], 0
    first, *lines = text.splitlines()
    assert first == "flowchart TD"
    for line in lines:
        if node := NODE.fullmatch(line):
            assert (node[2], node[4]) in {("[", "]"), ("([", "])"), ("{{", "}}")} and node[1] not in nodes
            nodes[node[1]] = decoded(node[3])
        elif edge := EDGE.fullmatch(line):
            edges.append((edge[1], decoded(edge[2]), edge[3]))
        elif group := re.fullmatch(r'  subgraph p\d+\["([^"]*)"\]', line):
            decoded(group[1])
            depth += 1
        elif line == "  end":
            depth -= 1
        else:
            assert re.fullmatch(r"  (%% [\w ,;-]+|style n\d+ stroke-width:3px)", line), line
    assert depth == 0 and all(a in nodes and b in nodes for a, _, b in edges)
    return nodes, edges


STRING = r'"((?:[^"\\]|\\.)*)"'
DOT_NODE = re.compile(rf"\s*(n\d+) \[label={STRING}(, style=rounded|, shape=hexagon)?(, penwidth=3)?\];")
DOT_EDGE = re.compile(rf"  (n\d+) -> (n\d+) \[label={STRING}\];")


def undotted(text: str) -> str:
    return re.sub(r"\\(.)", lambda sign: "\n" if sign[1] == "n" else sign[1], text)


def parsed_dot(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """The nodes and edges of a graph for Graphviz."""
    nodes, edges = {}, []
    first, *lines, last = text.splitlines()
    assert first == "digraph trial {" and last == "}"
    for line in lines:
        if node := DOT_NODE.fullmatch(line):
            nodes[node[1]] = undotted(node[2])
        elif edge := DOT_EDGE.fullmatch(line):
            edges.append((edge[1], undotted(edge[3]), edge[2]))
        else:
            known = (
                rf'  (// .*|(graph|node|edge) \[[^"]*"Helvetica"[^"]*\];|subgraph cluster_\d+ {{|  label={STRING};|}})'
            )
            assert re.fullmatch(known, line), line
    return nodes, edges


AWKWARD = [
    'say "hello"', "a]b[c", "x)y(z", "{{curly}}", "end", "subgraph", "a --> b", "<b>bold</b>", "#quot; #35;",
    "back\\slash", "\\", 'ends with "', "`tick`", "**stars** _under_", "1. first", "- dash", "%% no comment",
    "剂量 naïve ≥ é", "a|b", "a;b", "a&amp;b", "$x^2$", "line\nbreak", "\x1b[31mred", "\u202eright to left",
    "click n1 href", "~~~", "@{ }",
]  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_come_back_as_they_are(name: str) -> None:
    plain = reference(2)
    parts = tuple(
        evolve(part, name=f"{name}{n}", rules=tuple(evolve(rule, name=f"{name} {rule.name}") for rule in part.rules))
        for n, part in enumerate(plain.parts)
    )
    protocol = evolve(plain, levels=(Level(name), Level(f"{name} 2")), parts=parts)
    found = explored(protocol)
    graph = graph_of(found, "cohorts")
    expected = {f"n{n}": printable(place_words(protocol, place)) for n, place in enumerate(graph.places, 1)}
    keys = {place: f"n{n}" for n, place in enumerate(graph.places, 1)}
    ways = [
        (keys[a], "\n".join(map(printable, way_lines(protocol, ways))), keys[b]) for (a, b), ways in graph.ways.items()
    ]
    assert parsed_mermaid(shown_graph(found, "mermaid", None)) == (expected, ways)
    assert parsed_dot(shown_graph(found, "dot", None)) == (expected, ways)


def test_escaping_by_hand() -> None:
    assert mermaid_text('a "b" #c') == "a #34;b#34; #35;c" and mermaid_text("level 2, ≥1/3") == "level 2, ≥1/3"
    assert dot_text('a "b" \\N') == 'a \\"b\\" \\\\N'


@pytest.mark.parametrize("path", [p for p in SHIPPED if not p.marks])
def test_mermaid_and_dot_say_the_same(path: Path) -> None:
    found = explored_file(path)
    assert parsed_mermaid(shown_graph(found, "mermaid", None)) == parsed_dot(shown_graph(found, "dot", None))


def test_parts_are_groups() -> None:
    text = shown_graph(explored(reference(2)), "mermaid", None)
    groups = re.findall(r'subgraph p\d+\["(\w+)"\]\n((?:    .*\n)+)  end', text)
    assert [name for name, _ in groups] == ["escalation", "expansion"]
    assert [inside.count("[") for _, inside in groups] == [6, 2]
    assert "subgraph" not in shown_graph(explored(reference(2, expansion=False)), "mermaid", None)


def test_detail_goes_with_the_graph(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "protocols" / "ibrutinib-lenalidomide.dose")
    assert run(["show", path, "--detail", "levels"]) == 2
    assert "`--detail` goes with `--as graph`" in capsys.readouterr().err
    assert run(["show", path, "--as", "graph", "--detail", "states", "--graph", "dot"]) == 0
    nodes, _ = parsed_dot(capsys.readouterr().out)
    assert len(nodes) == explored_file(Path(path)).states


# ---- the page ----

NAMED = {
    "ibrutinib and lenalidomide": "ibrutinib-lenalidomide",
    "accelerated titration, six levels": "accelerated-titration",
    "rolling six, five levels": "rolling-six", "PRI-724, thirteen levels on two ladders": "pri-724",
    "VIOLA, a CRM": "viola", "BOIN, five levels": "boin",
}  # fmt: skip


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.id in NAMED.values()])
def test_the_page_says_how_many_nodes_there_are(path: Path) -> None:
    page = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    name = next(name for name, file in NAMED.items() if file == path.stem)
    found = explored_file(path)
    by_level, by_cohort = (len(graph_of(found, detail).places) for detail in ("levels", "cohorts"))
    assert f"| {name} | {by_level} | {by_cohort} |\n" in page


def test_the_page_says_how_many_nodes_the_family_has() -> None:
    assert set(NAMED.values()) <= {path.id for path in SHIPPED}  # else a row of the page is checked by nothing
    page = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    three = [path for path in FAMILY if path.stem != "three-plus-three-plus-three"]
    by_cohort = [len(graph_of(explored_file(path), "cohorts").places) for path in three]
    assert {len(graph_of(explored_file(path), "levels").places) for path in three} == {11}
    assert f"five levels | 11 | {min(by_cohort)} to {max(by_cohort)} |\n" in page
