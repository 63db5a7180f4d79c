"""What things are called in messages about syntax: kinds of words, what they make up, models of statements."""

from __future__ import annotations

from lark import Token

from doselang.syntax.scene import Scene, shown
from doselang.syntax.tables import END

FRIENDLY = {
    "NAME": "a name", "STRING": "a sentence in quotation marks", "NUMBER": "a number", "LABEL": "a level's label",
    "NEGATIVE": "a negative number",
    "UNIT": "a unit such as `mg`", "LETTER": "a single capital letter", END: "the end of the file",
}  # fmt: skip
"""What kinds of words are called; keywords and signs are called what they are."""

NEW_STATEMENT = "a new statement"

GROUPS = (
    (NEW_STATEMENT, ()),
    ("a condition such as `none of 3 patients has a DLT`", ("SILENT", "STRING", "WHEN")),
    ("a move such as `escalate` or `enrol 3`", ("RULE", "STRING", "WHEN", "NAME", "THEN")),
    ("a level such as `this level` or `level 2`", ("RULE", "STRING", "WHEN", "NAME", "THEN", "CLOSE")),
    ("a level's label such as `2`", ("LEVEL",)),
    ("a number", ("COHORTS", "OF")),
    ("a unit of time such as `days`", ("CYCLE", "IS", "NUMBER")),
    ("a bound such as `at most 33%`", ("SILENT", "STRING", "WHEN", "NAME", "RATE", "IS")),
)
"""What can stand after these words, together, has one name."""

MOST_EXPECTED = 5

SENTENCES = {
    "RULE": "The name of a rule", "CLAIM": "The name of a claim", "SCENARIO": "The name of a scenario",
    "PROTOCOL": "The title", "TEXT": "The name of the file", "CITES": "A citation", "MEANS": "A meaning",
    "ASSUME": "An assumption", "BECAUSE": "A reason", "SILENT": "What the text does not say",
    "BACKGROUND": "A sentence of the text", "EXAMPLE": "A history", "PATIENT": "A history", "STOP": "A reason",
    "USE": "The name of a design", "OVERRIDES": "The name of a rule", "REPLACES": "The name of a rule",
    "WITHOUT": "The name of a rule", "BY": "The name of a rule", "CHANCE": "The name of a rule",
}  # fmt: skip
"""What a sentence in quotation marks is, by the word before it."""

ENDINGS = (
    ("DOUBLING", "Add how the doses rise, such as `by 40%`, `by 5` or `doubling`."),
    ("THEN", "Add `then` and a move, such as `then escalate`."),
    ("BECAUSE", 'Add `because "…"` with the reason.'),
    ("NEVER", "Add what must hold: `never`, `always` or `eventually`, and a condition."),
    ("WHEN", "Add `when`, a condition, `then` and a move."),
    ("PERCENT", "Rates are percentages: add `%`."),
    ("AS", "Add the verdict, such as `declare this level as MTD`."),
    ("AGREES", "Add `agrees, otherwise` and a move."),
    ("OTHERWISE", "Add `otherwise` and a move: what is done if not."),
    ("IF", "Add whose decision it is: `if the investigator agrees, otherwise …`."),
    ("CHOOSE", "Add the moves to choose from, such as `to choose escalate or stay`."),
    ("ESCALATE", "Write what is done, such as `escalate`, `enrol 3 more` or `stop`."),
    ("CHANCE", "Add the true rates, such as `DLT 10%, 20%, 30%`."),
    ("RPAR", "Close the parenthesis: `)`."),
    ("OR", "Add `or` and another move to choose."),
    ("EVALUABLE", "Add the columns and rows, such as `by evaluable 3, 6` and `escalate when DLT at most 0, 1`."),
)
"""What to add to a statement that ends too early, by what is missing."""

MODELS = {
    "ACCRUE": "accrue at most 6 patients at a level", "ASSUME": 'assume "…" because "…"',
    "BACKGROUND": 'background "…"',
    "BODY": "body investigator", "CLAIM": 'claim "…" never this level is above level 2', "COHORTS": "cohorts of 3",
    "COMPONENT": "component ibrutinib in mg", "COUNTER": "counter pause", "CYCLE": "cycle is 28 days",
    "EVENT": "event progression  written P",
    "EVALUABILITY": 'evaluability means "…"', "GRID": "grid ibrutinib 140, 280 by lenalidomide 10, 15",
    "LADDER": "ladder combination", "LOOK": "look at every arrival",
    "SENTINEL": "sentinel of each new level for 14 days",
    "TABLE": "table boundaries  by evaluable 3, 6  escalate when DLT at most 0, 1",
    "EXAMPLE": 'example "1NNN"  then escalate', "LEVEL": "level 1  ibrutinib 420", "LEVELS": "levels 1 to 5",
    "PARAMETER": "parameter top is 5", "PART": "part escalation", "PATIENT": "patient course",
    "PROTOCOL": 'protocol "…"', "REPLACE": "replace inevaluable patients",
    "RULE": 'rule "…"  when none of 3 patients has a DLT  then escalate', "SCENARIO": 'scenario "…"  DLT 10%, 20%, 30%',
    "SILENT": 'silent "…"', "START": "start at level 1", "STATE": "state on-treatment", "TEXT": 'text "protocol.md"',
    "TOXICITY": "toxicity DLT  within cycle 1  written T", "USE": 'use "three-plus-three"  with levels 4',
    "VERDICT": "verdict RP2D as the result",
}  # fmt: skip
"""A model of each statement."""


def groups(scene: Scene) -> tuple[list[str], set[str]]:
    """What could stand there and has one name together, and the kinds of words that are left."""
    left, names = set(scene.expected), []
    for name, words in GROUPS:
        members = scene.grammar.accepts(scene.grammar.walk(words))
        if members <= left:
            left -= members
            names.append(name)
    return names, left


def expectation(scene: Scene) -> str:
    """What can come there, in a few words."""
    names, left = groups(scene)
    seldom = {"LEVELS", "COHORTS", "MAY", "ASK", "PATIENTS", END} | ({"NAME", "LABEL"} if names else set())
    left = left - seldom or (left if not names else set())
    names = [FRIENDLY[kind] for kind in sorted(left) if kind in FRIENDLY] + names
    literal = sorted(f"`{scene.grammar.spelled[kind]}`" for kind in left if kind in scene.grammar.spelled)
    room = max(MOST_EXPECTED - len(names), 0)
    items = literal[:room] + names
    lead = "among others " if len(literal) > room else ""
    return lead + (items[0] if len(items) < 2 else f"{', '.join(items[:-1])} or {items[-1]}")


def quoted(token: Token) -> str:
    """A word of the file as it is quoted in a message."""
    return f"`{shown(token)}`"


def model(scene: Scene) -> str | None:
    """How a statement of the kind is written; what a rule or a condition says cannot be foreseen."""
    inside = {"WHEN", "NEVER", "ALWAYS", "EVENTUALLY", "REQUIRES", "THEN"} & {token.type for token in scene.seen}
    return None if inside or scene.head in ("RULE", "") else f"Write for example `{MODELS[scene.head]}`."
