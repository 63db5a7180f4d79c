"""What a picture of operating characteristics shows: designs, scenarios, verdicts, the target; and it in words."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from doselang.diagnostics import trouble
from doselang.protocol.model import Engine, Protocol
from doselang.report.characteristics import ACCRUALS, METHODS, percent, whole_words
from doselang.report.panels import DESIGNS, Distribution
from doselang.report.phrases import listed
from doselang.report.printable import printable
from doselang.simulate.characteristics import Characteristics, Spread

MOST_SCENARIOS, MOST_DESIGNS = 24, len(DESIGNS)


@frozen
class Design:
    """What is drawn of one file: its name, and its characteristics, a scenario each."""

    name: str
    found: tuple[Characteristics, ...]


@frozen
class Row:
    """One scenario: its characteristics by each design; `number` counts from 0."""

    number: int
    name: str
    found: tuple[Characteristics, ...]


@frozen
class Sheet:
    """What a picture shows: designs and rows, the levels, the verdicts that are no level, the target rate."""

    designs: tuple[Design, ...]
    rows: tuple[Row, ...]
    levels: tuple[str, ...]
    others: tuple[str, ...]
    result: str
    target: float | None
    title: str
    method: str

    @property
    def one(self) -> Characteristics:
        return self.rows[0].found[0]

    @property
    def several(self) -> bool:
        return len(self.designs) > 1

    @property
    def timed(self) -> bool:
        """Whether the trials have a clock."""
        return self.one.timing is not None

    @property
    def where(self) -> str:
        """` in all parts`: of what the patients are that are shown, where a design has several parts."""
        return next((words for one in self.rows[0].found if (words := whole_words(one))), "")

    @property
    def toxicity(self) -> str:
        return printable(self.one.protocol.toxicities[0].name)


def sheet_of(designs: Sequence[Design]) -> Sheet:
    """What a picture of some designs shows. Trouble DL903 where their scenarios are not the same, or are too many."""
    designs = tuple(designs)
    first = designs[0].found
    if not first:
        raise trouble("DL903", "There is no scenario to draw.")
    refuse_many(len(first), len(designs))
    rows = tuple(
        Row(number, printable(one.scenario.name), (one, *(_same(one, designs[0], other) for other in designs[1:])))
        for number, one in enumerate(first)
    )
    every = [one for row in rows for one in row.found]
    results = dict.fromkeys(printable(one.protocol.verdicts[one.protocol.result].name) for one in every)
    result = next(iter(results)) if len(results) == 1 else "level"
    labels = dict.fromkeys(name for one in every for name, share in one.other_verdicts.items() if share > 0)
    others = (f"no {result}", *labels, *(["undecided"] if any(one.undecided > 0 for one in every) else []))
    targets = {target_of(one.protocol) for one in every} - {None}
    title = first[0].protocol.title if len(designs) == 1 else f"{len(designs)} designs side by side"
    levels = tuple(level.label for level in first[0].protocol.levels)
    target = targets.pop() if len(targets) == 1 else None
    return Sheet(designs, rows, levels, others, result, target, printable(title), _method(designs, rows))


def refuse_many(scenarios: int, files: int) -> None:
    """Trouble DL903 where there is more than a picture can show."""
    for what, number, most in (("scenarios", scenarios, MOST_SCENARIOS), ("files", files, MOST_DESIGNS)):
        if number > most:
            help = "Choose some of them with `--scenario`." if what == "scenarios" else "Compare fewer at a time."
            raise trouble("DL903", f"A picture shows at most {most} {what}, and not {number}.", help=help)


def _same(one: Characteristics, first: Design, other: Design) -> Characteristics:
    """The characteristics of another design under the same scenario: the same name, and the same true rates."""
    for found in other.found:
        if found.scenario.name == one.scenario.name and _rates(found) == _rates(one):
            return found
    raise trouble(
        "DL903",
        f"The scenario `{printable(one.scenario.name)}` of {first.name} is not in {other.name}, "
        "or has other true rates there.",
        help="Designs are compared under the same scenarios: give true rates with `--dlt` or `--scenarios`, "
        "or choose scenarios that all have with `--scenario`.",
    )


def _rates(one: Characteristics) -> list[tuple[str, float]]:
    return [(level.label, rate) for level, rate in zip(one.protocol.levels, one.scenario.rates[0], strict=True)]


def target_of(protocol: Protocol) -> float | None:
    """The target rate: the one `target` that the methods are given, or else the parameter of that name."""
    given = [dict(one.arguments).get("target") for one in protocol.advisers if isinstance(one, Engine)]
    named = protocol.parameters.get("target")
    given += [] if named is None or named.kind != "percent" else [named.value]
    found = {float(target) for target in given if target is not None and not isinstance(target, tuple | str)}
    return found.pop() if len(found) == 1 else None


def _method(designs: Sequence[Design], rows: Sequence[Row]) -> str:
    """`exact, one patient at a time`; `simulated, 10,000 trials, seed 7, …; error bars: 95% intervals`.

    Where designs were not worked out alike, each with its name.
    """
    words = [_method_of([row.found[number] for row in rows]) for number in range(len(designs))]
    alike = len(set(words)) == 1
    named = [f"{printable(one.name)}: {said}" for one, said in zip(designs, words, strict=True)]
    errors = any(one.standard_errors is not None for row in rows for one in row.found)
    return (words[0] if alike else "; ".join(named)) + ("; error bars: 95% intervals" if errors else "")


def _method_of(found: Sequence[Characteristics]) -> str:
    """How a design was worked out under its scenarios; with a clock, how patients come: durations rest on it."""
    one, trials = found[0], [each.trials for each in found if each.trials is not None]
    words = [METHODS[one.method]]
    if trials:
        number = f"{min(trials):,}" if min(trials) == max(trials) else f"{min(trials):,} to {max(trials):,}"
        words += [f"{number} trials", f"seed {one.seed}"]
    words.append(ACCRUALS[one.accrual])
    words += [] if one.timing is None else [said.value for said in one.timing.assumptions if said.name == "arrivals"]
    return ", ".join(words)


def described(sheet: Sheet) -> str:
    """The picture in words, for those who do not see it: what is selected under each scenario, by each design."""
    sentences = [f"{sheet.title}. {sheet.method[:1].upper()}{sheet.method[1:]}."]
    for row in sheet.rows:
        for design, one in zip(sheet.designs, row.found, strict=True):
            by = f", {printable(design.name)}" if sheet.several else ""
            shares = zip(
                (*(f"level {label}" for label in sheet.levels), *sheet.others), shares_of(sheet, one), strict=True
            )
            selected = listed([f"{printable(name)} {percent(share)}" for name, share in shares])
            patients = (
                f"{one.trial.patients.mean:.2f} patients{whole_words(one)} and {one.trial.dlts.mean:.2f} with "
                f"{sheet.toxicity}"
            )
            sentences.append(
                f"Scenario {row.name}{by}: selected as {sheet.result}: {selected}; on average {patients}"
                f"{_duration_words(one)}."
            )
    return " ".join(sentences)


def duration_of(one: Characteristics) -> Spread | None:
    """How long trials take, in days; None without a clock."""
    return None if one.timing is None else one.timing.spreads["duration_days"]


def quartiles(spread: Spread) -> tuple[float, float, float]:
    """The lower quartile, the median, the upper quartile."""
    by = {quantile.share: quantile.value for quantile in spread.quantiles}
    return by[0.25], by[0.5], by[0.75]


def _duration_words(one: Characteristics) -> str:
    spread = duration_of(one)
    if spread is None:
        return ""
    low, middle, high = quartiles(spread)
    return f"; median duration {middle:.0f} days, quartiles {low:.0f} and {high:.0f}"


def shares_of(sheet: Sheet, one: Characteristics) -> tuple[float, ...]:
    """The probability of each category of the first panel."""
    named = {sheet.others[0]: one.no_mtd, **one.other_verdicts}
    return (*one.mtd, *(one.undecided if name == "undecided" else named.get(name, 0.0) for name in sheet.others))


def share_errors(sheet: Sheet, one: Characteristics) -> tuple[float, ...] | None:
    errors = one.standard_errors
    if errors is None:
        return None
    named = {sheet.others[0]: errors.no_mtd, **errors.other_verdicts}
    return (*errors.mtd, *(errors.undecided if name == "undecided" else named.get(name, 0.0) for name in sheet.others))


def sample_size(one: Characteristics) -> Distribution:
    """The distribution of the number of patients of the whole trial."""
    patients = one.trial.patients
    sizes = tuple(sorted(patients.distribution))
    weights = tuple(patients.distribution[size] for size in sizes)
    of_size = None if one.standard_errors is None else one.standard_errors.trial.patients.distribution
    errors = None if of_size is None else tuple(of_size[size] for size in sizes)
    return Distribution(tuple(map(float, sizes)), weights, "patients", errors)
