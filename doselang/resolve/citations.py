"""Looking up the words that a protocol file cites in the protocol's text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from attrs import define, field, frozen

from doselang.protocol.model import ProtocolText, Sentence
from doselang.resolve.sentences import anchor, without_anchor

_TOKEN = re.compile(r"\w+(?:(?:[-']|(?<=\d)[.,](?=\d))\w+)*|[^\w\s|]")
_ELLIPSIS = re.compile(r"\s*(?:…|\.\.\.+)\s*")
_ALIKE = str.maketrans({quote: "'" for quote in '"“”„‟«»‘’‚‛`´'} | {dash: "-" for dash in "‐‑‒–−"} | {"\u00ad": None})
"""Straight and curly quotes are equal, and so are the dashes that word processors put in place of each other."""

MOST_SEARCHES = 100
"""So many wrong citations are shown the nearest sentence."""

RARE = 2000
"""A word that occurs more often is looked for by way of the joined text."""

MOST_SCANNED = 300_000_000
"""So many characters are gone through for citations that consist of frequent words alone."""


class Exhausted(Exception):
    """Looking up the citations of a file would take too long."""


def tokens(words: str) -> tuple[str, ...]:
    """Words and signs, white space left out; a citation matches whole words only (`one` is not in `none`)."""
    return tuple(_TOKEN.findall(unicodedata.normalize("NFC", words).translate(_ALIKE)))


@frozen
class Match:
    """Where cited words stand: the positions of all sentences touched, in order.

    `how` is `case` where only letter case differs, which is not a match yet.
    """

    sentences: tuple[int, ...]
    how: Literal["exact", "case"] = "exact"


@define
class Index:
    """The text's words in one row, and where each occurs."""

    words: list[str]
    starts: list[int]
    """For each sentence the position of its first word."""
    _places: dict[str, list[int]] = field(init=False)
    _scanned: int = 0
    _joined: str | None = None
    _joined_starts: list[int] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._places = defaultdict(list)
        for position, word in enumerate(self.words):
            self._places[word].append(position)

    def find(self, phrase: Sequence[str], start: int = 0) -> int:
        """The first place from `start` on where these words follow each other; -1 if there is none."""
        rarest = min(range(len(phrase)), key=lambda i: len(self._places.get(phrase[i], ())))
        places = self._places.get(phrase[rarest], [])
        if len(places) > RARE:
            return self._find_joined(phrase, start)
        wanted = list(phrase)
        for place in places[bisect_right(places, start + rarest - 1) :]:
            begin = place - rarest
            if begin >= start and self.words[begin : begin + len(wanted)] == wanted:
                return begin
        return -1

    def last(self, phrase: Sequence[str], end: int) -> int:
        """The last place where these words follow each other and end before `end`; -1 if there is none."""
        rarest = min(range(len(phrase)), key=lambda i: len(self._places.get(phrase[i], ())))
        places = self._places.get(phrase[rarest], [])
        if len(places) > RARE:
            return self._find_joined(phrase, 0, end)
        wanted = list(phrase)
        for place in reversed(places[: bisect_right(places, end - 1)]):
            begin = place - rarest
            if begin >= 0 and begin + len(wanted) <= end and self.words[begin : begin + len(wanted)] == wanted:
                return begin
        return -1

    def _find_joined(self, phrase: Sequence[str], start: int, end: int | None = None) -> int:
        """The first place from `start` on, or the last one before `end`."""
        if self._joined is None:
            lengths = 0
            for word in self.words:
                self._joined_starts.append(lengths)
                lengths += len(word) + 1
            self._joined_starts.append(lengths)
            self._joined = "\n" + "\n".join(self.words) + "\n"
        words = "\n" + "\n".join(phrase) + "\n"
        if end is None:
            low, high = self._joined_starts[start], len(self._joined)
            found = self._joined.find(words, low)
            self._scanned += (found if found >= 0 else high) - low
        else:
            high = self._joined_starts[end] + 1
            found = self._joined.rfind(words, 0, high)
            self._scanned += high - max(found, 0)
        if self._scanned > MOST_SCANNED:
            raise Exhausted
        return -1 if found < 0 else bisect_right(self._joined_starts, found) - 1

    def sentence(self, position: int) -> int:
        """The sentence in which a word stands."""
        return bisect_right(self.starts, position) - 1

    def match(self, phrases: Sequence[tuple[str, ...]]) -> tuple[int, ...]:
        """The sentences touched by phrases that follow each other, with anything left out between; () if not found.

        The first place where all are found is narrowed from its end, so that no more is left out than need be.
        """
        position = 0
        found = []
        for phrase in phrases:
            place = self.find(phrase, position)
            if place < 0:
                return ()
            found.append(place)
            position = place + len(phrase)
        for i in range(len(phrases) - 2, -1, -1):
            found[i] = max(found[i], self.last(phrases[i], found[i + 1]))
        touched: dict[int, None] = {}
        for place, phrase in zip(found, phrases, strict=True):
            touched |= dict.fromkeys(range(self.sentence(place), self.sentence(place + len(phrase) - 1) + 1))
        return tuple(touched)


@define
class Finder:
    """Finds citations in a protocol's text."""

    text: ProtocolText
    _exact: Index = field(init=False)
    _folded: Index | None = None
    _found: dict[str, Match | None] = field(factory=dict)
    _by_word: dict[str, set[int]] | None = None
    _searches: int = 0

    def __attrs_post_init__(self) -> None:
        self._exact = Index(*self._row(fold=False))

    def _row(self, fold: bool) -> tuple[list[str], list[int]]:
        words: list[str] = []
        starts: list[int] = []
        for sentence in self.text.sentences:
            starts.append(len(words))
            plain = without_anchor(sentence.text)
            words += tokens(plain.lower() if fold else plain)
        return words, starts

    def find(self, words: str) -> Match | None:
        """Where cited words stand in the text; None if nowhere."""
        if words not in self._found:
            self._found[words] = self._search(words)
        return self._found[words]

    def _search(self, words: str) -> Match | None:
        phrases = phrases_of(words)
        if not phrases:
            return None
        if touched := self._exact.match(phrases):
            return Match(touched)
        if self._folded is None:
            self._folded = Index(*self._row(fold=True))
        touched = self._folded.match([tuple(word.lower() for word in phrase) for phrase in phrases])
        return Match(touched, "case") if touched else None

    def nearest(self, words: str) -> Sentence | None:
        """The sentence that shares most with words that are not in the text; None if none is near."""
        if self._searches >= MOST_SEARCHES or not self.text.sentences:
            return None
        self._searches += 1
        number_alone = words.strip(" .:[]()")
        if named := next((s for s in self.text.sentences if anchor(s.text) == number_alone), None):
            return named
        if self._by_word is None:
            self._by_word = defaultdict(set)
            for number, sentence in enumerate(self.text.sentences):
                for word in tokens(without_anchor(sentence.text).lower()):
                    if word[0].isalnum():
                        self._by_word[word].add(number)
        cited = list(dict.fromkeys(word for word in tokens(words.lower()) if word[0].isalnum()))[:40]
        weights: Counter[int] = Counter()
        for word in cited:
            numbers = self._by_word.get(word, set())
            if len(numbers) <= RARE:
                for number in numbers:
                    weights[number] += 1000 // (3 + len(numbers))
        best = sorted(weights, key=lambda number: (-weights[number], number))[:5]
        scored = [(_likeness(cited, self.text.sentences[number]), -number) for number in best]
        score, number = max(scored, default=(0.0, 0))
        return self.text.sentences[-number] if score > 0.3 else None


def phrases_of(words: str) -> list[tuple[str, ...]]:
    """The cited phrases between the places where words are left out; stops at the very end are no words."""
    phrases = [tokens(phrase) for phrase in _ELLIPSIS.split(words)]
    if phrases and len(phrases[-1]) > 1 and phrases[-1][-1] in ".,;:":
        phrases[-1] = phrases[-1][:-1]
    return [phrase for phrase in phrases if any(word[0].isalnum() for word in phrase)]


def _likeness(cited: Sequence[str], sentence: Sentence) -> float:
    """Share of the cited words that the sentence has in the same order."""
    there = tokens(without_anchor(sentence.text)[:3000].lower())
    blocks = SequenceMatcher(None, list(cited), list(there), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / max(1, len(cited))
