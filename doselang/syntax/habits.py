"""Faults of habit: what authors write as it is written elsewhere, and the language writes otherwise."""

from __future__ import annotations

import re
from decimal import Decimal

from doselang.source import Span
from doselang.syntax.lexer import DIGITS, NUMBER_WORD, SIGN, offset
from doselang.syntax.phrases import find_phrase
from doselang.syntax.quotes import after_number
from doselang.syntax.scene import MOST_BACK, Fault, Scene, shown, where
from doselang.syntax.tables import END

BOUNDS = (["EXACTLY"], ["AT", "LEAST"], ["AT", "MOST"], ["MORE", "THAN"], ["FEWER", "THAN"])

LONGEST_WORD = 40
"""Of longer words the beginning is enough to find a phrase."""

TIMES = {"h": "hours", "d": "days", "w": "weeks", "m": "months", "c": "cycles"}
UNITS = re.compile(r"(?:mc?g|ng|k?g|[uµ]g|ml|l|iu|[mgk]?bq|gy|cells|m?mol|vg)(?:/\S*)?", re.IGNORECASE)
DIVISORS = frozenset(
    ("m2", "m^2", "kg", "d", "day", "daily", "wk", "week", "h", "hr", "hour", "min", "minute", "ml", "l")
)
"""What a unit can be per, and how it is also written."""

DOSED = ("LEVEL", "LEVELS", "GRID", "USE")
"""The statements that have doses."""

LARGE_DOSE = re.compile(
    r"(?<![\w.,])(?:(\d{1,9}(?:\.\d{1,9})?)"
    r"(?: ?[x×*·] ?10(?:\^|\*\*)?(\d{1,2}|[⁰¹²³⁴-⁹]{1,2})|[eE]\+?(\d{1,2})| (million))"
    r"|(\d{1,3}(?:,\d{3})+))(?![\w,])"
)
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def phrase(scene: Scene) -> Fault | None:
    """A phrase that the language says otherwise."""
    before = scene.seen[-4:]
    words = [token[:LONGEST_WORD] if token[:1].isalnum() else '"' for token in (*before, scene.found, *scene.ahead[:6])]
    if scene.found.type == END:
        return None
    hit = find_phrase(words, len(before))
    if hit is None:
        return None
    known, write, first, last = hit
    tokens = [*before, scene.found, *scene.ahead[:6]][first : last + 1]
    span = where(tokens[0], tokens[-1])
    if write.startswith("the "):
        article = re.search(r"\bthe\s+$", scene.text[max(span.start - 8, 0) : span.start])
        span = Span(span.start - len(article[0]) if article else span.start, span.end)
    found = shown(scene.text[span.start : span.end])
    match known.kind:
        case "else" | "if" if first != len(before) or scene.head not in ("RULE", "CLAIM", "SILENT", "EXAMPLE"):
            return None
        case "else" if any(token.type == "MAY" for token in scene.seen):
            return None
        case "else":
            help = "Write a second `when … then …` in the same rule, with the condition of this case."
            return scene.fault("There is no `else`: each case has its own condition.", help, span)
        case "if" if "WHEN" in scene.expected and not scene.complete:
            return scene.fault("A condition begins with `when`, not with `if`.", "Write `when`.", span)
        case "if":
            help = "Write `when CONDITION then MOVE`; a further case is a second `when … then …`."
            return scene.fault("A condition stands before the move, and begins with `when`.", help, span)
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
    nothing = scene.at_end or (scene.found.type != "NAME" and scene.reach("THIS", "LEVEL") > 0)
    if scene.last == "CLOSE" and nothing:
        help = "Write `close this level as too toxic`, or another level, such as `level 2`."
        return scene.fault("It is not said which level is closed.", help, where(scene.seen[-1]))
    nothing = scene.is_word or scene.found.type in ("COMMA", "RPAR", END)
    if scene.last == "LEVEL" and len(scene.seen) > 1 and "LABEL" in scene.expected and nothing:
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
    glued = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Zµ/]+)", scene.found) if scene.found.type in ("LABEL", SIGN) else None
    if glued and "NUMBER" in scene.expected and "LABEL" not in scene.expected:
        time = TIMES.get(glued[2][:1].lower())
        if time and "DAYS" in scene.grammar.accepts(scene.grammar.walk([t.type for t in scene.seen] + ["NUMBER"])):
            return scene.fault("A number and its unit of time are two words.", f"Write `{glued[1]} {time}`.")
        if scene.head != "LEVEL":
            return None
        help = f"Write `{glued[1]}`; a unit is declared once, such as `component ibrutinib in mg`."
        return scene.fault("A dose is written without its unit.", help)
    if scene.found.lower() == "per" and scene.last == "UNIT" and scene.ahead:
        unit, per = scene.seen[-1], shown(scene.ahead[0])
        if per.lower() in DIVISORS:
            return scene.fault("A unit is one word.", f"Write `{unit}/{per}`.", where(unit, scene.ahead[0]))
        help = f"Write `in {unit}`; how a dose is given is said in the text."
        return scene.fault(f"No unit is per `{per}`.", help, where(unit, scene.ahead[0]))
    if scene.head in DOSED and scene.last == "NUMBER" and UNITS.fullmatch(scene.found):
        whole = re.compile(r"[^\s,]+").match(scene.text, offset(scene.found), scene.line.end)
        span = Span(offset(scene.found), whole.end() if whole else scene.line.end)
        found = shown(scene.text[span.start : span.end])
        help = f"Leave out `{found}`; a unit is declared once, such as `component ibrutinib in mg`."
        return scene.fault("A dose is written without its unit.", help, span)
    return None


def capital_article(scene: Scene) -> Fault | None:
    """`The` at the beginning of a phrase."""
    for back, token in enumerate([scene.found, *reversed(scene.seen[-MOST_BACK:])]):
        if token.type == "NAME" and token in ("The", "THE", "An", "AN", "A"):
            if token == "A" and re.match(r"\s*\n", scene.text[token.end_pos :][:80]):
                continue
            if (scene.reach(skip=1) if back == 0 else scene.reach_without(back)) > 0:
                message = f"`{token}` is read as a name; articles are written in small letters."
                return scene.fault(message, f"Write `{token.lower()}`.", where(token))
    return None


def article_as_name(scene: Scene) -> Fault | None:
    """`part a`."""
    if not scene.seen or scene.found.type in ("NAME", "LABEL") or not scene.expected & {"NAME", "LABEL"}:
        return None
    end = scene.seen[-1].end_pos or 0
    article = re.compile(r"[ \t]+(an?|the)\b(?![\w-])").match(scene.text, end, offset(scene.found))
    if article is None or len(scene.seen) > 1:
        return None
    write = f"{scene.seen[0].lower()} {article[1].upper()}"
    help = f"Write `{write}`, with a capital wherever it is named, or another name."
    return scene.fault(
        f"`{article[1]}` is read over as an article, and is no name.", help, Span(article.start(1), article.end())
    )


def several_levels(scene: Scene) -> Fault | None:
    """`levels 4 cart 1`."""
    if scene.head != "LEVELS" or len(scene.seen) != 2 or scene.found.type != "NAME" or scene.opens_line:
        return None
    label, name = shown(scene.seen[1]), shown(scene.found)
    help = f"Write `level {label}  {name} …` for one level, `levels 1 to {label}  {name} from …` for several."
    return scene.fault("`levels` is followed by the first and the last of them.", help, where(*scene.seen[:2]))


def large_dose(scene: Scene) -> Fault | None:
    """`0.5 x 10^6`, `1e6`, `2,000,000`, `2 million`: doses of cells as protocols print them."""
    if scene.head != "LEVEL":
        return None
    for match in LARGE_DOSE.finditer(scene.text, scene.line.start, scene.line.end):
        if match.start() <= offset(scene.found) < match.end():
            return scene.fault(
                "A dose is written in digits alone.", f"Write `{_in_digits(match)}`.", Span(match.start(), match.end())
            )
    return None


def _in_digits(match: re.Match[str]) -> str:
    number, power, short, million, _ = match.groups()
    if number is None:
        return match[0].replace(",", "")
    tens = 6 if million else int((power or short).translate(RAISED))
    return f"{(Decimal(number) * 10**tens).normalize():f}"


def silent_sentence(scene: Scene) -> Fault | None:
    """`silent "…" cites "…"`."""
    if scene.head != "SILENT" or scene.found.type != "CITES":
        return None
    help = 'Write the sentence of the text as a statement of its own: background "…"'
    return scene.fault("A silence says what the text leaves open, and has no citation.", help)


def late_citation(scene: Scene) -> Fault | None:
    """`cites "…"` after the rows or the file of a table, after the moves of a rule, after a claim; `with` after it."""
    if scene.head not in ("TABLE", "RULE", "CLAIM", "USE") or len(scene.seen) < 3:
        return None
    name, word = shown(scene.seen[1], 60), scene.found.lower()
    if scene.head == "USE" and scene.found.type == "WITH" and scene.seen[-2].type == "CITES":
        help = f"Write `use {name} as {shown(scene.seen[3])}  with …  cites …`."
        return scene.fault("What a method is told stands before its citation.", help)
    if scene.found.type not in ("CITES", "OVERRIDES", "REPLACES") or "CITES" in scene.expected or not scene.complete:
        return None
    message = f"`{word}` belongs right after the name of a {scene.head.lower()}."
    if scene.head == "TABLE" and scene.seen[-2].type == "FROM":
        return scene.fault(message, f'Write `table {name}  {word} "…"  from {shown(scene.seen[-1])}`.')
    before = {"TABLE": "the columns and rows", "RULE": "`when`", "CLAIM": "`never`, `always`, `eventually` or `when`"}
    help = f'Write `{scene.head.lower()} {name}  {word} "…"` before {before.get(scene.head)}.'
    return None if scene.head == "USE" else scene.fault(message, help)


def count_after_noun(scene: Scene) -> Fault | None:
    """`DLT at least 2`, `33% of patients`."""
    if scene.found.type == "PERCENT" and "OF" in scene.expected and scene.last == "NUMBER":
        span = where(scene.seen[-1], scene.found)
        said = scene.seen[-3:-1]
        bound = " ".join(said).lower() if [token.type for token in said] in BOUNDS else "at least"
        help = f"Write for example `the DLT rate is {bound} {scene.seen[-1]}%`."
        return scene.fault("A percentage is said of a rate.", help, span)
    words = [scene.found, *scene.ahead]
    size = 1 if scene.found.type == "EXACTLY" else 2
    if (
        [token.type for token in words[:size]] not in BOUNDS
        or scene.last not in ("NAME", "EVALUABLE")
        or [t.type for t in words[size : size + 1]] != ["NUMBER"]
    ):
        return None
    noun, number = str(scene.seen[-1]), str(words[size])
    write = f"{' '.join(words[:size]).lower()} {number} {after_number(noun, number)}"
    return scene.fault(
        "The number stands before what is counted.", f"Write `{write}`.", where(scene.seen[-1], words[size])
    )


def choice(scene: Scene) -> Fault | None:
    """`then escalate or stay`."""
    done = any(token.type == "THEN" for token in scene.seen)
    if scene.found.type != "OR" or not done or "COMMA" not in scene.expected:
        return None
    help = "Write who chooses: `ask BODY to choose escalate or stay`."
    return scene.fault("Moves are made together; a choice between moves is somebody's.", help)


HABIT_HINTS = (
    silent_sentence, late_citation, at_any_time, phrase, number_in_letters, glued_unit, which_level, article_as_name,
    capital_article, several_levels,
    count_after_noun, choice,
)  # fmt: skip
"""The first that fits is said."""
