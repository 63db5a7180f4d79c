"""Tables of names: what is declared where, and which name was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from heapq import nsmallest

from attrs import define, field

from doselang.diagnostics import Label, Report
from doselang.source import Span

MOST_LISTED = 8
"""So many names a message lists; longer lists show their ends."""

MOST_COMPARED = 200
"""So many names are compared with a misspelt one: comparing is slow, and files may hold thousands."""

MOST_SUGGESTIONS = 50
"""So many misspelt names of one kind are given a suggestion."""


def fold(name: str) -> str:
    """The form in which names are compared: letter case and runs of white space do not matter."""
    return " ".join(name.split()).lower()


def place_of_word(words: Sequence[str], word: str) -> int:
    """The position of a word among others, whatever its letter case."""
    return [fold(one) for one in words].index(fold(word))


def listing(names: Sequence[str], joint: str = "and", mark: str = "`") -> str:
    """`a`, `b` and `c`; of a long list the first names and the last."""
    few = len(names) <= MOST_LISTED
    shown = [f"{mark}{shorten(name)}{mark}" for name in (names if few else [*names[: MOST_LISTED - 2], names[-1]])]
    if not few:
        return f"{', '.join(shown[:-1])}, … {shown[-1]} ({len(names)} in all)"
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def shorten(words: str, most: int = 100) -> str:
    """The words on one line, cut at a space after about `most` characters."""
    line = " ".join(words.split())
    if len(line) <= most:
        return line
    cut = line.rfind(" ", 0, most)
    return line[: cut if cut > most // 2 else most] + " …"


def nearest(word: str, names: Iterable[str], cutoff: float = 0.65) -> str | None:
    """The name that `word` was probably meant to be, as it is spelled in `names`."""
    spelled = {fold(name)[:200]: name for name in names}
    found = get_close_matches(fold(word)[:200], spelled, n=1, cutoff=cutoff)
    return spelled[found[0]] if found else None


@define
class Names:
    """The names of one kind, in the order declared; looked up without regard to letter case.

    `kind` is what one of them is called, `declaration` how it is declared, with `{}` for the name.
    """

    kind: str
    plural: str
    declaration: str
    mark: str = "`"
    spelled: list[str] = field(factory=list)
    spans: list[Span] = field(factory=list)
    _positions: dict[str, int] = field(factory=dict)
    _initials: dict[str, list[str]] = field(factory=dict)
    _suggested: dict[str, str | None] = field(factory=dict)
    _explained: set[str] = field(factory=set)

    def __len__(self) -> int:
        return len(self.spelled)

    def quoted(self, name: str) -> str:
        return f"{self.mark}{shorten(name)}{self.mark}"

    def declare(self, name: str, span: Span, report: Report) -> bool:
        """Enter a name; a second one of the same spelling is reported, and not entered."""
        first = self.find(name)
        if first is not None:
            report.add(
                "DL202", f"The {self.kind} {self.quoted(name)} is declared twice.", span,
                labels=[Label(self.spans[first], "it was declared here first")],
                help="Give one of them another name, or leave one out; letter case makes no difference.",
            )  # fmt: skip
            return False
        self.enter(name, span)
        return True

    def enter(self, name: str, span: Span) -> None:
        """Enter a name without a look at what is there; the first of equal names is found."""
        folded = fold(name)
        self._positions.setdefault(folded, len(self.spelled))
        self._initials.setdefault(folded[:1], []).append(name)
        self.spelled.append(name)
        self.spans.append(span)

    def find(self, name: str) -> int | None:
        """The position of a name."""
        return self._positions.get(fold(name))

    def suggestion(self, name: str) -> str | None:
        """A declared name that is spelled much like this one."""
        folded = fold(name)
        if folded not in self._suggested and len(self._suggested) < MOST_SUGGESTIONS:
            self._suggested[folded] = nearest(folded, self._candidates(folded))
        return self._suggested.get(folded)

    def _candidates(self, folded: str) -> list[str]:
        """The names to compare with: all if they are few, else those of the same initial and about the same length."""
        if len(self.spelled) <= MOST_COMPARED:
            return self.spelled
        alike = self._initials.get(folded[:1], [])
        return nsmallest(MOST_COMPARED, alike, key=lambda name: abs(len(name) - len(folded)))

    def advice(self, name: str) -> str | None:
        """What to write instead of an unknown name: a near one, or what there is and how to declare it.

        How to declare a name is said once, however often it is used.
        """
        near = self.suggestion(name)
        if near is not None:
            return f"Did you mean {self.quoted(near)}?"
        if fold(name) in self._explained:
            return None
        self._explained.add(fold(name))
        return f"{self.existing()} To declare it, write: {self.declaration.format(name)}"

    def existing(self) -> str:
        """What is declared, in a sentence."""
        if not self.spelled:
            return f"The file declares no {self.kind}."
        return f"Declared {self.plural}: {listing(self.spelled, mark=self.mark)}."
