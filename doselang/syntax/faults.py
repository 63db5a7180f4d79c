"""From the place of a syntax fault to what is said about it: what was found, what was expected, what to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from lark import Token

from doselang.syntax.lexer import DIGITS, NUMBER_WORD
from doselang.syntax.phrases import MOVE_WORDS, STATEMENT_WORDS, find_phrase, near
from doselang.syntax.quotes import SIGN_HINTS, plural
from doselang.source import Span
from doselang.syntax.scene import MOST_AHEAD, Fault, Scene, shown, where
from doselang.syntax.tables import END

FRIENDLY = {
    "NAME": "a name", "STRING": "a sentence in quotation marks", "NUMBER": "a number", "LABEL": "a level's label",
    "UNIT": "a unit such as `mg`", "LETTER": "a single capital letter", END: "the end of the file",
}  # fmt: skip
"""What kinds of words are called; keywords and signs are called what they are."""

GROUPS = (
    ("a new statement", ()),
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
    "OVERRIDES": "The name of a rule", "BY": "The name of a rule", "CHANCE": "The name of a rule",
}  # fmt: skip
"""What a sentence in quotation marks is, by the word before it."""

ENDINGS = (
    ("THEN", "Add `then` and a move, such as `then escalate`."),
    ("BECAUSE", 'Add `because "…"` with the reason.'),
    ("WHEN", "Add `when`, a condition, `then` and a move."),
    ("NEVER", "Add what must hold: `never`, `always` or `eventually`, and a condition."),
    ("PERCENT", "Rates are percentages: add `%`."),
    ("AS", "Add the verdict, such as `declare this level as MTD`."),
    ("AGREES", "Add `agrees, otherwise` and a move."),
    ("OTHERWISE", "Add `otherwise` and a move: what is done if not."),
    ("IF", "Add whose decision it is: `if the investigator agrees, otherwise …`."),
    ("CHOOSE", "Add the moves to choose from, such as `to choose escalate or stay`."),
    ("ESCALATE", "Write what is done, such as `escalate`, `enrol 3 more` or `stop`."),
    ("CHANCE", "Add the true rates, such as `DLT 10%, 20%, 30%`."),
    ("LABEL", "Write `this level`, or a level's label, such as `level 2`."),
    ("STRING", 'Write it in quotation marks, on one line: `"…"`.'),
)
"""What to add to a statement that ends too early, by what is missing."""

NOISE = frozenset(
    "STATE PART BODY EVENT TOXICITY VERDICT COMPONENT LEVEL PATIENT PATIENTS COHORT WHEN THEN AND OF AT IS TO IN COMMA RPAR".split()
)
"""Words that may be left out where they cannot stand; others probably mean something."""

TIMES = {"h": "hours", "d": "days", "w": "weeks", "m": "months", "c": "cycles"}
UNITS = re.compile(r"(?:mc?g|ng|k?g|[uµ]g|ml|l|iu|[mgk]?bq|gy|cells|m?mol|vg)(?:/\S*)?", re.IGNORECASE)


def diagnose(scene: Scene, run_on: Scene | None = None) -> Fault:
    """What to say about a fault: the first hint that fits.

    `run_on` is the place where the faulty statement begins, if that is inside a line: perhaps it is none, and the
    fault is there, as in `stop toxicity is too high`.
    """
    if run_on is not None:
        fault = phrase(run_on) or unquoted_sentence(run_on)
        if fault is not None:
            return fault
    for hint in HINTS:
        fault = hint(scene)
        if fault is not None:
            return fault
    return unexpected(scene)


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
    """What could stand there, in a few words."""
    names, left = groups(scene)
    left -= {"LEVELS", "COHORTS", "MAY", "ASK", "PATIENTS", END} | ({"NAME", "LABEL"} if names else set())
    kinds = [FRIENDLY[kind] for kind in sorted(left) if kind in FRIENDLY]
    literal = sorted(f"`{scene.grammar.spelled[kind]}`" for kind in left if kind in scene.grammar.spelled)
    items = (literal + kinds + names if len(literal) < MOST_EXPECTED else names + kinds + literal)[:MOST_EXPECTED]
    return items[0] if len(items) < 2 else f"{', '.join(items[:-1])} or {items[-1]}"


def quoted(token: Token) -> str:
    """A word of the file as it is quoted in a message."""
    return f"`{shown(token)}`"


# ---- phrases and habits ----


def phrase(scene: Scene) -> Fault | None:
    """A phrase that the language says otherwise."""
    before = scene.seen[-4:]
    words = [str(token) if token[:1].isalnum() else '"' for token in (*before, scene.found, *scene.ahead[:4])]
    if scene.found.type == END:
        return None
    hit = find_phrase(words, len(before))
    if hit is None:
        return None
    known, write, first, last = hit
    tokens = [*before, scene.found, *scene.ahead[:4]][first : last + 1]
    span = where(tokens[0], tokens[-1])
    if write.startswith("the "):
        article = re.search(r"\bthe\s+$", scene.text[max(span.start - 8, 0) : span.start])
        span = Span(span.start - len(article[0]) if article else span.start, span.end)
    found = shown(scene.text[span.start : span.end])
    match known.kind:
        case "else" | "if" if first != len(before):
            return None
        case "else":
            help = "Write a second `when … then …` in the same rule, with the condition of this case."
            return scene.fault("There is no `else`: each case has its own condition.", help, span)
        case "if" if "WHEN" in scene.expected and not scene.complete:
            return scene.fault("A condition begins with `when`, not with `if`.", "Write `when`.", span)
        case "if":
            help = "Write `when CONDITION then MOVE`; a further case is a second `when … then …`."
            return scene.fault("A condition stands before the move, and begins with `when`.", help, span)
        case "share":
            return scene.fault("Of how many patients?", f"Write for example `{write}`.", span)
        case "level":
            return scene.fault(f"Which level is `{found}`?", f"Did you mean `{write}`?", span)
        case "expand":
            return scene.fault(
                f"`{found}` is not a move of the language.", f"Say how many more patients, such as `{write}`.", span
            )
    return scene.fault(f"`{found}` is not a phrase of the language.", f"Write `{write}`.", span)


def at_any_time(scene: Scene) -> Fault | None:
    """`at any time` after the condition."""
    window = [*scene.seen[-2:], scene.found, *scene.ahead[:2]]
    kinds = [token.type for token in window]
    place = next((i for i in range(len(kinds) - 2) if kinds[i : i + 3] == ["AT", "ANY", "TIME"]), None)
    if place is None:
        return None
    span = where(window[place], window[place + 2])
    if scene.head != "RULE" or len(scene.seen) < 2:
        return scene.fault("`at any time` is said of a rule only.", "Leave it out, or write a rule.", span)
    help = f"Write `rule {shown(scene.seen[1], 60)}  at any time`."
    return scene.fault("`at any time` belongs after the rule's name.", help, span)


def which_level(scene: Scene) -> Fault | None:
    """`level is closed`, `close` and nothing after it, `at lower level`."""
    if scene.last == "CLOSE" and scene.found.type != "NAME" and scene.reach("THIS", "LEVEL") >= 0:
        if scene.at_end or scene.reach("THIS", "LEVEL") > 0:
            help = "Write `close this level as too toxic`, or another level, such as `level 2`."
            return scene.fault("It is not said which level is closed.", help, where(scene.seen[-1]))
    if scene.last == "LEVEL" and len(scene.seen) > 1 and "LABEL" in scene.expected and not scene.at_end:
        if scene.is_word or scene.found.type in ("COMMA", "RPAR"):
            help = "Write `this level`, `the next lower level`, or its label, such as `level 2`."
            return scene.fault("`level` alone does not say which level.", help, where(scene.seen[-1]))
    if scene.found.type in ("LOWER", "HIGHER") and scene.following == "LEVEL" and "NEXT" in scene.expected:
        write = f"the next {scene.found.lower()} level"
        span = where(scene.found, scene.ahead[0])
        return scene.fault(f"Which {scene.found.lower()} level?", f"Write `{write}`.", span)
    return None


def number_in_letters(scene: Scene) -> Fault | None:
    """`three`."""
    if scene.found.type != NUMBER_WORD:
        return None
    return scene.fault("Numbers are written in digits.", f"Write `{DIGITS[scene.found.lower()]}`.")


def glued_unit(scene: Scene) -> Fault | None:
    """`28d`, `420mg`, `420 mg`."""
    glued = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Zµ/]+)", scene.found) if scene.found.type in ("LABEL", "?SIGN") else None
    if glued and "NUMBER" in scene.expected and "LABEL" not in scene.expected:
        time = TIMES.get(glued[2][:1].lower())
        if time and "DAYS" in scene.grammar.accepts(scene.grammar.walk([t.type for t in scene.seen] + ["NUMBER"])):
            return scene.fault("A number and its unit of time are two words.", f"Write `{glued[1]} {time}`.")
        help = f"Write `{glued[1]}`; a unit is declared once, such as `component ibrutinib in mg`."
        return scene.fault("A dose is written without its unit.", help)
    if scene.found.lower() == "per" and scene.last == "UNIT" and scene.ahead:
        write = f"{scene.seen[-1]}/{scene.ahead[0]}"
        return scene.fault("A unit is one word.", f"Write `{write}`.", where(scene.seen[-1], scene.ahead[0]))
    if scene.head == "LEVEL" and scene.last == "NUMBER" and UNITS.fullmatch(scene.found):
        help = f"Leave out {quoted(scene.found)}; a unit is declared once, such as `component ibrutinib in mg`."
        return scene.fault("A dose is written without its unit.", help)
    return None


def capital_article(scene: Scene) -> Fault | None:
    """`The` at the beginning of a phrase."""
    for back, token in enumerate([scene.found, *reversed(scene.seen[-3:])]):
        if token.type == "NAME" and token in ("The", "THE", "An", "AN", "A"):
            if (scene.reach(skip=1) if back == 0 else scene.reach_without(back)) > 0:
                message = f"`{token}` is read as a name; articles are written in small letters."
                return scene.fault(message, f"Write `{token.lower()}`.", where(token))
    return None


def count_after_noun(scene: Scene) -> Fault | None:
    """`DLT at least 2`, `33% of patients`."""
    if scene.found.type == "PERCENT" and "OF" in scene.expected:
        span = where(scene.seen[-1], scene.found)
        return scene.fault("A percentage is said of a rate.", "Write for example `the DLT rate is at least 33%`.", span)
    words = [scene.found, *scene.ahead]
    size = 1 if scene.found.type == "EXACTLY" else 2 if scene.found.type in ("AT", "MORE", "FEWER") else 0
    if not size or scene.last not in ("NAME", "EVALUABLE") or [t.type for t in words[size : size + 1]] != ["NUMBER"]:
        return None
    noun, number = str(scene.seen[-1]), str(words[size])
    write = f"{' '.join(words[:size]).lower()} {number} {plural(noun, number)}"
    return scene.fault("The number stands before what is counted.", f"Write `{write}`.", where(scene.seen[-1], words[size]))


def choice(scene: Scene) -> Fault | None:
    """`then escalate or stay`."""
    if scene.found.type != "OR" or "COMMA" not in scene.expected or scene.head not in ("RULE", "EXAMPLE"):
        return None
    help = "Write who chooses: `ask BODY to choose escalate or stay`."
    return scene.fault("Moves are made together; a choice between moves is somebody's.", help)


# ---- sentences and names ----


def unquoted_sentence(scene: Scene) -> Fault | None:
    """A sentence without quotation marks, or none at all."""
    if "STRING" not in scene.expected or scene.at_end or scene.found.type in ("STRING", END):
        return None
    only = scene.expected == {"STRING"}
    runs_on = scene.last == "STOP" and scene.is_word
    if not only and (scene.opens_line or not (scene.found.type == "NAME" or runs_on) or near(scene.found, scene.keywords(scene.expected))):
        return None
    what = SENTENCES.get(scene.last, "A sentence")
    word = scene.seen[-1].lower() if scene.seen else ""
    if only and (scene.opens_line or scene.reach("STRING") > 1):
        return scene.fault(f"{what} is missing.", f'Write `{word} "…"`.', where(scene.seen[-1]))
    stack = list(scene.stack)
    scene.grammar.step(stack, "STRING")
    ends = scene.grammar.accepts(stack) - scene.grammar.statements
    last = scene.found
    for token in scene.ahead:
        if token.type in ends or (token.start_pos or 0) >= scene.line.end:
            break
        last = token
    span = where(scene.found, last)
    write = f'{word} "{shown(scene.text[span.start : span.end], 60)}"' if scene.last in SENTENCES else '"…"'
    return scene.fault(f"{what} stands in quotation marks.", f"Write `{write}`.", span)


def quoted_name(scene: Scene) -> Fault | None:
    """A name, letter or label in quotation marks."""
    if scene.found.type != "STRING" or "STRING" in scene.expected:
        return None
    inside = scene.found[1:-1].strip()
    kind = "LETTER" if "LETTER" in scene.expected and re.fullmatch("[A-Z]", inside) else "NAME"
    if scene.reach(kind, skip=1) < 1:
        return None
    name = inside if kind == "LETTER" else re.sub(r"[^A-Za-z0-9_]+", "-", inside).strip("-")
    what = "A letter" if kind == "LETTER" else "A name"
    help = f"Write `{shown(name)}`." if name[:1].isalpha() else "Write a name of letters, digits and hyphens."
    return scene.fault(f"{what} is written without quotation marks.", help)


def letter(scene: Scene) -> Fault | None:
    """`written t`, `written DLT`."""
    if "LETTER" not in scene.expected or scene.at_end:
        return None
    first = next((char for char in scene.found if char.isascii() and char.isalpha()), "T").upper()
    message = "Outcomes and events are written as one capital letter in a history."
    return scene.fault(message, f"Write for example `written {first}`.")


def reserved_word(scene: Scene) -> Fault | None:
    """A word of the language where a name stands."""
    if not scene.is_word or scene.found.type == "NAME" or "NAME" not in scene.expected or scene.at_end:
        return None
    gain = scene.reach("NAME", skip=1)
    others = [scene.reach(kind) for kind in scene.expected - scene.grammar.statements]
    if gain < 1 or gain < max([scene.reach(skip=1), *others]):
        return None
    word = scene.found.lower()
    message = f"`{word}` is a word of the language and cannot be a name."
    return scene.fault(message, f"Try `{word}-a`.", code="DL104")


# ---- words misspelt, missing, or too many ----


def beginning(scene: Scene) -> Fault | None:
    """What stands where a statement begins, and begins none."""
    if not scene.complete or (scene.seen and not scene.outdented):
        return None
    word = scene.found.lower()
    guesses = near(word, scene.keywords(scene.expected))
    guesses += [STATEMENT_WORDS[word]] if word in STATEMENT_WORDS else []
    guess = next((g for g in guesses if scene.reach(scene.keywords(scene.expected)[g], skip=1) > 0), None)
    if guess or guesses:
        return scene.fault(f"No statement begins with {quoted(scene.found)}.", f"Did you mean `{guess or guesses[0]}`?")
    if scene.found.type in ("WHEN", "THEN", "OVERRIDES") or word in MOVE_WORDS or _is_move(scene):
        help = 'Write `rule "a name"`, then `when`, a condition, `then` and moves.'
        return scene.fault(f"{quoted(scene.found)} stands in a rule, and no rule begins here.", help)
    what = "a sentence in quotation marks" if scene.found.type == "STRING" else quoted(scene.found)
    help = "A statement begins with its word, such as `level`, `toxicity`, `part` or `rule`."
    if not scene.seen:
        help += " The first is usually `protocol`."
    return scene.fault(f"No statement begins with {what}.", help)


def _is_move(scene: Scene) -> bool:
    after_then = scene.grammar.walk(["RULE", "STRING", "WHEN", "NAME", "THEN"])
    return scene.found.type in scene.grammar.accepts(after_then) - {"NAME"}


def unfinished(scene: Scene) -> Fault | None:
    """A statement that ends too early."""
    if scene.complete or not scene.at_end or not scene.seen:
        return None
    help = next((text for kind, text in ENDINGS if kind in scene.expected), None)
    last = scene.seen[-1]
    if help and "STRING" not in scene.expected:
        return scene.fault(f"The `{scene.seen[0].lower()}` statement is not finished.", help, where(last))
    message = f"The `{scene.seen[0].lower()}` statement is not finished: after {quoted(last)} must come {expectation(scene)}."
    return scene.fault(message, help, where(last))


def misspelt(scene: Scene) -> Fault | None:
    """A word of the language misspelt: the one found, or the one before it that was taken for a name."""
    if not scene.is_word:
        return None
    words = scene.keywords(scene.expected)
    guesses = sorted(near(scene.found, words), key=lambda word: -scene.reach(words[word], skip=1))
    exact = scene.found.type != "NAME"
    if guesses and (not exact or scene.reach(words[guesses[0]], skip=1) > 0 or guesses[0] + "s" == scene.found.lower()):
        return _did_you_mean(scene, scene.found, guesses[0])
    if scene.seen:
        words = scene.keywords(scene.grammar.accepts(scene.stack_before))
        earlier = sorted(near(scene.seen[-1], words), key=lambda word: -scene.reach(words[word], back=1))
        if earlier and scene.reach(words[earlier[0]], back=1) > 0:
            return _did_you_mean(scene, scene.seen[-1], earlier[0])
    if "ESCALATE" in scene.expected and scene.found.lower() in MOVE_WORDS:
        return _did_you_mean(scene, scene.found, MOVE_WORDS[scene.found.lower()])
    return None


def _did_you_mean(scene: Scene, token: Token, word: str) -> Fault:
    known = token.lower() in scene.grammar.lexer.words
    message = f"{quoted(token)} cannot stand here." if known else f"{quoted(token)} is not a word of the language."
    return scene.fault(message, f"Did you mean `{word}`?", where(token))


def missing(scene: Scene) -> Fault | None:
    """A word left out: with it, reading would go on."""
    if scene.found.type == END or not scene.seen or scene.at_end:
        return None
    gains = {kind: scene.reach(kind) for kind in scene.expected - scene.grammar.statements - {END}}
    best = max(gains.values(), default=0)
    kinds = sorted(kind for kind, gain in gains.items() if gain == best)
    literal = [kind for kind in kinds if kind in scene.grammar.spelled and kind not in ("LEVELS", "COHORTS")]
    whole = best > len(scene.ahead) + 1 or len(scene.ahead) == MOST_AHEAD
    if best < 2 or best < scene.reach(skip=1) or len(literal) > 2 or (set(literal) & {"AND", "OR"} and not whole):
        return None
    if literal == ["EXACTLY"] and "AT" in scene.expected:
        found = shown(scene.found)
        help = f"Write `at least {found}`, `at most {found}` or `exactly {found}`."
        return scene.fault(f"It is not said how {quoted(scene.found)} is compared.", help)
    if literal == ["PERCENT"]:
        number = scene.seen[-1]
        value = Fraction(str(number)) * 100 if "." in number and Fraction(str(number)) < 1 else Fraction(str(number))
        help = f"Write `{float(value):g}%`."
        return scene.fault("Rates are written as percentages.", help, where(number))
    spelled = [scene.grammar.spelled[kind] for kind in literal]
    if not spelled:
        names = groups(scene)[0] or [FRIENDLY[kind] for kind in kinds]
        what = names[0][0].upper() + names[0][1:]
        return scene.fault(f"{what} is missing before {quoted(scene.found)}.", None)
    what = " or ".join(f"`{word}`" for word in spelled)
    help = " or ".join(f"`{word} {shown(scene.found)}`" for word in spelled)
    return scene.fault(f"{what} is missing before {quoted(scene.found)}.", f"Write {help}.")


def superfluous(scene: Scene) -> Fault | None:
    """A word too many: without it, reading would go on."""
    gain = scene.reach(skip=1)
    again = bool(scene.seen) and scene.found.lower() == scene.seen[-1].lower()
    if not (again or scene.found.type in NOISE) or gain < (1 if not scene.ahead else 2):
        return None
    return scene.fault(f"{quoted(scene.found)} cannot stand here.", f"Leave {quoted(scene.found)} out.")


def unexpected(scene: Scene) -> Fault:
    """What is said where no hint fits."""
    found = "The end of the file" if scene.found.type == END else quoted(scene.found)
    expected = expectation(scene)
    return scene.fault(f"{found} cannot stand here; after {quoted(scene.seen[-1])} can come {expected}."
                       if scene.seen else f"{found} cannot stand here; expected {expected}.", None)  # fmt: skip


HINTS: tuple[Callable[[Scene], Fault | None], ...] = (
    *SIGN_HINTS, at_any_time, phrase, number_in_letters, glued_unit, which_level, capital_article, count_after_noun, choice, letter,
    quoted_name, unfinished, beginning, unquoted_sentence, reserved_word, misspelt, missing, superfluous,
)  # fmt: skip
"""The first that fits is said."""
