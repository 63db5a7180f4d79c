"""What each statement of a file cites, and which sentences of the text nothing cites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define, evolve, field

from doselang.diagnostics import Report
from doselang.protocol.model import Citation, ProtocolText, Sentence
from doselang.resolve.citations import Exhausted, Finder
from doselang.resolve.composing import DesignText
from doselang.resolve.names import shorten
from doselang.resolve.sentences import without_anchor
from doselang.source import Span
from doselang.syntax import nodes as syntax


@define
class Sources:
    """The citations of a file, bound to sentences; those of the designs it uses in the designs' own texts."""

    report: Report
    text: ProtocolText | None
    _finder: Finder | None
    _designs: tuple[tuple[DesignText, Finder | None], ...] = ()
    citations: list[Citation] = field(factory=list)
    """All of them, in the order of the file."""
    _by_statement: dict[int, tuple[Citation, ...]] = field(factory=dict)
    _touched: set[int] = field(factory=set)

    def of(self, statement: syntax.Statement) -> tuple[Citation, ...]:
        """What a statement cites."""
        return self._by_statement.get(id(statement), ())

    def bind(self, statement: syntax.Statement) -> None:
        """Look up everything that a statement cites, or marks as background."""
        if isinstance(statement, syntax.Background):
            self._sentence(statement.text)
            return
        bound = tuple(self._citation(cites) for cites in cites_of(statement))
        if bound:
            self._by_statement[id(statement)] = bound
            self.citations.extend(bound)

    def _citation(self, cites: syntax.Cites) -> Citation:
        design = self._design(cites.span)
        if design is None:
            return Citation(cites.text.value, self._sentence(cites.text), span=cites.span)
        finder = design[1]
        found = None if finder is None else self._found(finder, cites.text)
        place = None
        if found is not None and finder is not None:
            place = f"{finder.text.path}, line {finder.text.sentences[found[0]].line}"
        return Citation(cites.text.value, -1, place, span=cites.span)

    def _design(self, span: Span) -> tuple[DesignText, Finder | None] | None:
        """The design that a place is in; None for the file itself."""
        return next((one for one in self._designs if one[0].span.start <= span.start <= one[0].span.end), None)

    def _sentence(self, words: syntax.Text) -> int:
        """The position of the first sentence that words stand in, -1 if they are not in the text."""
        if self._finder is None:
            return -1
        found = self._found(self._finder, words)
        if found is None:
            return -1
        self._touched.update(found)
        return found[0]

    def _found(self, finder: Finder, words: syntax.Text) -> Sequence[int] | None:
        """The positions of the sentences that words stand in; None if they do not, which is reported."""
        try:
            match = finder.find(words.value)
        except Exhausted:
            self._finder, self._designs = None, tuple((design, None) for design, _ in self._designs)
            message = "The file cites so many very frequent words that looking them up would take too long."
            self.report.add("DL704", message, words.span, help="Cite longer and more particular words of the text.")
            return None
        if match is not None and match.how == "exact":
            return match.sentences
        if match is not None:
            there = _show(finder, finder.text.sentences[match.sentences[0]])
            message = f"The text has these words with other capital letters: “{shorten(words.value)}”."
            self.report.add("DL601", message, words.span, help=f"Copy them as they stand there. {there}")
        elif not any(char.isalnum() for char in words.value):
            help = "Write words of the protocol's text."
            self.report.add("DL601", "The citation has no words.", words.span, help=help)
        else:
            near = finder.nearest(words.value)
            message = f"These words are not in the protocol's text: “{shorten(words.value)}”."
            help = "Copy the words from the text as they stand there."
            if near is not None:
                help = f"Did you mean this? {_show(finder, near)}"
            self.report.add("DL601", message, words.span, help=help)
        return None

    def settled(self) -> ProtocolText | None:
        """The text, with the positions of the sentences cited or marked as background."""
        return None if self.text is None else evolve(self.text, cited=self.text.cited | self._touched)

    def report_uncited(self, span: Span) -> None:
        """Report each sentence that nothing cites, at the statement that names the text."""
        settled = self.settled()
        if settled is None:
            return
        for number, sentence in enumerate(settled.sentences):
            if number not in settled.cited:
                message = f"Nothing cites line {sentence.line} of {settled.path}: “{shorten(sentence.text, 200)}”"
                paste = f'background "{_quotation(sentence)}"'
                help = f"Cite it in the rule that it asks for; if it asks for none, write: {paste}"
                self.report.add("DL602", message, span, help=help)

    def report_unnamed(self, file: syntax.File, text_file: syntax.TextFile | None) -> None:
        """Report the first citation of a file, and of each design, that names no text to look into."""
        stretches = [(design.span, design.named) for design, _ in self._designs]
        lacking = [span for span, named in stretches if not named]
        seen: set[Span] = set()
        for statement in file.statements:
            first = next(cites_of(statement), None)
            if first is None and not isinstance(statement, syntax.Background):
                continue
            place = (first or statement).span
            design = self._design(place)
            if design is None and (text_file is not None or self.text is not None):
                continue
            within = file.span if design is None else design[0].span
            if (design is not None and within not in lacking) or within in seen:
                continue
            seen.add(within)
            self.report.add(
                "DL201", "The file cites a protocol's text and does not say where that is.", place,
                help='Write at the top, with the name of the text\'s file in the same folder: text "protocol.md"',
            )  # fmt: skip


def _show(finder: Finder, sentence: Sentence) -> str:
    return f"Line {sentence.line} of {finder.text.path}: “{shorten(sentence.text, 200)}”"


def _quotation(sentence: Sentence) -> str:
    """Words that cite a sentence: all of a short one, beginning and end of a long one."""
    words = without_anchor(sentence.text).replace('"', "'").replace(" | ", " ").split()
    return " ".join(words) if len(words) <= 20 else f"{' '.join(words[:12])} … {' '.join(words[-4:])}"


def cites_of(statement: syntax.Statement) -> Iterator[syntax.Cites]:
    """The citations written in a statement."""
    within = statement.basis if isinstance(statement, syntax.Rule) else getattr(statement, "cites", ())
    return (part for part in within if isinstance(part, syntax.Cites))


def bind_sources(
    file: syntax.File, report: Report, text: ProtocolText | None, text_file: syntax.TextFile | None,
    designs: Sequence[DesignText] = (),
) -> Sources:  # fmt: skip
    """The citations of all statements. Without a text to look into, a file that cites is told so once."""
    finders = tuple((design, Finder(design.text) if design.text is not None else None) for design in designs)
    sources = Sources(report, text, Finder(text) if text is not None else None, finders)
    for statement in file.statements:
        sources.bind(statement)
    sources.report_unnamed(file, text_file)
    return sources
