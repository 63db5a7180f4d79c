"""What testing came to: each example and claim, and which rules no example reaches."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from doselang.check.facts import ClaimChecked
from doselang.conduct.accounts import Coverage, ExampleResult
from doselang.diagnostics import Diagnostic
from doselang.machine.notation import write_history
from doselang.protocol.model import Protocol
from doselang.report.courses import course_words
from doselang.report.diagnostics_json import file_record
from doselang.report.phrases import counted, quoted
from doselang.report.printable import printable
from doselang.report.text import line_words
from doselang.source import Source


@frozen
class Tested:
    """The results of one file; `unproved` says why its claims could not be checked, if they could not."""

    source: Source
    protocol: Protocol
    examples: tuple[ExampleResult, ...]
    claims: tuple[ClaimChecked, ...]
    coverage: Coverage
    unproved: Diagnostic | None = None

    @property
    def failed(self) -> int:
        """How many examples and claims do not hold."""
        refuted = sum(claim.outcome == "refuted" for claim in self.claims)
        return refuted + sum(not example.passed for example in self.examples)

    @property
    def passed(self) -> int:
        return len(self.examples) + len(self.claims) - self.failed

    def refutation(self, claim: ClaimChecked) -> str | None:
        """The history that refutes a claim, None if none does."""
        if claim.course is not None:
            return course_words(claim.course, self.protocol)
        return None if claim.history is None else write_history(claim.history, self.protocol)


def render_tested(tested: Tested, *, quiet: bool = False, show_coverage: bool = False) -> str:
    """For people: what failed, with what was expected and what came; then how many passed."""
    lines = [line for example in tested.examples for line in _example(tested, example, quiet)]
    lines += [line for claim in tested.claims for line in _claim(tested, claim, quiet)]
    if show_coverage:
        lines += list(_coverage(tested.coverage))
    lines.append(f"{tested.source.path}: {tested.passed} passed, {tested.failed} failed")
    return "".join(f"{printable(line)}\n" for line in lines)


def _example(tested: Tested, example: ExampleResult, quiet: bool) -> Iterator[str]:
    line = tested.source.place(example.span.start)[0]
    kind = "patient" if example.of_patient else "example"
    if example.passed:
        if not quiet:
            by = f"  by {quoted(example.rules_actual)}" if example.rules_actual else ""
            yield f"passed  line {line:>3}  {kind} {example.name}: {example.actual}{by}"
        return
    yield f"FAILED  line {line:>3}  {kind} {example.name}"
    if example.reason:
        yield f"          {example.reason}"
        return
    by = f"  by {quoted(example.rules_expected)}" if example.rules_expected else ""
    yield f"          expected  {example.expected}{by}"
    by = f"  by {quoted(example.rules_actual)}" if example.rules_actual else ""
    yield f"          came      {example.actual}{by}"


def _claim(tested: Tested, claim: ClaimChecked, quiet: bool) -> Iterator[str]:
    made = tested.protocol.claims[claim.claim]
    line = line_words(made.span, tested.source)
    if claim.outcome == "refuted":
        undecided = ", where the rules leave the trial undecided" if claim.undecided else ""
        yield f"FAILED  {line}  claim {made.name}"
        yield f"          refuted by {tested.refutation(claim)}{undecided}"
    elif not quiet:
        what = "is about no moment of any trial" if claim.outcome == "empty" else "holds in every trial"
        yield f"passed  {line}  claim {made.name}: {what}"


def _coverage(coverage: Coverage) -> Iterator[str]:
    reached = len(coverage.rules) - len(coverage.unreached)
    yield f"Examples reach {reached} of {counted(len(coverage.rules), 'rule')}."
    for name in coverage.unreached:
        yield f'  not reached: "{name}"'


def tested_record(tested: Tested) -> dict[str, object]:
    """One of the `files` of `test --format json`."""
    results: list[dict[str, object]] = []
    for example in tested.examples:
        results.append({
            "kind": "patient" if example.of_patient else "example",
            "name": example.name,
            "line": tested.source.place(example.span.start)[0],
            "passed": example.passed,
            "expected": example.expected,
            "actual": example.reason or example.actual,
            "rule": ", ".join(example.rules_actual),
            "rules": list(example.rules_actual),
        })  # fmt: skip
    for claim in tested.claims:
        made = tested.protocol.claims[claim.claim]
        history = tested.refutation(claim)
        results.append({
            "kind": "claim",
            "name": made.name,
            "line": tested.source.place(made.span.start)[0],
            **file_record(made.span, tested.source),
            "passed": claim.outcome != "refuted",
            "expected": "proved",
            "actual": claim.outcome if history is None else f"refuted by {history}",
            "rule": "",
            "rules": [],
        })  # fmt: skip
    rules = tested.coverage.rules
    return {
        "path": tested.source.path,
        "passed": tested.passed,
        "failed": tested.failed,
        "results": results,
        "coverage": {
            "rules": len(rules),
            "reached": len(rules) - len(tested.coverage.unreached),
            "unreached": list(tested.coverage.unreached),
        },
    }
