"""Plans: what they combine, how cells are told apart, and every wrong plan refused before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.sweep.plan import UNIT, Plan
from doselang.sweep.plan_reading import read_plan
from doselang.sweep.rows import columns_of
from tests.sweeps import DESIGNS, ROOT

BOIN, THREE = str(DESIGNS / "boin.dose"), str(DESIGNS / "three-plus-three.dose")
CLASSES = str(ROOT / "tests" / "scripts" / "two-classes.dose")
MISSPELT = str(ROOT / "tests" / "faulty" / "misspelt-rule.dose")
PYTHON_WORDS = re.compile(r"Traceback|Exception|\w*Error\b|DL999|<class|NoneType|Errno|\bNone\b|`--set|example --set")


def written(text: str, folder: Path, name: str = "plan.toml") -> Path:
    """A plan in a folder, in which BOIN, THREE and so on are paths."""
    path = folder / name
    for word, design in (("BOIN", BOIN), ("THREE", THREE), ("CLASSES", CLASSES), ("MISSPELT", MISSPELT)):
        text = text.replace(word, design)
    path.write_text(text, encoding="utf-8")
    return path


def plan_of(text: str, folder: Path, name: str = "plan.toml", **given: object) -> Plan:
    return read_plan(str(written(text, folder, name)), {key.replace("_", "-"): value for key, value in given.items()})


def told(plan: Plan) -> list[tuple[str, tuple[float, ...], str]]:
    """Of each cell the design, its parameters and its scenario."""
    return [
        (
            Path(plan.setups[cell.setup].path).stem,
            tuple(float(value.numbers[0]) for value in plan.setups[cell.setup].settings.values()),
            cell.scenario.name,
        )
        for cell in plan.cells
    ]


# ---- what is combined ----


def test_a_plan_is_all_combinations_in_order(tmp_path: Path) -> None:
    text = 'protocols = ["BOIN"]\nscenarios = ["steep", "GENTLE"]\n[parameters]\ntarget = [0.25, "30%"]\ncohorts = 2\n'
    plan = plan_of(text, tmp_path)
    assert told(plan) == [
        ("boin", (0.25, 2.0), "steep"), ("boin", (0.25, 2.0), "gentle"),
        ("boin", (0.3, 2.0), "steep"), ("boin", (0.3, 2.0), "gentle"),
    ]  # fmt: skip
    assert plan.parameters == ("target", "cohorts")


def test_without_scenarios_those_of_each_protocol_are_used(tmp_path: Path) -> None:
    plan = plan_of('protocols = ["THREE", "BOIN"]\n', tmp_path)
    assert [name for *_, name in told(plan)] == ["rising", "steep", "gentle", "moderate", "steep"]


def test_rates_are_numbers_or_percentages_of_every_toxicity(tmp_path: Path) -> None:
    text = 'protocols = "CLASSES"\n[scenarios]\na = { DLT = [0.1, "20%", 0.3], moderate-toxicity = ["5%", 0.1, 0.1] }\n'
    (cell,) = plan_of(text, tmp_path).cells
    assert cell.scenario.rates == ((0.1, 0.2, 0.3), (0.05, 0.1, 0.1))


def test_random_scenarios_rise_and_are_the_same_again(tmp_path: Path) -> None:
    text = """protocols = ["BOIN", "THREE"]
[parameters]
levels = [4, 5]
[random-scenarios]
number = 200
seed = 5
from = "10%"
to = 0.5
"""
    cells = plan_of(text, tmp_path).cells
    rates = [cell.scenario.rates[0] for cell in cells]
    assert len(cells) == 4 * 200 and all(row == tuple(sorted(row)) for row in rates)
    assert all(0.1 <= rate <= 0.5 for row in rates for rate in row)
    assert rates[:400] == rates[400:], "each protocol has the same scenarios"
    assert len({row for row in rates[:400]}) == 400
    assert rates == [cell.scenario.rates[0] for cell in plan_of(text, tmp_path).cells]
    assert rates != [cell.scenario.rates[0] for cell in plan_of(text.replace("= 5\nf", "= 6\nf"), tmp_path).cells]
    # the least and the greatest of five rates that are even from 0.1 to 0.5 have these means: 0.1 + 0.4 k / 6
    five = rates[200:400]
    for k in range(5):
        assert sum(row[k] for row in five) / 200 == pytest.approx(0.1 + 0.4 * (k + 1) / 6, abs=0.02)


def test_random_scenarios_come_after_those_that_are_written(tmp_path: Path) -> None:
    text = 'protocols = "THREE"\nscenarios = ["steep"]\nrandom-scenarios = { number = 2, seed = 1 }\n'
    assert [name for *_, name in told(plan_of(text, tmp_path))] == ["steep", "random 1", "random 2"]


def test_a_table_has_a_cell_a_row(tmp_path: Path) -> None:
    text = "protocol,target,scenario,1,2,3,levels\nBOIN,25%,steep,,,,\nTHREE,,,0.1,20%,0.3,3\nTHREE,,mine,0,0,,2\n"
    plan = plan_of(text, tmp_path, "plan.csv")
    assert told(plan) == [
        ("boin", (0.25,), "steep"), ("three-plus-three", (3.0,), "row 3"), ("three-plus-three", (2.0,), "mine"),
    ]  # fmt: skip
    assert plan.cells[1].scenario.rates == ((0.1, 0.2, 0.3),) and plan.parameters == ("target", "levels")


def test_a_table_with_semicolons_has_decimal_commas(tmp_path: Path) -> None:
    plan = plan_of("protocol;target;1;2;levels\nBOIN;0,25;0,1;20%;2\n", tmp_path, "plan.csv")
    assert told(plan) == [("boin", (0.25, 2.0), "row 2")]
    assert plan.cells[0].scenario.rates == ((0.1, 0.2),)


def test_paths_count_from_the_plan(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "trial.dose").write_bytes(Path(THREE).read_bytes())
    (tmp_path / "three-plus-three.md").write_bytes(Path(THREE).with_suffix(".md").read_bytes())
    written('protocols = "../trial.dose"\n', tmp_path / "inside")
    assert len(read_plan(str(tmp_path / "inside" / "plan.toml"), {}).setups) == 1


def test_options_of_the_command_come_before_those_of_the_plan(tmp_path: Path) -> None:
    text = 'protocols = "THREE"\nmethod = "montecarlo"\ntrials = 10\nseed = 1\n'
    plan = plan_of(text, tmp_path, trials=20, max_states=99)
    assert (plan.options.trials, plan.options.seed, plan.options.max_states) == (20, 1, 99)


# ---- cells and what is calculated together ----


def test_a_seed_is_of_the_cell_and_not_of_its_place(tmp_path: Path) -> None:
    head = 'method = "montecarlo"\ntrials = 9\nseed = 4\n'
    one = plan_of(head + 'protocols = ["THREE", "BOIN"]\n', tmp_path).cells
    (tmp_path / "other").mkdir()
    other = plan_of(head + 'protocols = ["BOIN", "THREE"]\n', tmp_path / "other").cells
    assert {cell.identity: cell.seed for cell in one} == {cell.identity: cell.seed for cell in other}
    seeds = [cell.seed for cell in one]
    assert len(set(seeds)) == 5 and all(0 <= seed < 1 << 53 for seed in seeds)
    again = plan_of(head.replace("seed = 4", "seed = 5") + 'protocols = "THREE"\n', tmp_path).cells
    assert not {cell.seed for cell in again} & set(seeds)


def test_units_are_of_one_setup_and_cover_every_cell_once(tmp_path: Path) -> None:
    rates = "".join(f"s{n} = [{n / 40}, {n / 40}]\n" for n in range(UNIT + 3))
    text = f'protocols = ["BOIN", "THREE"]\n[parameters]\nlevels = 2\n[scenarios]\n{rates}'
    plan = plan_of(text, tmp_path)
    units = list(plan.units())
    assert [len(unit.cells) for unit in units] == [UNIT, 3, UNIT, 3]
    assert sorted(cell.number for unit in units for cell in unit.cells) == list(range(2 * (UNIT + 3)))
    simulated = plan_of(text, tmp_path, method="montecarlo", seed=1)
    assert all(len(unit.cells) == 1 for unit in simulated.units())


def test_columns_stand_by_figure() -> None:
    rows = [
        {"cell": 1, "mtd:1": 0.5, "patients_probability:6": 0.1, "standard_error:mtd:1": 0.1, "reason:a": 1.0},
        {
            "cell": 2,
            "mtd:1": 0.5,
            "mtd:2": 0.5,
            "patients_probability:12": 1,
            "patients_probability:3": 1,
            "reason:b": 1,
        },
    ]
    assert columns_of(rows) == [
        "cell", "mtd:1", "mtd:2", "patients_probability:3", "patients_probability:6", "patients_probability:12",
        "reason:a", "reason:b", "standard_error:mtd:1",
    ]  # fmt: skip


# ---- wrong plans ----

HEAD = 'protocols = "THREE"\n'
MONTE = HEAD + 'method = "montecarlo"\n'
WRONG = (
    ("", "names no protocols"),
    ("protocols = 3\n", "`protocols` of plan.toml is not a list of paths"),
    ("protocols = []\n", "is not a list of paths"),
    ('protocols = ["THREE", "THREE"]\n', "entries 1 and 2 are the same"),
    ('protocols = "none.dose"\n', "In plan.toml: There is no file none.dose."),
    ('protocols = "-"\n', "is none"),
    ('protocols = "MISSPELT"\n', "For all that is wrong: doselang check"),
    ("protocols = [\n", "is not a plan in TOML"),
    (HEAD + "paramters = 3\n", "Did you mean `parameters`?"),
    (HEAD + "zzz = 3\n", "The keys of a plan are"),
    (HEAD + "parameters = 3\n", "`parameters` of plan.toml is not a table"),
    (HEAD + "[parameters]\nlevel = 3\n", "has no parameter `level`.\n  Did you mean `levels`?"),
    (HEAD + "[parameters]\nzzz = 3\n", "Its parameters are `levels`."),
    (HEAD + "[parameters]\nlevels = []\n", "the parameter `levels` has no value"),
    (HEAD + "[parameters]\nlevels = [3, 3.0]\n", "In `parameters.levels` of plan.toml, entries 1 and 2 are the same"),
    (HEAD + '[parameters]\nlevels = 3\nLevels = 4\n', "is there twice"),
    (HEAD + "[parameters]\nlevels = true\n", "the value `True` of the parameter `levels` is not a number"),
    (HEAD + '[parameters]\nlevels = "many"\n', "the value `many` of the parameter `levels` is not a number"),
    (HEAD + "[parameters]\nlevels = nan\n", "is not a number"),
    (HEAD + "[parameters]\nlevels = 2.5\n", "2.5"),
    ('protocols = "BOIN"\n[parameters]\ntarget = 2\n', "target=2`"),
    ('protocols = "BOIN"\n[parameters]\nlevels = 3\n', "the protocol has no scenario"),
    (HEAD + "[scenarios]\na = [0.1, 0.2]\n", 'In scenario "a" `DLT` has 2 rates, and there are 5 levels'),
    (HEAD + "[scenarios]\na = [0.1, 0.2, 0.3, 0.4, 2]\n", "which is not from 0 to 1"),
    (HEAD + '[scenarios]\na = [0.1, 0.2, 0.3, 0.4, "x"]\n', "`x` is not a rate"),
    (HEAD + "[scenarios]\na = { DTL = [0.1] }\n", "Did you mean `DLT`?"),
    ('protocols = "CLASSES"\n[scenarios]\na = [0.1, 0.1, 0.1]\n', "gives no rates of `moderate-toxicity`"),
    (HEAD + "scenarios = 3\n", "`scenarios` is not a table of rates"),
    (HEAD + "scenarios = []\n", "`scenarios` is not a table of rates"),
    (HEAD + 'scenarios = ["rising", "Rising"]\n', "entries 1 and 2 are the same"),
    (HEAD + 'scenarios = ["risign"]\n', 'Did you mean "rising"?'),
    (HEAD + 'scenarios = "none.csv"\n', "There is no file none.csv"),
    (HEAD + 'method = "exakt"\n', "Did you mean `exact`?"),
    (HEAD + 'accrual = "any"\n', "`accrual` of plan.toml is `any`"),
    (HEAD + "trials = 100\n", "`trials` of plan.toml goes with `montecarlo`"),
    (HEAD + "max-states = 0\n", "`max-states` of plan.toml is `0`"),
    (HEAD + "random-scenarios = 3\n", "`random-scenarios` of plan.toml is not a table"),
    (HEAD + "random-scenarios = { nubmer = 3 }\n", "Did you mean `number`?"),
    (HEAD + "random-scenarios = { number = 3 }\n", "gives no `seed`"),
    (HEAD + "random-scenarios = { number = 0, seed = 1 }\n", "is 0, and not from 1 to"),
    (HEAD + "random-scenarios = { number = 1.5, seed = 1 }\n", "is `1.5`, which is not a whole number"),
    (HEAD + "random-scenarios = { number = 1, seed = 1, to = 2 }\n", "`to` in `random-scenarios` of plan.toml is `2`"),
    (HEAD + "random-scenarios = { number = 1, seed = 1, from = 0.5, to = 0.2 }\n", "the smaller rate at `from`"),
    ('protocols = "CLASSES"\nrandom-scenarios = { number = 1, seed = 1 }\n', "random scenarios are of one toxicity"),
    (HEAD + "a = " + 9_000 * "[" + "\n", "nested too deeply"),
    (MONTE, "gives no seed"),
    (MONTE + "seed = -1\n", "`seed` of plan.toml is `-1`"),
    (MONTE + "seed = 1.5\n", "not a whole number"),
    (MONTE + "seed = 1\ntrials = 0\n", "`trials` of plan.toml is `0`"),
    (MONTE + "seed = true\n", "`seed` of plan.toml is `True`"),
)  # fmt: skip

WRONG_TABLES = (
    ("", "The plan plan.csv is empty"),
    ("protocol,scenario\n", "has headings, and no row below them"),
    ("protcol,scenario\nTHREE,rising\n", "Did you mean `protocol` by `protcol`?"),
    ("protocol,Scenario,scenario\nTHREE,rising,\n", "row 1, column 3: the heading `scenario` is there twice"),
    ("protocol,scenario\nTHREE\n", "row 2 has 1 cells, and there are 2 headings"),
    ("protocol,scenario\n,rising\n", "row 2 names no protocol"),
    ("protocol,scenario\nnone.dose,rising\n", "plan.csv: row 2: There is no file none.dose."),
    ("protocol,scenario\nTHREE,risign\n", 'plan.csv: row 2: There is no scenario "risign".\n  Did you mean "rising"?'),
    ("protocol,scenario\nTHREE,rising\nTHREE,Rising\n", "row 3 is the same cell as row 2"),
    ("protocol,level,scenario\nTHREE,3,rising\n", "row 2, column 2: `level` is neither a parameter nor a level"),
    ("protocol,level,scenario\nTHREE,3,rising\n", "Did you mean `levels`?"),
    ("protocol,levels,scenario\nTHREE,many,rising\n", "row 2, column 2: `many` is not a number"),
    ("protocol,levels,scenario\nTHREE,5,rising\nTHREE,2.5,rising\n", "plan.csv: row 3: "),
    ("protocol,levels\nTHREE,3\n", "row 2: there are neither a scenario of the protocol nor rates"),
    ("protocol,levels,1,2\nTHREE,3,0.1,0.2\n", "row 2: there is no rate under `3`"),
    ("protocol,levels,1,2\nTHREE,2,0.1,2\n", "row 2, column 4: the rate under `2` is `2`, which is not from 0 to 1"),
    ("protocol,levels,1,2\nTHREE,2,0.1,x\n", "plan.csv: row 2, column 4: the rate under `2` is `x`"),
    ("protocol,target,scenario\nTHREE,,rising\n", "column 2: no row gives anything under `target`"),
    ('protocol,scenario\n"THREE,rising\n', "Is a quotation mark left open?"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fragment", "name"),
    [*((*case, "plan.toml") for case in WRONG), *((*case, "plan.csv") for case in WRONG_TABLES)],
)
def test_a_wrong_plan_is_refused(
    text: str,
    fragment: str,
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(text, tmp_path, name)
    assert run(["sweep", name, "--out", "out.csv"]) == 2
    said = capsys.readouterr().err
    assert fragment in said, said
    assert not PYTHON_WORDS.search(said), said
    assert [path.name for path in tmp_path.iterdir()] == [name], "something was begun"


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("", "Which plan?"),
        ("none.toml", "There is no file none.toml"),
        ("plan.txt", "plan.txt is neither a .csv nor a .toml file"),
        ("plan.toml --out out.xls", "out.xls ends neither in .csv nor in .parquet"),
        ("plan.toml --out .", "ends neither"),
        ("plan.toml --jobs 0", "--jobs"),
        ("plan.toml --jobs 2 --dask a:1", "Give `--jobs` or `--dask`"),
        ("plan.toml --trials 10", "goes with `montecarlo`"),
        ("plan.toml --method guess", "--method"),
        ("plan.csv --out plan.csv", "would be written over the plan"),
    ],
)
def test_wrong_options_are_refused(
    arguments: str, fragment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(HEAD, tmp_path)
    written("protocol,scenario\nTHREE,rising\n", tmp_path, "plan.csv")
    assert run(["sweep", *arguments.split()]) == 2
    said = capsys.readouterr().err
    assert fragment in said and not PYTHON_WORDS.search(said), said


@pytest.mark.parametrize(("library", "more"), [("pyarrow", ["--out", "o.parquet"]), ("distributed", ["--dask", "a:1"])])
def test_a_library_that_is_missing_is_said(
    library: str, more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, library, None)
    written(HEAD, tmp_path)
    assert run(["sweep", "plan.toml", *more]) == 2
    assert "which is not installed.\n  Install it with `pip install 'doselang[" in capsys.readouterr().err
