"""From what the grammar recognises to nodes: for each rule and alias of the grammar, how its node is built.

The parser builds a node as soon as its rule is complete, from the children in the order written: nodes, and keywords
as tokens.
"""

from __future__ import annotations

from fractions import Fraction

from lark import Token

from doselang.syntax import nodes as n
from doselang.syntax.building import (
    begin_of,
    chance_is_of,
    claim_of,
    climb_of,
    draw_of,
    engine_of,
    example_of,
    level_standing_of,
    levels_of,
    may_of,
    next_lower_of,
    rate_is_of,
    row_when_of,
    table_of,
    tally_is_of,
)
from doselang.syntax.picking import (
    AMOUNTS,
    ASSUMPTIONS,
    BASIS,
    GIVEN,
    GUARDS,
    MOVES,
    PLAIN_MOVES,
    PROPORTIONS,
    Along,
    Closings,
    Columns,
    Default,
    Entry,
    Further,
    Kid,
    LeftOut,
    Less,
    Limits,
    More,
    Moves,
    Settings,
    Size,
    Tail,
    Word,
    along_of,
    child,
    every,
    fixed,
    literal,
    maybe,
    node,
    of_token,
    one,
    over,
    passed,
    place_of,
    said,
    status,
    word,
)


class Shape:
    """What the parser calls; it keeps nothing. Names in capitals are kinds of words and numbers, the others rules."""

    # ---- words and values ----

    NAME = of_token(n.Name)
    LABEL = of_token(n.Label)
    NEGATIVE = of_token(n.Label)
    UNIT = of_token(n.Unit)
    LETTER = of_token(Word)

    def STRING(self, token: Token) -> n.Text:
        return n.Text(token[1:-1], span=place_of(token))

    def NUMBER(self, token: Token) -> n.Number:
        value = Fraction(int(token)) if token.isdigit() else Fraction(str(token))
        return n.Number(value, str(token), span=place_of(token))

    def parameter_name(self, kids: list[Kid]) -> n.Name:
        """A name, also one that is a word of the language, which is then written small."""
        return kids[0] if isinstance(kids[0], n.Name) else n.Name(str(kids[0]).lower(), span=over(kids))

    def parameter_value(self, kids: list[Kid]) -> n.Parameter:
        return n.Parameter(self.parameter_name(kids), span=over(kids))

    def label(self, kids: list[Kid]) -> n.Label:
        return n.Label(kids[0].text, span=over(kids))

    plain_number = passed()
    number = passed()
    percent = node(n.Percent, child(0))
    fraction = node(n.Ratio, child(0), child(2))
    duration = node(n.Duration, child(0), word)
    hours = literal(Word, "hours")
    days = literal(Word, "days")
    weeks = literal(Word, "weeks")
    cycles = literal(Word, "cycles")
    months = literal(Word, "months")

    # ---- header, notices ----

    def start(self, kids: list[Kid]) -> list[n.Statement]:
        return kids

    protocol = node(n.ProtocolTitle, one(n.Text))
    text = node(n.TextFile, one(n.Text))
    parameter = node(
        n.ParameterDecl, one(n.Name), every(*GIVEN), every(n.Operator), maybe(n.Unit), maybe(n.Bounds), maybe(n.Means)
    )
    times = literal(n.Operator, "times")
    plus = literal(n.Operator, "plus")
    less_than = literal(n.Operator, "less")
    bounds = node(n.Bounds, child(1), child(3))

    def dose_unit(self, kids: list[Kid]) -> n.Unit:
        return n.Unit("/".join(kid.text for kid in kids if isinstance(kid, n.Name)), span=over(kids))

    def use_design(self, kids: list[Kid]) -> n.UseDesign:
        given, left_out = maybe(Settings)(kids), maybe(LeftOut)(kids)
        settings, names = given.settings if given else (), left_out.names if left_out else ()
        return n.UseDesign(one(n.Text)(kids), settings, names, span=over(kids))

    def with_values(self, kids: list[Kid]) -> Settings:
        """A value alone, after a comma, is a further one of the list before it."""
        found: list[n.Setting] = []
        for kid in kids:
            if isinstance(kid, n.Setting):
                found.append(kid)
            elif isinstance(kid, GIVEN):
                last = found[-1]
                found[-1] = n.Setting(last.name, (*last.values, kid), span=last.span.to(kid.span))
        return Settings(tuple(found), span=over(kids))

    setting = node(n.Setting, one(n.Name), every(*GIVEN))

    def setting_by_word(self, kids: list[Kid]) -> n.Setting:
        value = n.Parameter(self.parameter_name(kids[1:]), span=over(kids[1:]))
        return n.Setting(self.parameter_name(kids[:1]), (value,), span=over(kids))

    given_number = passed()
    given_percent = node(n.Percent, child(0))
    given_fraction = passed()
    without = node(LeftOut, every(n.Text))

    def given_parameter(self, kids: list[Kid]) -> n.Parameter:
        return n.Parameter(kids[0], span=over(kids))

    rate = passed()
    rate_parameter = given_parameter
    assume = node(n.Assume, child(1), child(3))
    silent = node(n.Silent, one(n.Text), maybe(*GUARDS))
    background = node(n.Background, one(n.Text))

    # ---- treatment ----

    cycle = node(n.Cycle, one(n.Duration), every(n.Cites))
    component = node(n.Component, one(n.Name), maybe(n.Unit), every(n.Cites))
    ladder = node(n.Ladder, one(n.Name), maybe(n.Text), every(n.Cites))
    level = node(n.Level, one(n.Label), every(n.Dose), said("off the ladder"))
    off_ladder = literal(Word, "off the ladder")
    grid = node(n.Grid, child(1), child(3), every(n.Cites))
    axis = node(n.Axis, child(0), every(*AMOUNTS))
    dose = node(n.Dose, child(0), child(1))
    dose_in_words = dose

    levels = levels_of

    climb = climb_of

    further = node(Further, child(0), every(Tail))
    doubling = node(n.Doubling)
    by_step = passed(1)
    rounded = node(Tail, fixed("rounded"), child(2))
    up_to = node(Tail, fixed("up"), child(2))
    start_at = node(n.Start, lambda kids: one(n.Place)(kids).label, every(n.Cites))

    # ---- what is counted, and who decides ----

    toxicity = node(
        n.Toxicity, one(n.Name), maybe(n.Within, n.WithinCycles), maybe(n.Written), maybe(n.Means), every(n.Cites),
        said("in later cycles"), lambda kids: every(n.Name)(kids)[1:],
    )  # fmt: skip
    in_later_cycles = literal(Word, "in later cycles")
    event = node(n.Event, one(n.Name), maybe(n.Written), maybe(n.Means), every(n.Cites))
    within = node(n.Within, one(n.Duration))
    within_cycle = node(n.WithinCycles, child(2), lambda kids: kids[4] if len(kids) > 4 else None)
    written = node(n.Written, word)
    means = node(n.Means, one(n.Text))
    cites = node(n.Cites, one(n.Text))
    evaluability = node(n.Evaluability, one(n.Means), every(n.Cites))
    replace = node(n.Replace, every(n.Cites))
    counter = node(n.Counter, one(n.Name), maybe(n.Means), every(n.Cites))
    body = node(n.Body, one(n.Name), maybe(n.Means), every(n.Cites))
    verdict = node(
        n.Verdict, one(n.Name), said("as the result"), maybe(n.Means), maybe(*GUARDS), every(n.Cites)
    )  # fmt: skip
    as_result = literal(Word, "as the result")
    requires = passed(1)

    # ---- advisers ----

    table = table_of
    table_in_part = literal(Word, "in part")

    from_file = passed(1)
    by_evaluable = node(Columns, every(*AMOUNTS))

    row_when = row_when_of

    row_otherwise = node(n.Row, child(0), fixed(None), fixed(None), fixed(()))
    table_entry = node(Entry, child(0))
    entry_none = node(Entry, fixed(None))
    says_escalate = literal(n.Advice, "escalate")
    says_stay = literal(n.Advice, "stay")
    says_de_escalate = literal(n.Advice, "de-escalate")
    says_stop = literal(n.Advice, "stop")
    says_name = node(n.Advice, lambda kids: kids[0].text)

    engine = engine_of

    argument_named = node(n.Argument, child(0), lambda kids: tuple(kids[1:]))
    argument_more = node(More, child(0))
    argument_word = passed()

    def argument_negative(self, kids: list[Kid]) -> n.Label:
        return n.Label(str(kids[0].text), span=over(kids))

    # ---- sections ----

    part = node(n.Part, one(n.Name), maybe(n.Text), every(n.Cites))
    cohorts = node(n.Cohorts, child(2), every(n.Cites))
    sentinel = node(n.Sentinel, word, one(n.Duration), every(n.Cites))
    each_new_level = literal(Word, "new level")
    each_cohort = literal(Word, "cohort")
    look = node(n.Look, every(n.Cites))
    accrue = node(
        n.Accrue, lambda kids: one(Limits)(kids).low, lambda kids: one(Limits)(kids).high, word, every(n.Cites)
    )
    cap = node(Limits, fixed(None), child(2))
    floor = node(Limits, child(2), fixed(None))
    floor_and_cap = node(Limits, child(2), child(6))
    per_level = literal(Word, "level")
    per_part = literal(Word, "part")
    per_trial = literal(Word, "trial")
    course = node(n.Course, said("may escalate"), every(n.Cites))
    may_escalate = literal(Word, "may escalate")
    state = node(n.State, one(n.Name), said("final"), maybe(n.Means), every(n.Cites))
    final = literal(Word, "final")

    # ---- rules ----

    rule = node(n.Rule, one(n.Text), said("at any time"), every(*BASIS), every(n.Case))
    at_any_time = literal(Word, "at any time")
    overrides = node(n.Overrides, every(n.Text))
    replaces = node(n.Replaces, every(n.Text))
    case = node(n.Case, child(1), lambda kids: kids[3].moves)

    # ---- conditions ----

    any_of = node(n.AnyOf, every(*GUARDS))
    all_of = node(n.AllOf, every(*GUARDS))
    negated = node(n.Negated, child(1))
    grouped = node(n.Grouped, child(1))

    share_is = node(n.Share, child(0), one(n.Group), one(n.Name), maybe(n.Place))
    share_none = literal(n.Quantifier, "none")
    share_any = literal(n.Quantifier, "any")
    share_all = literal(n.Quantifier, "all")
    share_bounded = node(n.Bound, word, child(1))
    share_exactly = passed()
    group_all = node(n.Group, fixed("all"), child(0))
    group_first = node(n.Group, fixed("first"), child(1))
    group_added = node(n.Group, fixed("added"), child(1))

    tally_is = tally_is_of

    count_none = literal(n.Quantifier, "none")
    count_any = literal(n.Quantifier, "any")
    count_bounded = share_bounded
    count_between = node(n.Between, child(1), child(3))
    count_bare = passed()
    at_least = literal(Word, "at least")
    at_most = literal(Word, "at most")
    more_than = literal(Word, "more than")
    fewer_than = literal(Word, "fewer than")
    exactly = literal(Word, "exactly")
    tally_evaluable = literal(Word, "evaluable")
    tally_pending = literal(Word, "pending")
    tally_enrolled = literal(Word, "enrolled")
    tally_cycles = literal(Word, "cycles")
    tally_of = passed()

    rate_is = rate_is_of

    less = node(Less, child(1), child(2))

    chance_is = chance_is_of
    rates_above = node(n.RateRange, child(1), fixed(None))
    rates_below = node(n.RateRange, fixed(None), child(1))
    rates_between = node(n.RateRange, child(1), child(3))

    says = node(n.Says, child(0), one(n.Advice))
    recommends = node(n.Recommends, child(0), said("no"))
    sentinel_has = node(n.SentinelHas, one(n.Name))

    amount_number = passed()
    amount_percent = passed()
    amount_fraction = passed()
    in_trial = literal(n.Scope, "trial")
    in_part = literal(n.Scope, "part")
    in_cohort = literal(n.Scope, "cohort")
    in_named_part = node(n.Scope, fixed("named"), child(1))

    place_is = node(n.PlaceIs, child(0), said("not"), child(-1))
    inverse = literal(Word, "not")
    has_status = passed()
    is_open = status("open")
    is_closed = status("closed")
    is_tried = status("tried")
    is_untried = status("untried")
    too_toxic = literal(Word, "too toxic")
    is_above = node(n.Compared, fixed("above"), child(1))
    is_below = node(n.Compared, fixed("below"), child(1))
    is_place = node(n.Compared, fixed("same"), child(0))
    is_declared = literal(n.Mark, "declared")
    is_entered = literal(n.Mark, "entered")

    declared_before = node(n.DeclaredBefore, child(0))
    any_verdict = node(n.AnyVerdict, said("no"))
    none_at_all = literal(Word, "no")
    higher = literal(Word, "higher")
    lower = literal(Word, "lower")
    exists = literal(Word, "exists")
    remains = literal(Word, "remains")
    standing_is = passed(1)

    level_standing = level_standing_of

    happened = node(n.Happened, child(0))
    nothing_happened = literal(n.Fact, "no event")
    something_happened = literal(n.Fact, "any event")
    cohort_complete = literal(n.Fact, "cohort complete")
    trial_stopped = literal(n.Fact, "trial stopped")

    # ---- places ----

    place = passed()
    this_level = literal(n.Place, "this")
    along = node(Along, child(1))
    where = passed(2)
    next_higher = node(n.Place, fixed("next higher"), fixed(None), fixed(None), lambda kids: along_of(kids))
    lowest = node(n.Place, fixed("lowest"), fixed(None), fixed(None), fixed(None), maybe(*GUARDS))
    highest = node(n.Place, fixed("highest"), fixed(None), fixed(None), fixed(None), maybe(*GUARDS))
    level_recommended = node(n.Place, fixed("recommended"), fixed(None), child(1))
    start_level = literal(n.Place, "start")
    assigned_level = literal(n.Place, "assigned")
    level_named = node(n.Place, fixed("level"), child(1))
    verdict_level = node(n.Place, fixed("verdict"), fixed(None), child(0))
    that_remains = literal(Word, "that remains")

    next_lower = next_lower_of

    # ---- moves ----

    moves = node(Moves, every(*MOVES))
    ask = node(n.Ask, one(n.Name), every(n.Option), lambda kids: (maybe(Default)(kids) or Default(None)).option)
    by_default = node(Default, one(n.Option))
    chance_amount = passed()
    option = node(n.Option, every(*PLAIN_MOVES))

    may = may_of

    draw = draw_of

    escalate = node(n.Step, fixed("escalate"), maybe(*AMOUNTS), lambda kids: along_of(kids))
    de_escalate = node(n.Step, fixed("de-escalate"), maybe(*AMOUNTS), lambda kids: along_of(kids))
    stay = literal(n.Step, "stay")
    enrol = node(n.Enrol, child(1), said("more"), maybe(n.Place))
    enrol_rest = node(n.EnrolRest)
    fill = node(n.Fill, child(1), child(3))
    backfill = node(n.Backfill, child(1), one(n.Place))
    count_one = node(n.CountOne, child(1))
    reset = node(n.Reset, child(1))
    close = node(n.Close, one(n.Place), said("with all above"), said("too toxic"))
    declare = node(n.Declare, maybe(n.Place), one(n.Name))
    declare_no = declare
    step_count = passed()
    component_step = node(Along, child(1))
    begin_size = node(Size, child(1), said("more"))
    begin_filling = node(n.Begin, one(n.Name), one(n.Place), child(5), fixed(False), fixed(True))

    begin = begin_of

    stop = node(n.Stop, maybe(n.Text))
    continue_treatment = node(n.Continue, maybe(n.Place))
    enter = node(n.Enter, one(n.Name), maybe(n.Place))
    more = literal(Word, "more")
    with_all_above = literal(Word, "with all above")

    # ---- claims, examples, scenarios ----

    claim = claim_of

    in_course = literal(Word, "in patient course")
    never = literal(Word, "never")
    always = literal(Word, "always")
    eventually = literal(Word, "eventually")

    example = example_of

    of_patient = literal(Word, "patient")
    circumstance = node(Closings, every(n.Label))
    expect_moves = passed()
    expect_wait = literal(Word, "wait")
    expect_gap = literal(Word, "gap")
    expect_silence = literal(Word, "silence")
    expect_conflict = literal(Word, "conflict")

    def closed_level(self, kids: list[Kid]) -> n.Label:
        label: n.Label = kids[0].label
        return label

    scenario = node(n.Scenario, one(n.Text), every(*ASSUMPTIONS))
    rates = node(n.Rates, one(n.Name), every(*PROPORTIONS, n.Parameter))
    hazards = node(n.Hazards, one(n.Name), every(*PROPORTIONS, n.Parameter))
    chances = node(n.Chances, one(n.Text), every(*PROPORTIONS, n.Parameter))
