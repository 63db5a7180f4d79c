"""Hypothesis strategies for small random protocols, true rates and chances: a 3+3-like skeleton, mutated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any as Anything
from typing import Literal

from attrs import evolve, fields, frozen
from hypothesis import strategies as st

from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    Any,
    CohortComplete,
    Compare,
    Declared,
    Guard,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    ResultDeclared,
    Says,
    SentinelHas,
    Share,
    Standing,
    Tally,
)
from doselang.protocol.model import (
    Backfill,
    Begin,
    Body,
    Case,
    Close,
    Count,
    Counter,
    Declare,
    Enrol,
    EnrolRest,
    Gate,
    Level,
    Limit,
    Move,
    Part,
    Protocol,
    Rule,
    Silence,
    Stop,
    Table,
    Toxicity,
    Verdict,
)

Draw = Callable[[st.SearchStrategy[Anything]], Anything]
LABELS = (("1", "2", "3", "4"), ("-1", "1", "2A", "2B"))
HERE_CLOSED = HasStatus(THIS, "closed")
HIGHER_REMAINS = Standing("higher", "remains")
MTD = Place("verdict", 0)


@frozen
class Setting:
    """What a random rule may speak of: how many levels, classes of toxicity, parts and verdicts; the cohort size.

    Also how many counters and tables there are, and whether rules use further constructs at all.
    """

    levels: int
    classes: int
    parts: int
    verdicts: int
    cohort: int
    counters: int = 0
    tables: int = 0
    rich: bool = False


# ---- random conditions ----


def counted(classes: Sequence[int]) -> st.SearchStrategy[int | tuple[int, ...]]:
    """One of some classes, or several of them together."""
    several = [some for size in range(2, len(classes) + 1) for some in combinations(classes, size)]
    return st.sampled_from([*classes, *several])


def places(setting: Setting) -> st.SearchStrategy[Place]:
    """This level most often, then the neighbours, then any other place."""
    far = [Place("next lower that remains"), Place("lowest"), Place("highest"), Place("start")]
    far += [Place("level", level) for level in range(setting.levels)]
    far += [Place("verdict", verdict) for verdict in range(setting.verdicts)]
    if setting.rich:
        low = Tally(Range(1, None), -1), Not(Tally(Range(1, None), 0)), HasStatus(THIS, "closed")
        far += [Place("next higher", steps=2), Place("next lower", steps=2)]
        far += [Place(kind, where=where) for kind in ("highest where", "lowest where") for where in low]
    return st.one_of(st.just(THIS), st.sampled_from([NEXT_LOWER, NEXT_HIGHER]), st.sampled_from(far))


@st.composite
def ranges(draw: Draw, most: int) -> Range:
    """Some numbers up to `most`, with or without an upper end; few from 0 on, which is always true without one."""
    low = draw(st.sampled_from([*range(most + 1), *range(1, most + 1)]))
    return Range(low, draw(st.one_of(st.none(), st.integers(low, most))))


@st.composite
def shares(draw: Draw, setting: Setting) -> Share:
    """K of N, most often of one or two cohorts."""
    size = draw(st.sampled_from([setting.cohort, 2 * setting.cohort, 1, 2, 3, 4, 6]))
    group = draw(st.sampled_from(["all", "first", "added"]))
    toxicities = draw(counted(range(setting.classes)))
    place = draw(st.one_of(st.just(THIS), st.just(THIS), places(setting)))
    return Share(draw(ranges(size)), group, size, toxicities, place)


@st.composite
def tallies(draw: Draw, setting: Setting) -> Tally:
    """So many evaluable, or so many toxicities, in any scope."""
    what = draw(st.one_of(st.just(-1), counted(range(setting.classes))))
    scope = draw(st.sampled_from(["level", "level", "cohort", "part", "trial"]))
    part = draw(st.sampled_from([None, *range(setting.parts)])) if scope in ("level", "part") else None
    place = draw(places(setting)) if scope == "level" else THIS
    return Tally(draw(ranges(8 if what == -1 else 3)), what, scope, place, part)


@st.composite
def limits_of_rate(draw: Draw, setting: Setting) -> Rate:
    """A rate above or below a fraction that small numbers of patients can meet exactly."""
    bound = Fraction(draw(st.integers(0, 6)), 6)
    included = draw(st.booleans())
    scope = draw(st.sampled_from(["level", "part", "trial"]))
    part = draw(st.sampled_from([None, *range(setting.parts)])) if scope != "trial" else None
    place = draw(places(setting)) if scope == "level" else THIS
    toxicities, less = draw(counted(range(setting.classes))), draw(st.integers(0, 1)) if setting.rich else 0
    if draw(st.booleans()):
        return Rate(toxicities, Fraction(0), True, bound, included, scope, place, part, less)
    return Rate(toxicities, bound, included, Fraction(1), True, scope, place, part, less)


def atoms(setting: Setting) -> st.SearchStrategy[Guard]:
    """Any condition that is not made of others and may stand in a rule of a trial."""
    place = places(setting)
    standings = st.sampled_from(["exists", "remains", "open", "closed", "tried", "untried"])
    further: list[st.SearchStrategy[Guard]] = []
    if setting.counters:
        counts = st.sampled_from([Range(0, 0), Range(1, None), Range(2, None)])
        further.append(st.builds(Tally, counts, st.integers(0, setting.counters - 1), st.just("counter")))
    if setting.tables:
        own = st.sampled_from([None] * 5 + list(range(setting.parts)))
        further += [st.builds(Says, st.just(0), st.integers(0, 2), st.one_of(st.just(THIS), place), own)] * 2
    return st.one_of(
        *further,
        shares(setting),
        shares(setting),
        tallies(setting),
        limits_of_rate(setting),
        st.builds(HasStatus, place, st.sampled_from(["open", "closed", "tried"])),
        st.builds(Compare, place, st.sampled_from(["above", "below", "same"]), place),
        st.builds(Standing, st.sampled_from(["higher", "lower"]), standings),
        st.builds(Declared, st.integers(0, setting.verdicts - 1), st.booleans()),
        st.just(ResultDeclared()),
        st.just(CohortComplete()),
    )


def guards(setting: Setting) -> st.SearchStrategy[Guard]:
    """A condition, at most two deep."""
    atom = atoms(setting)
    literal = st.one_of(atom, atom, st.builds(Not, atom))
    pair = st.tuples(literal, literal)
    return st.one_of(literal, literal, st.builds(All, pair), st.builds(Any, pair), st.builds(Not, st.builds(All, pair)))


@st.composite
def about_places(draw: Draw, setting: Setting, wanted: Sequence[Place]) -> Guard:
    """A condition on one of these places: its patients, its status, or where it lies."""
    place = draw(st.sampled_from(wanted))
    kind = draw(st.sampled_from(["share", "tally", "tally", "rate", "status", "compare"]))
    match kind:
        case "share":
            return evolve(draw(shares(setting)), place=place)
        case "tally":
            counted = draw(tallies(setting))
            return evolve(counted, scope="level", place=place)
        case "rate":
            return evolve(draw(limits_of_rate(setting)), scope="level", place=place)
        case "status":
            return HasStatus(place, draw(st.sampled_from(["open", "closed", "tried"])))
    return Compare(place, draw(st.sampled_from(["above", "below", "same"])), draw(places(setting)))


def consequences(setting: Setting, move: Move) -> st.SearchStrategy[Guard]:
    """A condition that a closing or a verdict of the same look can change."""
    if isinstance(move, Declare):
        said = [Declared(move.verdict), Declared(move.verdict, ever=True), ResultDeclared()]
        return st.one_of(st.sampled_from(said), about_places(setting, [Place("verdict", move.verdict)]))
    assert isinstance(move, Close)
    sides = st.sampled_from(["higher", "lower"])
    remains = about_places(setting, [Place("next lower that remains")])
    standing = st.builds(Standing, sides, st.sampled_from(["remains", "closed", "open"]))
    levels = [THIS, move.place, NEXT_HIGHER, NEXT_LOWER, Place("highest"), Place("lowest")]
    status = st.builds(HasStatus, st.sampled_from(levels), st.sampled_from(["closed", "open"]))
    return st.one_of(standing, remains, status)


# ---- random moves ----


@st.composite
def nexts(draw: Draw, setting: Setting) -> Move:
    """One answer to what comes next."""
    place = draw(st.one_of(st.sampled_from([THIS, NEXT_HIGHER, NEXT_LOWER]), places(setting)))
    kinds = ["enrol", "enrol", "sized", "stop"] + ["begin"] * (setting.parts - 1)
    kinds += (["fill"] + ["begin sized", "begin filling"] * (setting.parts - 1)) if setting.rich else []
    match draw(st.sampled_from(kinds)):
        case "fill":
            return Enrol(place, None, draw(st.integers(2, 6)))
        case "begin sized":
            return Begin(1, draw(st.sampled_from([MTD, place])), draw(st.integers(1, 4)))
        case "begin filling":
            return Begin(1, draw(st.sampled_from([MTD, place])), None, draw(st.integers(2, 6)))
        case "enrol":
            return Enrol(place)
        case "sized":
            return Enrol(place, draw(st.integers(1, 4)))
        case "begin":
            return Begin(draw(st.sampled_from([1, 1, 0])), draw(st.sampled_from([MTD, place])))
    return Stop(draw(st.sampled_from([None, "enough is known"])))


@st.composite
def thens(draw: Draw, setting: Setting) -> tuple[Move, ...]:
    """Moves made together, at most one for each question."""
    moves: list[Move] = []
    asked = draw(st.sampled_from([(3,), (1,), (1, 3), (2, 3), (2,), (1, 2, 3)]))
    if 1 in asked:
        place = draw(st.one_of(st.just(THIS), places(setting)))
        moves.append(Close(place, draw(st.booleans())))
    if 2 in asked:
        verdict = draw(st.integers(0, setting.verdicts - 1))
        moves.append(Declare(verdict, draw(st.one_of(st.none(), st.just(THIS), st.just(NEXT_LOWER), places(setting)))))
    if setting.counters and draw(st.integers(0, 2)) == 0:
        moves.append(Count(draw(st.integers(0, setting.counters - 1)), draw(st.sampled_from([False, False, True]))))
    if 3 in asked:
        moves.append(draw(nexts(setting)))
        if setting.rich and draw(st.integers(0, 3)) == 0:
            moves.append(Backfill(draw(places(setting)), draw(st.integers(1, 2))))
    return tuple(moves)


@st.composite
def gated(draw: Draw, setting: Setting, case: Case) -> Case:
    """The case, with what comes next left to people."""
    kept = tuple(move for move in case.moves if isinstance(move, Close | Declare))
    kind = draw(st.sampled_from(["ask", "may", "draw"] if setting.rich else ["ask", "may"]))
    size = draw(st.integers(2, 3)) if kind == "ask" else 2
    options = draw(st.lists(st.one_of(st.tuples(nexts(setting)), thens(setting)), min_size=size, max_size=size))
    gate = Gate(kind, -1 if kind == "draw" else 0, tuple(options))
    if kind == "draw":
        chance = Fraction(draw(st.integers(1, 3)), 4)
        gate = evolve(gate, chances=(chance, 1 - chance))
    elif kind == "ask" and setting.rich and draw(st.booleans()):
        default = draw(st.integers(0, size - 1))
        gate = evolve(gate, chances=tuple(Fraction(option == default) for option in range(size)))
    return Case(case.guard, kept if draw(st.booleans()) else (), gate)


# ---- the skeleton ----


def k_of(low: int, high: int | None, group: Literal["all", "first", "added"], size: int) -> Share:
    """From `low` to `high` of `size` have a dose-limiting toxicity."""
    return Share(Range(low, high), group, size, 0)


def plain_rule(name: str, guard: Guard, *moves: Move, any_time: bool = False) -> Rule:
    return Rule(name, (Case(guard, moves),), at_any_time=any_time)


def escalation(n: int, last: bool, prefix: str = "") -> list[Rule]:
    """The classical design with cohorts of n: at most one toxicity in two cohorts makes the MTD.

    With an MTD the trial stops, or goes on with the next part where this is not the last.
    """
    none, one = k_of(0, 0, "first", n), k_of(1, 1, "first", n)
    few, full = Tally(Range(0, 2 * n - 1), -1, "level", NEXT_LOWER), Tally(Range(2 * n, None), -1, "level", NEXT_LOWER)
    end: tuple[Move, ...] = (Stop("an MTD is declared"),) if last else ()
    rules = [
        plain_rule("clear", All((k_of(0, 0, "all", n), HIGHER_REMAINS)), Enrol(NEXT_HIGHER)),
        plain_rule("clear at the top", All((k_of(0, 0, "all", n), Not(HIGHER_REMAINS))), Enrol(THIS, n)),
        plain_rule("one toxicity", k_of(1, 1, "all", n), Enrol(THIS)),
        plain_rule("added clear", All((one, k_of(0, 0, "added", n), HIGHER_REMAINS)), Enrol(NEXT_HIGHER)),
        plain_rule("top clear", All((one, k_of(0, 0, "added", n), Not(HIGHER_REMAINS))), Declare(0, THIS), *end),
        plain_rule("confirmed", All((none, k_of(0, 1, "added", n))), Declare(0, THIS), *end),
        plain_rule("toxicity in the added", All((one, k_of(1, None, "added", n))), Close(THIS), any_time=True),
        plain_rule("reopen", All((HERE_CLOSED, few)), Enrol(NEXT_LOWER, n)),
        plain_rule("below is full", All((HERE_CLOSED, full)), Declare(0, NEXT_LOWER), *end),
        plain_rule("lowest", All((HERE_CLOSED, Not(Standing("lower", "exists")))), Declare(0, None), Stop("too toxic")),
    ]
    if n > 1:
        rules += [
            plain_rule("two toxicities", k_of(2, None, "first", n), Close(THIS), any_time=True),
            plain_rule("two after none", All((none, k_of(2, None, "added", n))), Close(THIS), any_time=True),
        ]
    if not last:
        rules.append(plain_rule("begin", Declared(0), Begin(1, MTD)))
    return [evolve(rule, name=prefix + rule.name) for rule in rules]


def expansion(n: int) -> list[Rule]:
    """One cohort, which two toxicities end at once."""
    toxic = Tally(Range(min(n, 2), None), 0, "part")
    calm = All((CohortComplete(), Not(toxic)))
    return [
        plain_rule("expansion complete", calm, Stop("the expansion is complete")),
        plain_rule(
            "expansion toxic", toxic, Close(THIS), Declare(0, None), Stop("the MTD is too toxic"), any_time=True
        ),
    ]


@st.composite
def asides(draw: Draw, setting: Setting) -> Close | Declare:
    """A closing or a verdict."""
    place = draw(places(setting))
    if draw(st.booleans()):
        return Close(place, draw(st.booleans()))
    return Declare(draw(st.integers(0, setting.verdicts - 1)), draw(st.sampled_from([place, place, THIS, None])))


@st.composite
def wander(draw: Draw, setting: Setting, last: bool, prefix: str = "") -> list[Rule]:
    """A design that reads almost nothing: without toxicity to one place, with toxicity to another, and then the end.

    A level closes, or a verdict is given, on the way; one of the rules depends on what follows from it.
    """
    most = draw(st.sampled_from([4, 3, 2])) + 2 * (setting.parts == 1)
    few, enough = Tally(Range(0, most), -1, "part"), Tally(Range(most + 1, None), -1, "part")
    clear, toxic = (Tally(count, 0, "cohort") for count in (Range(0, 0), Range(1, None)))
    up, down = draw(st.one_of(st.just(NEXT_HIGHER), places(setting))), draw(places(setting))
    follows = Stop("enough is known") if last else Begin(1, draw(st.sampled_from([THIS, THIS, MTD, down])))
    aside, when = draw(asides(setting)), draw(st.sampled_from([clear, toxic, few, enough]))
    if aside.place is not None and draw(st.sampled_from([True, True, False])):
        when = All((when, possible(aside.place), HasStatus(aside.place, "tried")))
    condition = draw(consequences(setting, aside))
    focus = draw(st.sampled_from(["counter", "backfill", "steps", "less", "table", ""])) if setting.rich else ""
    further: tuple[Move, ...] = ()
    match focus:
        case "counter":
            further = (Count(0, draw(st.sampled_from([False, False, False, True]))),)
            condition = Tally(draw(st.sampled_from([Range(1, None), Range(2, None), Range(1, 1)])), 0, "counter")
        case "backfill":
            further = (Backfill(draw(st.one_of(st.just(Place("lowest")), places(setting))), draw(st.integers(1, 2))),)
        case "steps":
            up = Place("next higher", steps=2)
        case "less":
            condition = Rate(0, Fraction(draw(st.integers(1, 3)), 6), True, Fraction(1), True, less=1)
        case "table":
            condition = Says(0, draw(st.integers(0, 2)))
            condition = draw(st.sampled_from([condition, Not(condition)]))
    rules = [
        plain_rule("clear", All((CohortComplete(), clear, few, possible(up))), Enrol(up), *further),
        plain_rule("toxic", All((toxic, few, possible(down))), Enrol(down), any_time=draw(st.booleans())),
        plain_rule("enough", All((CohortComplete(), enough)), follows),
    ]
    split = draw(st.integers(0, 2))
    rule, guard = rules[split], rules[split].cases[0].guard
    rules[split] = evolve(rule, cases=(Case(All((guard, condition)), rule.cases[0].moves),))
    other = plain_rule("otherwise", All((guard, Not(condition))), draw(nexts(setting)), any_time=rule.at_any_time)
    stay = Enrol(draw(st.sampled_from([THIS, Place("lowest"), Place("highest")])))
    stuck = plain_rule("stuck", CohortComplete(), stay)
    rules = [evolve(rule, overrides=(prefix + "stuck",)) for rule in [*rules, other]]
    return [evolve(rule, name=prefix + rule.name) for rule in [*rules, plain_rule("aside", when, aside), stuck]]


def possible(place: Place) -> Guard:
    """A cohort can be enrolled at a place: there is such a level, and it is not closed."""
    return Not(HasStatus(place, "closed"))


# ---- mutations ----


def unused(stem: str, rules: list[Rule]) -> str:
    """A name that no rule has."""
    names = {rule.name for rule in rules}
    return next(name for number in range(len(rules) + 1) if (name := f"{stem} {number}") not in names)


@st.composite
def sequel(draw: Draw, setting: Setting, rules: list[Rule]) -> list[Rule]:
    """One rule also closes a level or gives a verdict, or people may, and what comes next depends on what follows."""
    positions = draw(st.permutations(range(len(rules))))
    first, second = positions[0], positions[-1]
    aside, changed = draw(asides(setting)), list(rules)
    case, *more = changed[first].cases
    if case.gate is None and draw(st.integers(0, 2)) == 0:
        options = draw(st.permutations([(*case.moves, aside), case.moves]))
        case = Case(case.guard, (), Gate(draw(st.sampled_from(["ask", "may"])), 0, tuple(options)))
    else:
        case = evolve(case, moves=(*case.moves, aside))
    changed[first] = evolve(changed[first], cases=(case, *more))
    condition, other = draw(consequences(setting, aside)), changed[second].cases[0]
    condition = draw(st.sampled_from([condition, Not(condition)]))
    if draw(st.booleans()):
        fresh = plain_rule(unused("sequel", rules), condition, draw(nexts(setting)))
        return [*changed, evolve(fresh, at_any_time=draw(st.booleans()))]
    together = draw(st.sampled_from([All, Any]))((other.guard, condition))
    changed[second] = evolve(changed[second], cases=(evolve(other, guard=together), *changed[second].cases[1:]))
    return changed


@st.composite
def mutated(draw: Draw, setting: Setting, rules: list[Rule]) -> list[Rule]:
    """The rules with one change."""
    position = draw(st.integers(0, len(rules) - 1))
    rule, others = rules[position], rules[:position] + rules[position + 1 :]
    which = draw(st.integers(0, len(rule.cases) - 1))
    case = rule.cases[which]
    changes = ["drop", "time", "narrow", "widen", "moves", "gate", "add", "case", "guard", "also", "sequel"]
    changes += ["beside", "beside", "count", "count", "gate", "narrow"] if setting.rich else []
    match draw(st.sampled_from([*changes, "add", "sequel"])):
        case "beside":
            move = Backfill(draw(st.one_of(st.just(NEXT_LOWER), places(setting))), draw(st.integers(1, 2)))
            case = evolve(case, moves=(*case.moves, move))
        case "count":
            if setting.counters:
                move = Count(draw(st.integers(0, setting.counters - 1)), draw(st.sampled_from([False, False, True])))
                case = evolve(case, moves=(*case.moves, move))
        case "drop":
            return others or rules
        case "time":
            return [*others, evolve(rule, at_any_time=not rule.at_any_time)]
        case "narrow":
            case = evolve(case, guard=All((case.guard, draw(guards(setting)))))
        case "widen":
            case = evolve(case, guard=Any((case.guard, draw(guards(setting)))))
        case "guard":
            case = evolve(case, guard=draw(guards(setting)))
        case "moves":
            case = Case(case.guard, draw(thens(setting)))
        case "gate":
            case = draw(gated(setting, case))
        case "also":
            case = evolve(case, moves=(*case.moves, draw(asides(setting))))
        case "sequel":
            return draw(sequel(setting, rules))
        case "case":
            extra = Case(draw(guards(setting)), draw(thens(setting)))
            return [*others, evolve(rule, cases=(*rule.cases, extra))]
        case "add":
            fresh = plain_rule(unused(f"{rule.name}, added", rules), draw(guards(setting)), *draw(thens(setting)))
            return [*rules, evolve(fresh, at_any_time=draw(st.booleans()))]
    return [*others, evolve(rule, cases=(*rule.cases[:which], case, *rule.cases[which + 1 :]))]


def questions(rule: Rule) -> list[int]:
    """The question at which each case of a rule is asked."""
    found = []
    for case in rule.cases:
        moves = [*case.moves, *(move for option in (case.gate.options if case.gate else ()) for move in option)]
        found.append(min(1 if isinstance(move, Close) else 2 if isinstance(move, Declare) else 3 for move in moves))
    return found


@st.composite
def with_overrides(draw: Draw, rules: list[Rule]) -> list[Rule]:
    """In another order, and a few legal overrides: without a circle, and never of a rule that is asked earlier."""
    rules = draw(st.permutations(rules))
    names = [rule.name for rule in rules]
    written = [(a, names.index(name)) for a, rule in enumerate(rules) for name in rule.overrides if name in names]
    ordered = [(a, b) for a in range(len(rules)) for b in range(a + 1, len(rules))]
    legal = [(a, b) for a, b in written or ordered if max(questions(rules[a])) <= min(questions(rules[b]))]
    pairs = draw(st.lists(st.sampled_from(legal), max_size=4, unique=True)) if legal and not written else legal
    overridden = [tuple(names[b] for a, b in pairs if a == position) for position in range(len(rules))]
    return [evolve(rule, overrides=names) for rule, names in zip(rules, overridden, strict=True)]


# ---- protocols ----


@st.composite
def limits(draw: Draw, setting: Setting, cap: int) -> tuple[Limit, ...]:
    """The cap of the trial, always; sometimes limits at a level and in the part."""
    found = [Limit("trial", None, cap)]
    if draw(st.integers(0, 2)) == 0:
        high = draw(st.one_of(st.none(), st.integers(setting.cohort, 2 * setting.cohort + 1)))
        low = draw(st.one_of(st.none(), st.integers(1, setting.cohort)))
        found += [Limit("level", low, high)] if low is not None or high is not None else []
    if draw(st.integers(0, 5)) == 0:
        found.append(Limit("part", None, draw(st.integers(setting.cohort, cap))))
    return tuple(found)


@st.composite
def parts(draw: Draw, setting: Setting, position: int, cap: int, common: tuple[Rule, ...]) -> Part:
    """A part: the skeleton of an escalation, or in a later part mostly of an expansion, with up to five changes."""
    n, last = setting.cohort, position == setting.parts - 1
    wandering = draw(st.sampled_from([True, False]))
    if wandering:
        rules = draw(wander(setting, last, "later " if position else ""))
    elif position == 0:
        rules = escalation(n, last)
    else:
        rules = expansion(n) if draw(st.integers(0, 2)) else escalation(n, last, "later ")
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 2, 3, 4, 5] if not wandering else [0, 0, 0, 1, 1, 2]))):
        rules = draw(mutated(setting, rules))
    rules = draw(with_overrides([*common, *rules]))
    name = ("escalation", "expansion")[position]
    sentinel = draw(st.sampled_from(["new level", "cohort", None])) if setting.rich else None
    if sentinel is not None and draw(st.integers(0, 4)):
        group = draw(st.sampled_from([None, None, Tally(Range(0, 1), 0), HasStatus(NEXT_LOWER, "tried")]))
        had = SentinelHas(draw(counted(range(setting.classes))))
        rest = plain_rule(unused("the rest", rules), had if group is None else All((had, group)), EnrolRest())
        rules = [*rules, rest]
    bounded = not wandering or draw(st.sampled_from([False, False, False, True]))
    kept = draw(limits(setting, cap)) if bounded else (Limit("trial", None, cap),)
    return Part(name, n, tuple(rules), kept, sentinel=sentinel)


@st.composite
def silence(draw: Draw, setting: Setting) -> Silence:
    """A silence: mostly with a condition, in one part or in all; now and then a notice."""
    part = draw(st.sampled_from([None, *range(setting.parts)]))
    when = draw(st.one_of(st.sampled_from([HERE_CLOSED, CohortComplete(), None]), guards(setting), guards(setting)))
    return Silence("the text does not say", when, part)


@st.composite
def ladders(draw: Draw, levels: int) -> tuple[Level, ...]:
    """One ladder, perhaps with a level off it; two ladders; or a grid."""
    kind = draw(st.sampled_from(["plain", "off-ladder", "two", "grid"] if levels > 1 else ["plain"]))
    named = [Level(label) for label in draw(st.sampled_from(LABELS))[:levels]]
    if kind == "off-ladder":
        off = draw(st.integers(0, levels - 1))
        named[off] = evolve(named[off], off_ladder=True)
    elif kind == "two":
        split = draw(st.integers(1, levels - 1))
        named = [evolve(level, ladder=int(n >= split)) for n, level in enumerate(named)]
    elif kind == "grid":
        wide = 2 if levels == 4 else draw(st.sampled_from([1, levels]))
        named = [Level(f"{n % wide + 1}x{n // wide + 1}", position=(n % wide, n // wide)) for n in range(levels)]
    return tuple(named)


@st.composite
def decision_tables(draw: Draw) -> Table:
    """A table for some numbers of patients, which says one of three words, or nothing."""
    numbers = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5, unique=True))
    cells = [(n, tuple(draw(st.integers(-1, 2)) for _ in range(n + 1))) for n in sorted(numbers)]
    return Table("boundaries", ("escalate", "stay", "eliminate"), tuple(cells))


@st.composite
def on_grid(draw: Draw, protocol: Protocol) -> Protocol:
    """The protocol with a component for every step, as a grid needs it; steps down that remain are steps down."""
    axes = draw(st.lists(st.integers(0, 1), min_size=40, max_size=40))
    used = iter(range(10**6))

    def axis() -> int:
        return axes[next(used) % len(axes)]

    def changed(one: Anything) -> Anything:
        match one:
            case Place("highest where" | "lowest where" as kind):
                return Place("highest" if kind == "highest where" else "lowest")
            case Place("next lower that remains"):
                return Place("next lower", axis=axis())
            case Place("next higher" | "next lower"):
                return evolve(one, axis=axis())
            case Standing(direction, standing) if standing == "exists" or (direction, standing) == (
                "higher",
                "remains",
            ):
                return evolve(one, axis=axis())
            case tuple():
                return tuple(changed(part) for part in one)
            case Case() | Gate() | Rule() | Part() | Silence() | Protocol() | Enrol() | Begin() | Backfill() | Close():
                return attrs_changed(one)
            case Declare() | Share() | Tally() | Rate() | Says() | HasStatus() | Compare() | Not() | All() | Any():
                return attrs_changed(one)
        return one

    def attrs_changed(one: Anything) -> Anything:
        return evolve(one, **{a.name: changed(getattr(one, a.name)) for a in fields(type(one)) if a.init})

    grid: Protocol = changed(protocol)
    return grid


@st.composite
def protocols(draw: Draw) -> Protocol:
    """A small protocol whose number of patients is limited, so that every history of it can be followed one by one.

    Overrides are legal and names are unique in a part; all else may happen: gaps, conflicts, moves that cannot be
    carried out, limits that break.
    """
    levels, count = draw(st.sampled_from([3, 2, 4, 3, 1])), draw(st.sampled_from([1, 1, 2]))
    classes = draw(st.sampled_from([1, 1, 1, 1, 1, 2, 2, 3]))
    cohorts = [draw(st.sampled_from([2, 3, 1, 1, 2, 3, 4])) for _ in range(count)]
    cap = (
        draw(st.integers(8, 11))
        if classes == 1
        else draw(st.integers(5, 7))
        if classes == 2
        else draw(st.integers(4, 5))
    )
    verdicts = draw(st.sampled_from([(Verdict("MTD"),), (Verdict("MTD"),), (Verdict("MTD"), Verdict("tentative"))]))
    rich = draw(st.booleans())
    counters, tables = (draw(st.integers(1, 2)), 1) if rich else (0, 0)
    settings = [Setting(levels, classes, count, len(verdicts), cohort, counters, tables, rich) for cohort in cohorts]
    common: tuple[Rule, ...] = ()
    if draw(st.integers(0, 5)) == 0:
        common = (plain_rule("in every part", draw(guards(settings[0])), *draw(thens(settings[0]))),)
    tabled = st.sampled_from(sorted({(0,), tuple(range(classes))}))
    silences = tuple(draw(silence(settings[0])) for _ in range(draw(st.sampled_from([0, 0, 1, 2]))))
    protocol = Protocol(
        title="a random protocol",
        levels=draw(ladders(levels)) if rich else tuple(Level(one) for one in draw(st.sampled_from(LABELS))[:levels]),
        start=draw(st.integers(0, levels - 1)),
        counters=(Counter("pause"), Counter("late"))[:counters],
        advisers=(evolve(draw(decision_tables()), toxicities=draw(tabled)),) * tables,
        toxicities=(Toxicity("DLT", "T"), Toxicity("moderate", "M"), Toxicity("mild", "L"))[:classes],
        parts=tuple(draw(parts(setting, position, cap, common)) for position, setting in enumerate(settings)),
        verdicts=verdicts,
        result=draw(st.integers(0, len(verdicts) - 1)),
        bodies=(Body("committee"),),
        silences=tuple(evolve(one, text=f"{one.text} {number}") for number, one in enumerate(silences)),
    )
    return draw(on_grid(protocol)) if protocol.levels[0].position is not None else protocol


@st.composite
def rates(draw: Draw, protocol: Protocol) -> tuple[tuple[Fraction, ...], ...]:
    """True rates, `[t][l]`, in twentieths; now and then a toxicity that never or always comes."""
    first = [draw(st.one_of(st.integers(1, 10), st.integers(1, 10), st.sampled_from([0, 20]))) for _ in protocol.levels]
    rows = [first]
    for _ in protocol.toxicities[1:]:
        rows.append([draw(st.integers(0, min(8, 20 - sum(numbers)))) for numbers in zip(*rows, strict=True)])
    return tuple(tuple(Fraction(number, 20) for number in row) for row in rows)


@st.composite
def chances(draw: Draw, protocol: Protocol) -> dict[str, tuple[Fraction, ...]]:
    """Chances of the choices that people make, by rule name; some are left out."""
    found = {}
    for rule in (rule for part in protocol.parts for rule in part.rules):
        sizes = {len(case.gate.options) for case in rule.cases if case.gate is not None and case.gate.kind != "draw"}
        if len(sizes) == 1 and draw(st.booleans()):
            weights = draw(st.lists(st.integers(1, 4), min_size=max(sizes), max_size=max(sizes)))
            found[rule.name] = tuple(Fraction(weight, sum(weights)) for weight in weights)
    return found


# ---- levels off the ladder ----


def searches(levels: int) -> st.SearchStrategy[Place]:
    """The highest or lowest level at which something is true that levels off the ladder can have too."""
    closed, tried = HasStatus(THIS, "closed"), HasStatus(THIS, "tried")
    asked = [tried, Not(tried), closed, Not(closed), All((tried, Not(closed))), Tally(Range(1, None), 0)]
    asked += [Compare(THIS, way, Place("level", level)) for way in ("above", "below") for level in range(levels)]
    asked += [All((tried, about)) for about in (Standing("lower", "closed"), Not(Standing("higher", "tried")))]
    return st.builds(
        lambda kind, where: Place(kind, where=where),
        st.sampled_from(["highest where", "lowest where"]), st.sampled_from(asked),
    )  # fmt: skip


@st.composite
def off_ladder(draw: Draw) -> Protocol:
    """A small protocol with levels off the ladder, to which rules lead by name.

    From each level a cohort leads somewhere, with toxicity elsewhere; levels close on the way. It is counted how often
    a condition about the levels on one side, or about what a search finds, is true; other ones ways and ends depend on.
    """
    levels = draw(st.integers(3, 5))
    off = draw(st.sets(st.integers(0, levels - 1), min_size=1, max_size=min(2, levels - 2)))
    by_number = [Place("level", level) for level in range(levels)]
    sides = ["closed", "closed", "tried", "tried", "untried", "untried", "exists", "remains"]
    standing = st.builds(Standing, st.sampled_from(["higher", "lower"]), st.sampled_from(sides))
    search = searches(levels)
    other = st.sampled_from([THIS, NEXT_HIGHER, NEXT_LOWER, *by_number])
    found = st.builds(Compare, search, st.sampled_from(["above", "below", "same"]), other)
    condition = st.one_of(standing, standing, standing, found, st.builds(HasStatus, search, st.just("closed")))

    clear, toxic = Tally(Range(0, 0), 0, "cohort"), Tally(Range(1, None), 0, "cohort")
    most = draw(st.integers(3, 5))
    few, enough = Tally(Range(0, most), -1, "trial"), Tally(Range(most + 1, None), -1, "trial")
    rules = []
    for level in range(levels):
        here = Compare(THIS, "same", by_number[level])
        ways = st.sampled_from([NEXT_HIGHER, NEXT_LOWER, THIS, *by_number, *(by_number[one] for one in sorted(off))])
        for name, had in (("clear", clear), ("toxic", toxic)):
            up = draw(ways)
            asked: tuple[Guard, ...] = (here, had, few, possible(up))
            if draw(st.integers(0, 3)) == 0:
                asked = (*asked, draw(condition))
            rules.append(plain_rule(f"{name} {level}", All(asked), Enrol(up)))
        if level in off or draw(st.booleans()):
            what = draw(st.sampled_from([THIS, THIS, THIS, *by_number]))
            above = draw(st.integers(0, 3)) == 0
            rules.append(plain_rule(f"close {level}", All((here, toxic)), Close(what, above)))
    if draw(st.integers(0, 3)) == 0:
        place = draw(search)
        rules.append(plain_rule("found", All((toxic, few, possible(place))), Enrol(place)))
    rules = [evolve(rule, overrides=("stuck",)) if not rule.name.startswith("close") else rule for rule in rules]
    last, met = draw(condition), Tally(Range(1, None), 0, "counter")
    return Protocol(
        title="a random protocol with levels off the ladder",
        levels=tuple(Level(f"L{n}", off_ladder=n in off) for n in range(levels)),
        start=draw(st.sampled_from([n for n in range(levels) if n not in off])),
        counters=(Counter("met"),),
        toxicities=(Toxicity("DLT"),),
        parts=(Part("escalation", draw(st.integers(1, 2)), (
            *rules,
            plain_rule("count", draw(condition), Count(0)),
            plain_rule("stuck", few, Enrol(draw(st.sampled_from(by_number)))),
            plain_rule("true", All((enough, last)), Declare(1, draw(search)), Stop("true")),
            plain_rule("counted", All((enough, Not(last), met)), Stop("counted")),
            plain_rule("neither", All((enough, Not(last), Not(met))), Stop("neither")),
        ), (Limit("trial", None, most + 2),)),),
        verdicts=(Verdict("MTD"), Verdict("found")),
    )  # fmt: skip


# ---- rolling parts, with toxicities in later cycles ----

LATE = Toxicity("late-DLT", "L", later=True)
CLASSES = (
    (Toxicity("DLT"), LATE),
    (Toxicity("DLT"), LATE, Toxicity("moderate", "M")),
    (Toxicity("DLT"), Toxicity("moderate", "M"), LATE),
    (Toxicity("DLT"), LATE, Toxicity("moderate", "M"), Toxicity("late-moderate", "S", later=True)),
)


@st.composite
def rolling_atoms(draw: Draw, toxicities: tuple[Toxicity, ...], levels: int) -> Guard:
    """A condition of a rolling part: patients who are pending, enrolled or known, or those with a toxicity so far."""
    setting = Setting(levels, len(toxicities), 1, 1, 1)
    place = draw(st.sampled_from([THIS, THIS, NEXT_LOWER, NEXT_HIGHER]))
    match draw(st.sampled_from(["here"] * 5 + ["tally", "tally", "pending", "share", "standing", "compare"])):
        case "here":
            return Tally(draw(st.sampled_from([Range(0, 0), Range(1, None)])), draw(counted(range(len(toxicities)))))
        case "tally":
            scope = draw(st.sampled_from(["level", "part", "trial"]))
            what = draw(st.one_of(st.just(-1), counted(range(len(toxicities)))))
            return Tally(draw(ranges(2)), what, scope, place if scope == "level" else THIS)
        case "pending":
            count = draw(st.sampled_from([Range(0, 0), Range(1, None), Range(2, None)]))
            return Tally(count, draw(st.sampled_from([-2, (-2, -1)])), place=place)
        case "share":
            known = [number for number, one in enumerate(toxicities) if not one.later]
            return Share(draw(ranges(2)), "all", 2, draw(counted(known)), place)
        case "standing":
            return Standing(draw(st.sampled_from(["higher", "lower"])), draw(st.sampled_from(["exists", "remains"])))
    return Compare(THIS, draw(st.sampled_from(["above", "same"])), draw(places(setting)))


@st.composite
def rolling(draw: Draw) -> Protocol:
    """A small rolling protocol with toxicities in later cycles, which may go on with one cohort of a further part."""
    toxicities = draw(st.sampled_from(CLASSES))
    levels, most = draw(st.sampled_from([(2, 2), (3, 1), (1, 3), (2, 1)]))
    nobody_pending, anything = Tally(Range(0, 0), -2), Tally(Range(0, None), -1)
    room = {place: Tally(Range(0, most - 1), (-2, -1), place=place) for place in (THIS, NEXT_HIGHER, NEXT_LOWER)}
    moves: list[tuple[tuple[Guard, ...], tuple[Move, ...]]] = [
        ((room[place],), (Enrol(place, 1),)) for place in room
    ]  # fmt: skip
    moves += [
        ((), (Close(THIS),)),
        ((room[NEXT_LOWER],), (Close(THIS), Enrol(NEXT_LOWER, 1))),
        ((), (Declare(0, THIS), Stop(None))),
        ((), (Declare(0, None), Stop(None))),
        ((), (Begin(1, THIS),)),
    ]
    # at the end it is told which of two toxicities there are
    two = draw(st.permutations(range(len(toxicities))))[:2]
    counts = {"no": Range(0, 0), "any": Range(1, None)}
    last = {
        f"{one}, {other}": tuple(Tally(counts[n], what, "trial") for n, what in zip((one, other), two, strict=True))
        for one in counts for other in counts
    }  # fmt: skip
    rules = []
    for number in range(draw(st.integers(1, 3))):
        needed, made = draw(st.sampled_from(moves))
        some = draw(st.lists(rolling_atoms(toxicities, levels), min_size=1, max_size=2))
        rules.append(evolve(plain_rule(f"rule {number}", All((*some, *needed)), *made), overrides=("stay", *last)))
    rules.append(plain_rule("stay", room[THIS], Enrol(THIS, 1)))
    rules += [
        plain_rule(name, All((nobody_pending, Not(room[THIS]), *counts)), Stop(name)) for name, counts in last.items()
    ]
    late = draw(st.sampled_from([number for number, one in enumerate(toxicities) if one.later]))
    seen = Tally(Range(1, None), late, draw(st.sampled_from(["level", "trial"])))
    after = (plain_rule("late", seen, Stop("late")), plain_rule("none", All((anything, Not(seen))), Stop("none")))
    return Protocol(
        title="a random rolling protocol", levels=tuple(Level(str(n + 1)) for n in range(levels)), start=0,
        toxicities=toxicities,
        parts=(Part("escalation", 1, tuple(rules), rolling=True), Part("expansion", draw(st.integers(1, 2)), after)),
        verdicts=(Verdict("MTD"),),
    )  # fmt: skip
