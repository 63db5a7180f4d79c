"""Splitting a protocol's text, plain or Markdown, into sentences with their lines."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

from attrs import frozen

from doselang.protocol.model import ProtocolText, Sentence

ABBREVIATIONS = {
    "e.g", "i.e", "cf", "vs", "approx", "ca", "resp", "incl", "excl", "dr", "prof", "mr", "mrs", "ms", "st", "fig",
    "figs", "eq", "ref", "refs", "al", "max", "min", "vol", "p", "pp", "tab",
}  # fmt: skip
"""Words before a full stop that does not end a sentence, in small letters."""

BEFORE_NUMBER = {"no", "nos", "nr", "art", "sect"}
"""Words that are abbreviations before a number, and ordinary words elsewhere."""

AFTER_ONE_LETTER = {
    "level", "levels", "part", "arm", "cohort", "group", "phase", "stage", "schedule", "dose", "grade", "step",
    "vitamin", "appendix", "table", "section",
}  # fmt: skip
"""Words after which a single capital letter is a name, and may end a sentence (`level D.`); elsewhere an initial."""

# Each pattern takes time in proportion to the text, whatever the text: no two repetitions that can match the same.
_NUMBER = r"[A-Z]{1,3}\d{1,4}[a-z]?"
ANCHOR = re.compile(rf"\[(?P<square>{_NUMBER})\][.:)]?\s+|(?P<plain>{_NUMBER})[.:)]\s+")
"""A sentence's number, at its beginning: `S1.`, `[S1]`; `**S1**` is rewritten as `[S1]`."""

_BOLD_ANCHOR = re.compile(rf"(?:^|(?<=[.!?]\s))(\*\*|__)\[?({_NUMBER})\]?[.:)]?\1[.:)]?(?=\s)")
_CELL_ANCHOR = re.compile(rf"[*_\[]{{0,3}}({_NUMBER})[*_\].:)]{{0,4}}")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)$")
_ITEM = re.compile(r"\s*(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[a-z][)])\s+")
_QUOTE = re.compile(r"\s{0,3}(?:>(?!=|\s?\d)\s?)+")
"""The marks of a quotation; `>= 2` and `> 2` at the beginning of a line are of the text."""
_STARS = re.compile(r"(?<![A-Za-z0-9])(\*{1,3})(?=\S)([^*]+?)(?<=\S)\1(?![A-Za-z0-9])")
_LINES = re.compile(r"(?<![A-Za-z0-9_])(_{1,3})(?=\S)([^_]+?)(?<=\S)\1(?![A-Za-z0-9_])")
_MARKUP = (
    (_BOLD_ANCHOR, r"[\2]"),
    (re.compile(r"<br\s?/?>", re.IGNORECASE), " "),
    (re.compile(r"!?\[([^\]\[]*)\](?:\([^()\s]*\)|\[[^\]\[]*\])"), r"\1"),
    (re.compile(r"`([^`]+)`"), r"\1"),
    (_STARS, r"\2"), (_LINES, r"\2"), (_STARS, r"\2"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])"), r"\1"),
)  # fmt: skip
_MARKED = re.compile(r"[*_`\[\\<&]")
_STOP = re.compile(r"[.!?…][\"'”’»)\]]*+\s++(?=[\"'“‘«(\[]*+(?:[A-Z0-9]|[^\W\d_a-z]))")
_LAST_WORDS = re.compile(r"(?:(\S+)\s+)?[\"'“‘«(\[]*(\S*)$")


@frozen
class Block:
    """A paragraph, list item, heading or row of a table, with its line ends; `line` is that of its first one.

    A `row` is one sentence; a `title` asks for no rule.
    """

    text: str
    line: int
    title: bool = False
    row: bool = False


def split_text(path: str, content: str) -> ProtocolText:
    """The sentences of a text. Headings are sentences that ask for no rule: they count as background."""
    sentences: list[Sentence] = []
    titles: set[int] = set()
    for block in _blocks(_plain_lines(content)):
        for text, line in _sentences(block):
            if block.title:
                titles.add(len(sentences))
            sentences.append(Sentence(text, line))
    return ProtocolText(path, tuple(sentences), frozenset(titles))


def without_anchor(sentence: str) -> str:
    """The words of a sentence, without the number in front."""
    found = ANCHOR.match(sentence)
    return sentence[found.end() :] if found else sentence


def anchor(sentence: str) -> str | None:
    """The number in front of a sentence: `S1`."""
    found = ANCHOR.match(sentence)
    return (found["square"] or found["plain"]) if found else None


def _plain_lines(content: str) -> list[str]:
    """The lines, without comments (their line ends stay, so that lines keep their numbers)."""
    text = unicodedata.normalize("NFC", content.replace("\r\n", "\n").replace("\r", "\n")).removeprefix("\ufeff")
    pieces = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        pieces += [text[position:start], "\n" * text.count("\n", start, end)]
        position = end + 3
    return "".join([*pieces, text[position:]]).split("\n")


def _blocks(lines: list[str]) -> Iterator[Block]:
    """The blocks of a text, in order."""
    paragraph: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield from _block(paragraph, number - len(paragraph))
            continue
        quote = _QUOTE.match(line) if line.lstrip().startswith(">") else None
        bare = (line[quote.end() :] if quote else line).rstrip()
        first = number - len(paragraph)
        if bare.lstrip().startswith("|"):
            yield from _block(paragraph, first)
            if not _is_ruler(bare):
                yield _row(bare, number, title=number < len(lines) and _is_ruler(lines[number]))
        elif _HEADING.match(bare):
            yield from _block(paragraph, first)
            yield from _block([bare.strip().strip("#")], number, title=True)
        elif paragraph and _UNDERLINE.match(bare):
            yield from _block(paragraph, first, title=True)
        elif _is_break(bare):
            yield from _block(paragraph, first)
        else:
            item = _ITEM.match(bare)
            if item:
                yield from _block(paragraph, first)
            paragraph.append(bare[item.end() :] if item else bare)
    yield from _block(paragraph, len(lines) + 1 - len(paragraph))


def _is_break(line: str) -> bool:
    """Whether a line stands between blocks: an empty one, a drawn line, the fence of a listing."""
    marks = "".join(line.split())
    drawn = len(marks) > 2 and len(set(marks)) == 1 and marks[0] in "-*_"
    return not marks or drawn or marks.startswith(("```", "~~~"))


def _is_ruler(line: str) -> bool:
    """Whether a line is the one under a table's head."""
    return "-" in line and "|" in line and not set(line) - set("|-: \t")


def _block(lines: list[str], number: int, title: bool = False) -> Iterator[Block]:
    """The lines gathered so far as one block; they are taken out of the list."""
    if lines:
        text = _without_markup("\n".join(lines))
        lines.clear()
        if text.strip():
            yield Block(text, number, title)


def _row(line: str, number: int, title: bool) -> Block:
    """A row of a table; a first cell that is a sentence's number becomes its anchor."""
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]
    first = _CELL_ANCHOR.fullmatch(cells[0]) if len(cells) > 1 else None
    text = " | ".join(_without_markup(cell) for cell in cells[1 if first else 0 :] if cell)
    return Block(f"[{first[1]}] {text}" if first else text, number, title, row=True)


def _without_markup(text: str) -> str:
    """The text without marks of emphasis, links and the like."""
    if not _MARKED.search(text):
        return text
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return html.unescape(text)


def _sentences(block: Block) -> Iterator[tuple[str, int]]:
    """The sentences of a block with their lines, white space folded."""
    text = block.text
    start, line = 0, block.line
    for end in [*([] if block.row else _ends(text)), len(text)]:
        piece = text[start:end]
        lead = len(piece) - len(piece.lstrip())
        if any(char.isalnum() for char in piece):
            yield _folded(piece), line + piece.count("\n", 0, lead)
        line += piece.count("\n")
        start = end


def _folded(sentence: str) -> str:
    """The sentence with its white space folded, and its number, if it has one, written `S1.`."""
    words = " ".join(sentence.split())
    number = anchor(words)
    return f"{number}. {without_anchor(words)}" if number else words


def _ends(text: str) -> Iterator[int]:
    """Where one sentence ends and the next begins."""
    begin = 0
    position = _after_anchor(text, 0)
    while stop := _STOP.search(text, position):
        position = stop.end()
        if not _is_abbreviation(text, begin, stop):
            yield position
            begin = position
            position = _after_anchor(text, position)


def _after_anchor(text: str, position: int) -> int:
    found = ANCHOR.match(text, position)
    return found.end() if found else position


def _is_abbreviation(text: str, begin: int, stop: re.Match[str]) -> bool:
    """Whether a full stop belongs to the word before it rather than ending the sentence."""
    if stop[0].strip() != ".":
        return False
    words = _LAST_WORDS.search(text, max(begin, stop.start() - 60), stop.start())
    before, word = (words[1] or "", words[2]) if words else ("", "")
    if word.lower() in ABBREVIATIONS or (word.lower() in BEFORE_NUMBER and text[stop.end()].isdigit()):
        return True
    return len(word) == 1 and word.isalpha() and not (word.isupper() and before.lower() in AFTER_ONE_LETTER)
