"""The designs by a method: what each shipped file means, against calculations that know nothing of doselang."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import log
from pathlib import Path

import numpy as np
import pytest

from doselang.api import load, simulate
from doselang.designs import intervals, units
from doselang.designs.methods import METHODS, Words, build
from doselang.loading import load_source
from doselang.protocol.model import Protocol, Scenario
from doselang.report.method_tables import method_tables
from doselang.resolve import read_setting
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import monte_carlo
from doselang.source import Source
from tests.comparison import PAGE, page_with, tables
from tests.test_protocols import invoke

ROOT = Path(__file__).parent.parent
DESIGNS = ROOT / "protocols" / "designs"
INTERVALS = ("boin", "mtpi", "mtpi2", "keyboard", "ccd", "teqr", "i3plus3")
ASKED = (*INTERVALS, "crm", "blrm")
NAMES = (*ASKED, "decision-table", "biased-coin", "accelerated-titration-double-steps", "k-in-a-row")
MODERATE = (0.05, 0.12, 0.25, 0.40, 0.55)


@cache
def protocol_of(name: str, *settings: str) -> Protocol:
    values = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        read = read_setting(value)
        assert read is not None
        values[key] = read
    loaded = load(str(DESIGNS / f"{name}.dose"), values)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def changed(name: str, change: Callable[[str], str], *settings: str) -> Protocol:
    """A design's protocol after a change of its text."""
    text = change((DESIGNS / f"{name}.dose").read_text(encoding="utf-8"))
    values = {key: read_setting(value) for key, _, value in (setting.partition("=") for setting in settings)}
    loaded = load_source(Source(f"{name}.dose", text), DESIGNS, values)  # type: ignore[arg-type]
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def found(protocol: Protocol, rates: tuple[float, ...]) -> Characteristics:
    (one,) = simulate(protocol, [Scenario("s", tuple(rates for _ in protocol.toxicities[:1]))])
    return one


def same(one: Characteristics, other: Characteristics) -> None:
    assert one.undecided == other.undecided == 0
    assert one.mtd == pytest.approx(other.mtd, abs=1e-12)
    assert one.no_mtd == pytest.approx(other.no_mtd, abs=1e-12)
    assert one.patients.by_level == pytest.approx(other.patients.by_level, abs=1e-10)
    assert one.dlts.by_level == pytest.approx(other.dlts.by_level, abs=1e-10)


# ---- every design ----


CHANGED = (
    ("levels=3", "cohorts=6"),
    ("levels=7", "cohorts=8"),
    ("cohort_size=2", "target=25%", "cohorts=8"),
    ("cohort_size=1", "cohorts=10"),
    ("cohort_size=4", "cohorts=5", "target=20%"),
)


IDLE = {
    ("teqr", "cohort_size=2"): {"DL307"},
    ("teqr", "cohort_size=1"): {"DL307"},
    ("mtpi", "cohort_size=4"): {"DL309"},
}
"""Where `check` is right that something never comes into play: no level of a TEQR can have all patients of a trial in
small cohorts, so that `stop-at` changes nothing, and a mTPI with a low target does not end a trial on the way down."""


@pytest.mark.parametrize("settings", CHANGED, ids=" ".join)
@pytest.mark.parametrize("name", [name for name in ASKED if name != "blrm"])
def test_a_design_checks_clean_with_other_parameters(name: str, settings: tuple[str, ...]) -> None:
    """What no longer fits is left out, which is said; nothing else is found."""
    if name == "ccd" and "target=20%" in settings:
        settings = (*settings, "margin=5%")
    chosen = [word for setting in settings for word in ("--set", setting)]
    status, out = invoke("check", str(DESIGNS / f"{name}.dose"), "--format", "json", *chosen)
    assert status == 0
    codes = {item["code"] for file in json.loads(out)["files"] for item in file["diagnostics"]}
    assert codes <= {"DL220"} | IDLE.get((name, settings[0]), set())


@pytest.mark.parametrize("name", ASKED)
def test_all_methods_take_the_same_options(name: str) -> None:
    settings = ("levels=5", "target=0.3", "cohorts=10", "cohort_size=3")
    chosen = [word for setting in settings for word in ("--set", setting)]
    rates = "5%,12%,25%,40%,55%"
    status, out = invoke(
        "simulate",
        str(DESIGNS / f"{name}.dose"),
        *chosen,
        "--dlt",
        rates,
        "--format",
        "json",
    )
    assert status == 0
    assert {"levels", "target", "cohorts", "cohort_size", "sample-size"} <= set(protocol_of(name).parameters)
    assert protocol_of(name).parameters["sample-size"].computed
    (one,) = json.loads(out)["scenarios"]
    assert set(one["dlt"]) == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize("name", NAMES)
def test_exact_figures_and_simulated_trials_agree(name: str) -> None:
    """Within four standard errors of 4,000 trials."""
    small = ("cohorts=6",) if name in ASKED else ()
    protocol = protocol_of(name, *small)
    scenario = protocol.scenarios[0]
    (exact,) = simulate(protocol, [scenario])
    (trials,) = monte_carlo(protocol, [scenario], trials=4000, seed=11)
    chances = [*exact.mtd, exact.no_mtd]
    for p, q in zip(chances, [*trials.mtd, trials.no_mtd], strict=True):
        assert abs(p - q) <= 4 * max(p * (1 - p) / 4000, 1e-6) ** 0.5 + 1e-9
    spread = 4 * exact.patients.sd / 4000**0.5 + 1e-9
    assert abs(sum(exact.patients.by_level) - sum(trials.patients.by_level)) <= spread


# ---- tables and rules that amount to the same ----


@pytest.mark.parametrize("name", [name for name in INTERVALS if name != "i3plus3"])
@pytest.mark.parametrize("settings", [("cohorts=6",), ("cohort_size=2", "cohorts=8", "target=25%")], ids=" ".join)
def test_the_printed_tables_in_the_place_of_the_methods_decide_the_same(name: str, settings: tuple[str, ...]) -> None:
    protocol = protocol_of(name, *settings)
    tables = {
        block.split()[1]: block
        for block in method_tables(protocol, max_states=10**6).split("\n\n") if block.startswith("table ")
    }  # fmt: skip
    assert tables

    def pasted(text: str) -> str:
        for adviser, table in tables.items():
            use = rf'(?m)^use \S+ as {adviser} with .*\n(  (?!cites)\S.*\n)*(  cites ".*"\n)*'
            text, count = re.subn(use, f"{table}\n", text)
            assert count == 1, adviser
        return text

    other = changed(name, pasted, *settings)
    assert sum("Table" in type(adviser).__name__ for adviser in other.advisers) == len(tables)
    same(found(protocol, MODERATE), found(other, MODERATE))


@pytest.mark.parametrize("settings", [("cohorts=6",), ("cohort_size=2", "cohorts=8", "target=25%")], ids=" ".join)
def test_the_rules_of_i3plus3_decide_as_the_method(settings: tuple[str, ...]) -> None:
    other = changed("mtpi", lambda text: text.replace("use mtpi as", "use i3plus3 as"), *settings)
    same(found(protocol_of("i3plus3", *settings), MODERATE), found(other, MODERATE))


def test_the_sample_table_is_boin() -> None:
    same(found(protocol_of("decision-table"), MODERATE), found(protocol_of("boin"), MODERATE))


def test_the_printed_table_of_boin_is_the_published_one() -> None:
    """Target 30%, cohorts of three: Liu and Yuan (2015), as `get.boundary` of the R package BOIN prints it."""
    status, out = invoke("show", str(DESIGNS / "boin.dose"), "--as", "rules")
    assert status == 0
    rows = {
        words[0]: [int(x) for x in re.findall(r"\d+", line)] for line in out.splitlines() if (words := line.split())
    }
    assert rows["escalate"] == [0, 1, 2, 2, 3, 4, 4, 5, 6, 7]
    assert rows["de-escalate"] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert rows["eliminate"] == [3, 4, 5, 7, 8, 9, 10, 11, 12, 14]


# ---- a second calculation of a whole trial ----

Step = Callable[[int, int], str]


def boin_step(n: int, y: int) -> str:
    """Liu and Yuan 2015, with logarithms; too toxic by the beta integral, by Simpson's rule."""
    t, a, b = 0.3, 0.18, 0.42
    low = log((1 - a) / (1 - t)) / log(t * (1 - a) / (a * (1 - t)))
    high = log((1 - t) / (1 - b)) / log(b * (1 - t) / (t * (1 - b)))
    if n >= 3 and above(n, y, t) > 0.95:
        return "eliminate"
    return "up" if y / n <= low else "down" if y / n >= high else "stay"


def above(n: int, y: int, rate: float) -> float:
    grid = np.linspace(0, 1, 20001)
    density = grid**y * (1 - grid) ** (n - y)
    weights = np.ones(20001)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float((density * weights)[grid > rate].sum() / (density * weights).sum())


def ccd_step(n: int, y: int) -> str:
    if n >= 3 and above(n, y, 0.3) > 0.95:
        return "eliminate"
    return "up" if 10 * y <= 2 * n else "down" if 10 * y >= 4 * n else "stay"


def teqr_step(n: int, y: int) -> str:
    if 100 * y >= 55 * n:
        return "eliminate"
    return "up" if 100 * y < 25 * n else "down" if 100 * y > 35 * n else "stay"


def chosen(tally: tuple[tuple[int, int], ...], closed: int, target: float = 0.3) -> int:
    """The level nearest the target, by pooling adjacent violators; on its own in every word."""
    levels = [i for i, (n, _) in enumerate(tally) if n and i < closed]
    blocks: list[list[float]] = []
    for i in levels:
        n, y = tally[i]
        a, b = y + 0.05, n - y + 0.05
        blocks.append([a / (a + b), (a + b) ** 2 * (a + b + 1) / (a * b), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0] + 1e-15:
            r, w, k = blocks.pop()
            q, v, j = blocks[-1]
            blocks[-1] = [(q * v + r * w) / (v + w), v + w, j + k]
    fitted = [rate for rate, _, count in blocks for _ in range(int(count))]
    gap = min(abs(rate - target) for rate in fitted)
    near = [(i, rate) for i, rate in zip(levels, fitted, strict=True) if abs(rate - target) < gap + 1e-9]
    low = [i for i, rate in near if rate < target - 1e-9]
    return max(low) if low else near[0][0]


def walked(step: Step, rates: tuple[float, ...], cohorts: int, size: int) -> tuple[list[float], float, list[float]]:
    """The chances of each MTD, of none, and expected patients, over all outcomes of all cohorts."""
    levels = len(rates)
    mtd, patients, none = [0.0] * levels, [0.0] * levels, 0.0
    binomial = [[float(_choose(size, k)) * p**k * (1 - p) ** (size - k) for k in range(size + 1)] for p in rates]
    states = {(0, levels, ((0, 0),) * levels): 1.0}
    for cohort in range(cohorts):
        after: dict[tuple[int, int, tuple[tuple[int, int], ...]], float] = {}
        for (here, closed, tally), chance in states.items():
            patients[here] += size * chance
            for k in range(size + 1):
                n, y = tally[here][0] + size, tally[here][1] + k
                now = (*tally[:here], (n, y), *tally[here + 1 :])
                p, said, shut = chance * binomial[here][k], step(n, y), closed
                if said == "eliminate":
                    shut = here
                    if here == 0:
                        none += p
                        continue
                if cohort == cohorts - 1:
                    mtd[chosen(now, shut)] += p
                    continue
                move = {"up": 1, "stay": 0}.get(said, -1)
                there = min(max(here + move, 0), shut - 1)
                after[there, shut, now] = after.get((there, shut, now), 0.0) + p
        states = after
    return mtd, none, patients


def _choose(n: int, k: int) -> int:
    return 1 if k == 0 else _choose(n, k - 1) * (n - k + 1) // k


@pytest.mark.parametrize(("name", "step"), [("boin", boin_step), ("ccd", ccd_step), ("teqr", teqr_step)])
@pytest.mark.parametrize(("rates", "cohorts", "size"), [(MODERATE[1:4], 7, 3), ((0.3, 0.5), 6, 2), (MODERATE, 5, 4)])
def test_interval_designs_are_their_publications(
    name: str, step: Step, rates: tuple[float, ...], cohorts: int, size: int
) -> None:
    mtd, none, patients = walked(step, rates, cohorts, size)
    one = found(protocol_of(name, f"levels={len(rates)}", f"cohorts={cohorts}", f"cohort_size={size}"), rates)
    assert one.undecided == 0
    assert one.mtd == pytest.approx(mtd, abs=1e-10)
    assert one.no_mtd == pytest.approx(none, abs=1e-10)
    assert one.patients.by_level == pytest.approx(patients, abs=1e-9)


def test_options_of_boin_end_trials_earlier() -> None:
    plain, stopped, safer = (
        found(protocol_of("boin", *settings), (0.3, 0.45, 0.6, 0.7, 0.8))
        for settings in ((), ("stop-at=9",), ("offset=10%",))
    )
    assert sum(stopped.patients.by_level) < sum(plain.patients.by_level)
    assert safer.no_mtd > plain.no_mtd


def crm_walk(rates: tuple[float, ...], cohorts: int, size: int) -> tuple[list[float], float]:
    """The CRM of the shipped file by Gauss-Legendre quadrature, states by tally: chances of each MTD and of none."""
    levels, target = len(rates), 0.3
    skeleton = [0.0] * levels
    skeleton[0] = target
    # Lee and Cheung 2009 for the power model, with level 1 as the prior MTD
    for i in range(1, levels):
        skeleton[i] = float(np.exp(log(skeleton[i - 1]) * log(target + 0.05) / log(target - 0.05)))
    nodes, weights = np.polynomial.legendre.leggauss(400)
    b, w = nodes * 9, weights * np.exp(-((nodes * 9) ** 2) / (2 * 1.34))
    curves = np.array([np.power(s, np.exp(b)) for s in skeleton])

    def posterior(tally: tuple[tuple[int, int], ...]) -> tuple[float, float]:
        like = w.copy()
        for (n, y), curve in zip(tally, curves, strict=True):
            like = like * curve**y * (1 - curve) ** (n - y)
        mean = float((like * b).sum() / like.sum())
        return mean, float((like * b * b).sum() / like.sum()) - mean**2

    mtd, none = [0.0] * levels, 0.0
    states = {(0, ((0, 0),) * levels): 1.0}
    limit = log(log(target) / log(skeleton[0]))
    for cohort in range(cohorts):
        after: dict[tuple[int, tuple[tuple[int, int], ...]], float] = {}
        for (here, tally), chance in states.items():
            for k in range(size + 1):
                p = chance * _choose(size, k) * rates[here] ** k * (1 - rates[here]) ** (size - k)
                n, y = tally[here][0] + size, tally[here][1] + k
                now = (*tally[:here], (n, y), *tally[here + 1 :])
                mean, variance = posterior(now)
                z = (limit - mean) / variance**0.5
                if normal(z) > 0.95:
                    none += p
                    continue
                fitted = [s ** float(np.exp(mean)) for s in skeleton]
                top = max(i for i, (m, _) in enumerate(now) if m)
                level = min(range(levels), key=lambda i: abs(fitted[i] - target))
                level = min(level, top + 1)
                if y / n > target:
                    level = min(level, here)
                if cohort == cohorts - 1:
                    mtd[min(level, top)] += p
                else:
                    after[level, now] = after.get((level, now), 0.0) + p
        states = after
    return mtd, none


def normal(z: float) -> float:
    from math import erf, sqrt

    return (1 + erf(z / sqrt(2))) / 2


@pytest.mark.parametrize(("rates", "cohorts", "size"), [((0.1, 0.3, 0.5), 5, 3), ((0.3, 0.5), 5, 2)])
def test_the_crm_is_a_second_calculation(rates: tuple[float, ...], cohorts: int, size: int) -> None:
    mtd, none = crm_walk(rates, cohorts, size)
    settings = (f"levels={len(rates)}", f"cohorts={cohorts}", f"cohort_size={size}", "prior-mtd=1")
    one = found(protocol_of("crm", *settings), rates)
    assert one.mtd == pytest.approx(mtd, abs=1e-9)
    assert one.no_mtd == pytest.approx(none, abs=1e-9)


def coin_walk(rates: tuple[float, ...], bias: float, patients: int) -> tuple[list[float], float]:
    """The levels of the biased coin as a Markov chain: where the last patient leaves it."""
    here = [1.0, *[0.0] * (len(rates) - 1)]
    for _ in range(patients - 1):
        there = [0.0] * len(rates)
        for i, p in enumerate(here):
            up = 0.0 if i == len(rates) - 1 else (1 - rates[i]) * bias
            down = 0.0 if i == 0 else rates[i]
            there[min(i + 1, len(rates) - 1)] += p * up
            there[max(i - 1, 0)] += p * down
            there[i] += p * (1 - up - down)
        here = there
    mtd = [
        here[i] * (1 - rates[i]) + (here[i + 1] * rates[i + 1] if i + 1 < len(rates) else 0) for i in range(len(rates))
    ]
    return mtd, here[0] * rates[0]


def test_the_biased_coin_is_a_markov_chain() -> None:
    mtd, none = coin_walk(MODERATE, 0.42857, 24)
    one = found(protocol_of("biased-coin"), MODERATE)
    assert one.mtd == pytest.approx(mtd, abs=1e-12)
    assert one.no_mtd == pytest.approx(none, abs=1e-12)


def test_double_steps_reach_the_highest_level_with_fewer_patients() -> None:
    """Without any toxicity: 1, 3, 5, 6, then five more at the highest level."""
    one = found_moderate("accelerated-titration-double-steps")
    assert sum(part.patients for part in one.parts.values()) == pytest.approx(9)
    other = found_moderate("accelerated-titration")
    assert sum(part.patients for part in other.parts.values()) == pytest.approx(11)


def found_moderate(name: str) -> Characteristics:
    (one,) = simulate(protocol_of(name), [Scenario("s", ((0.0,) * 6, (0.0,) * 6))])
    return one


# ---- the page of the methods ----


def test_the_page_of_methods_is_what_the_program_knows() -> None:
    page = (ROOT / "docs" / "designs" / "methods.md").read_text(encoding="utf-8")
    for name, method in METHODS.items():
        start = page.index(f"## {name}\n")
        section = page[start : page.find("\n## ", start + 1) if "\n## " in page[start + 1 :] else len(page)]
        assert method.source in section
        assert [row.split("|")[1].strip() for row in section.splitlines() if row.startswith("| `")] == [
            f"`{argument.name}`" for argument in method.arguments
        ]
        for argument in method.arguments:
            assert argument_row(argument) in section
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(METHODS)


def argument_row(argument) -> str:  # type: ignore[no-untyped-def]
    """A row of the page: name, kind, range, default, meaning."""
    sign = argument.kind in ("rate", "rates", "increase")

    def words(value: object) -> str:
        if isinstance(value, bool):
            return "off"
        if isinstance(value, Fraction | int):
            number = Fraction(value) * (100 if sign else 1)
            return f"{float(number):g}{'%' if sign else ''}"
        return str(value) if value != () else "none"

    low, high = argument.low, argument.high
    if sign:
        low, high = low if low is not None else Fraction(0), high if high is not None else Fraction(1)
    ends = f"{words(low)} to {words(high)}" if low is not None and high is not None else ""
    ends = ends or (f"at least {words(low)}" if low is not None else " or ".join(argument.choices))
    default = "must be given" if argument.default is None else words(argument.default)
    return f"| `{argument.name}` | {argument.kind} | {ends} | {default} | {argument.means} |"


NEEDED = {
    "target": Fraction(3, 10), "margin": Fraction(1, 10), "doses": (Fraction(1), Fraction(2), Fraction(4)),
    "reference-dose": Fraction(2), "mean-log-alpha": Fraction(-1), "mean-log-beta": Fraction(0),
    "sd-log-alpha": Fraction(2), "sd-log-beta": Fraction(1),
}  # fmt: skip
"""What has no default."""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_page_builds_with_its_defaults(name: str) -> None:
    method = METHODS[name]
    given = {one.name: NEEDED[one.name] for one in method.arguments if one.default is None}
    if name == "crm":  # this or a skeleton
        given["prior-mtd"] = Fraction(1)
    made = build(name, given, 3)
    assert isinstance(made, Words) == (method.gives == "words")


def test_the_comparison_is_what_the_program_finds() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(tables()) == page


# ---- against the tables that other people's packages print ----

PACKAGES = list(csv.DictReader((ROOT / "tests" / "tables_of_packages.csv").read_text(encoding="utf-8").splitlines()))
"""By design, target and n: the decision for each number of DLTs, U where the level is eliminated as too toxic.

Printed by R 4.2.2 with the calculations of two packages, margins of 0.05: `get.boundary.kb` of Keyboard 0.1.3 (CRAN;
Yuan, Li, Sun, Tang, Pan), whose elimination has no least number of patients, and `get_decision_i3plus3` of FIND 0.1.1
(Zhang; github.com/oliviazhang0416/FIND).
"""
MARGIN = Fraction(1, 20)


def decisions_of(design: str, target: Fraction, n: int) -> str:
    method = {"keyboard": units.keyboard, "i3plus3": intervals.i3plus3}[design]
    steps = method(target, MARGIN, MARGIN, n)
    toxic = intervals.too_toxic(target, Fraction(19, 20), 1, 1, 1, n)
    return "".join("U" if toxic[y] == 0 else "ESD"[step] for y, step in enumerate(steps))


@pytest.mark.parametrize("design", ["keyboard", "i3plus3"])
def test_decisions_are_those_of_the_packages(design: str) -> None:
    rows = [row for row in PACKAGES if row["design"] == design]
    assert sum(len(row["decisions"]) for row in rows) > 1_400
    for row in rows:
        assert decisions_of(design, Fraction(row["target"]), int(row["n"])) == row["decisions"], row


def test_keys_of_another_width_are_not_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "MARGIN", Fraction(1, 10))
    rows = [row for row in PACKAGES if row["design"] == "keyboard"]
    assert any(decisions_of("keyboard", Fraction(row["target"]), int(row["n"])) != row["decisions"] for row in rows)
