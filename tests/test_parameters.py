"""Parameters: kinds, units, ranges, lists, computed ones; as a file declares them and as a command line sets them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.diagnostics import Diagnostic, Report, Trouble
from doselang.loading import Loaded, load_source
from doselang.protocol.guards import Chance
from doselang.protocol.model import Engine, Parameter, Protocol
from doselang.resolve import read_setting
from doselang.resolve.amounts import value_of
from doselang.resolve.glossary import Glossary
from doselang.resolve.parameters import declare_parameters
from doselang.source import Source
from doselang.syntax import nodes as n
from doselang.syntax.parse import parse

TRIAL = """\
protocol "A trial"
{parameters}
component drug in mg/m2
levels 1 to 3
start at level 1
toxicity DLT  within 28 days  written T
replace inevaluable patients
part escalation
cohorts of {cohort}
rule "low"
  when the DLT rate is at most {rate} and a higher level exists
  then escalate
rule "low at the top"
  when the DLT rate is at most {rate} and no higher level exists
  then declare this level as MTD, stop
rule "high"
  when the DLT rate is more than {rate}
  then declare no MTD, stop
{rest}
"""


def loaded(parameters: str, *settings: str, cohort: str = "3", rate: str = "33%", rest: str = "") -> Loaded:
    text = TRIAL.format(parameters=parameters, cohort=cohort, rate=rate, rest=rest)
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        read = read_setting(value)
        assert read is not None
        values[name] = read
    return load_source(Source("trial.dose", text), None, values)


def meant(parameters: str, *settings: str, **others: str) -> Protocol:
    found = loaded(parameters, *settings, **others)
    assert found.protocol is not None, found.diagnostics
    return found.protocol


def values(parameters: str, *settings: str) -> dict[str, Fraction | tuple[Fraction, ...]]:
    return {name: one.value for name, one in meant(parameters, *settings).parameters.items()}


def fault(parameters: str, *settings: str, **others: str) -> Diagnostic:
    found = loaded(parameters, *settings, **others)
    errors = [item for item in found.diagnostics if item.severity == "error"]
    assert len(errors) == 1, found.diagnostics
    return errors[0]


# ---- what a declaration means ----


def test_each_kind_is_kept_with_its_unit_range_and_meaning() -> None:
    found = meant(
        'parameter levels is 5 from 1 to 20 means "of the ladder"\n'
        "parameter target is 30% from 5% to 60%\n"
        "parameter dose is 40 mg/m2 from 10 to 100\n"
        "parameter skeleton is 3%, 7%, 12%, 20%, 30%\n"
        "parameter steps is 1, 2.5\n"
        "parameter limit is 1/3 from 1/6 to 1/2\n"
        "parameter mixed is 1/8, 20%"
    ).parameters
    percent = Fraction(1, 100)
    assert found == {
        "levels": Parameter("levels", Fraction(5), low=Fraction(1), high=Fraction(20), means="of the ladder"),
        "target": Parameter("target", 30 * percent, "percent", low=5 * percent, high=60 * percent),
        "dose": Parameter("dose", Fraction(40), "dose", "mg/m2", Fraction(10), Fraction(100)),
        "skeleton": Parameter("skeleton", tuple(m * percent for m in (3, 7, 12, 20, 30)), "percent"),
        "steps": Parameter("steps", (Fraction(1), Fraction(5, 2))),
        "limit": Parameter("limit", Fraction(1, 3), "percent", low=Fraction(1, 6), high=Fraction(1, 2)),
        "mixed": Parameter("mixed", (Fraction(1, 8), Fraction(1, 5)), "percent"),
    }


@pytest.mark.parametrize(
    ("computed", "value"),
    [
        ("cohorts times size", Fraction(30)),
        ("cohorts plus size times 2", Fraction(16)),
        ("size times 2 plus cohorts", Fraction(16)),
        ("size plus size plus size times size", Fraction(15)),
        ("target times 1.4", Fraction(42, 100)),
        ("target times target", Fraction(9, 100)),
        ("target plus 5%", Fraction(35, 100)),
        ("target less 5%", Fraction(25, 100)),
        ("cohorts less size", Fraction(7)),
        ("cohorts less size times 2 plus 1", Fraction(5)),
        ("cohorts times size less size less 2", Fraction(25)),
        ("dose times 150%", Fraction(60)),
        ("dose plus dose", Fraction(80)),
        ("size", Fraction(3)),
        ("size, cohorts", (Fraction(3), Fraction(10))),
    ],
)
def test_a_computed_parameter(computed: str, value: Fraction | tuple[Fraction, ...]) -> None:
    """Declared before what it needs, as well as after."""
    others = "parameter cohorts is 10\nparameter size is 3\nparameter target is 30%\nparameter dose is 40 mg/m2"
    for text in (f"parameter x is {computed}\n{others}", f"{others}\nparameter x is {computed}"):
        found = meant(text).parameters["x"]
        assert found.value == value and found.computed


def test_a_computed_parameter_keeps_its_kind() -> None:
    found = meant(
        "parameter target is 30%\nparameter high is target times 1.4\n"
        "parameter dose is 40 mg/m2\nparameter double is dose times 2"
    ).parameters
    assert (found["high"].kind, found["double"].kind, found["double"].unit) == ("percent", "dose", "mg/m2")


def test_a_parameter_that_is_another_one_follows_it_until_it_is_set() -> None:
    text = "parameter cohorts is 10\nparameter total is cohorts times 3\nparameter stop-at is total"
    assert values(text)["stop-at"] == 30
    assert values(text, "cohorts=4")["stop-at"] == 12
    assert values(text, "cohorts=4", "stop-at=9")["stop-at"] == 9
    with pytest.raises(Trouble, match="`stop-at` is a number, not a percentage"):
        loaded(text, "stop-at=30%")


def test_a_computed_parameter_follows_what_is_set() -> None:
    text = "parameter cohorts is 10\nparameter cohort_size is 3\nparameter total is cohorts times cohort_size"
    assert values(text, "cohorts=4")["total"] == 12
    assert values(text, "cohorts=4", "COHORT_SIZE=2")["total"] == 8


def test_a_parameter_stands_for_a_number_a_rate_and_rates() -> None:
    found = meant(
        "parameter size is 3\nparameter target is 30%\nparameter truth is 5%, 10%, 20%",
        cohort="size", rate="target", rest='scenario "as expected"  DLT truth',
    )  # fmt: skip
    assert found.parts[0].cohort == 3
    rate = found.parts[0].rules[2].cases[0].guard
    assert rate.low == Fraction(3, 10)  # type: ignore[union-attr]
    assert found.scenarios[0].rates == ((0.05, 0.1, 0.2),)


def test_a_dose_is_a_parameter() -> None:
    text = TRIAL.replace("levels 1 to 3", "level 1  drug dose\nlevel 2  drug 60\nlevel 3  drug double")
    source = text.format(
        parameters="parameter dose is 40 mg/m2\nparameter double is dose times 2", cohort="3", rate="33%", rest=""
    )
    found = load_source(Source("trial.dose", source), None).protocol
    assert found is not None and [level.doses for level in found.levels] == [(40,), (60,), (80,)]


def test_value_of_resolves_what_may_be_given() -> None:
    """What a caller of the resolver uses: numbers, percentages, parameters, lists."""
    report = Report()
    text = "parameter target is 30%\nparameter skeleton is 3%, 7%\nparameter size is 3"
    file = parse(Source("", text), report)
    glossary = Glossary(report)
    declare_parameters(glossary, [s for s in file.statements if isinstance(s, n.ParameterDecl)], {})

    def use(name: str) -> n.Parameter:
        return n.Parameter(n.Name(name))

    three = n.Number(Fraction(3), "3")
    assert value_of(glossary, three) == 3
    assert value_of(glossary, n.Percent(three)) == Fraction(3, 100)
    assert value_of(glossary, n.Percent(use("size"))) == Fraction(3, 100)
    assert value_of(glossary, use("TARGET")) == Fraction(3, 10)
    assert value_of(glossary, use("skeleton")) == (Fraction(3, 100), Fraction(7, 100))
    assert not report.has_errors and value_of(glossary, use("other")) is None and report.has_errors


# ---- what is set ----


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("target=0.3", Fraction(3, 10)),
        ("target=30%", Fraction(3, 10)),
        ("target=33.3%", Fraction(333, 1000)),
        ("target=1/3", Fraction(1, 3)),
        ("target=2/6", Fraction(1, 3)),
        ("TARGET=5%", Fraction(1, 20)),
        ("levels=20", Fraction(20)),
        ("dose=12.5", Fraction(25, 2)),
        ("skeleton=0.03,0.07,0.12", (Fraction(3, 100), Fraction(7, 100), Fraction(12, 100))),
        ("skeleton=3%, 7%,0.12", (Fraction(3, 100), Fraction(7, 100), Fraction(12, 100))),
        ("skeleton=50%", (Fraction(1, 2),)),
        ("skeleton=1/8,20%", (Fraction(1, 8), Fraction(1, 5))),
    ],
)
def test_a_value_that_is_set(setting: str, value: Fraction | tuple[Fraction, ...]) -> None:
    text = (
        "parameter levels is 5 from 1 to 20\nparameter target is 25% from 5% to 60%\n"
        "parameter dose is 40 mg/m2 from 10 to 100\nparameter skeleton is 3%, 7% from 1% to 90%"
    )
    found = meant(text, setting).parameters[setting.partition("=")[0].lower()]
    assert found.value == value and found.was_set


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("levels=21", "21 is outside the range of `levels`. It goes from 1 to 20."),
        ("levels=0", "outside the range"),
        ("levels=-3", "-3 is outside"),
        ("levels=30%", "`levels` is a number, not a percentage. In the file it is 5."),
        ("levels=1/3", "`levels` is a number, not a percentage. In the file it is 5."),
        ("target=2/3", "2/3 is outside the range of `target`. It goes from 5% to 60%."),
        ("levels=1,2", "one value, not a list of 2"),
        ("target=30", "a percentage, and 30 without `%` is more than 100%. Write for example --set target=30%"),
        ("target=0.61", "61% is outside the range of `target`. It goes from 5% to 60%."),
        ("target=4%", "4% is outside"),
        ("dose=40%", "a dose in mg/m2, not a percentage"),
        ("dose=9", "9 mg/m2 is outside the range of `dose`. It goes from 10 to 100 mg/m2."),
        ("skeleton=3%,95%", "95% is outside"),
        ("total=4", "`total` is computed from others, and cannot be set. Set `levels` and `size` instead."),
        ("lvels=4", "no parameter `lvels`. Did you mean `levels`?"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_set(setting: str, words: str) -> None:
    text = (
        "parameter levels is 5 from 1 to 20\nparameter target is 25% from 5% to 60%\n"
        "parameter dose is 40 mg/m2 from 10 to 100\nparameter skeleton is 3%, 7% from 1% to 90%\n"
        "parameter size is 3\nparameter total is levels times size"
    )
    with pytest.raises(Trouble) as stopped:
        loaded(text, setting)
    found = stopped.value.diagnostic
    assert found.code == "DL903" and words in f"{found.message} {found.help}"


@pytest.mark.parametrize(
    ("rate", "four"), [("1/3", "escalate"), ("33%", "stop"), ("33.3%", "stop"), ("34%", "escalate")]
)
def test_four_of_twelve_are_a_third_and_more_than_33_percent(
    rate: str, four: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(TRIAL.format(parameters="", cohort="12", rate=rate, rest=""), encoding="utf-8")
    for toxic, decided in ((4, four), (5, "stop")):
        assert run(["explain", str(path), f"1{'T' * toxic}{'N' * (12 - toxic)}"]) == 0
        assert decided in capsys.readouterr().out


def test_a_fraction_stands_wherever_a_proportion_does() -> None:
    rest = (
        "body board\n"
        "use boin as rule-book with target 1/3\n"
        "use crm as model with target 1/4, skeleton 1/10, 1/5, 30%\n"
        'rule "coin"\n  when the chance by model of a DLT above 1/3 at level 1 is more than 19/20\n'
        "  then with chance 1/3 escalate, otherwise stay\n"
        'rule "board"\n  when any DLT\n  then ask board to choose escalate or stay\n'
        'scenario "rising"  DLT 1/8, 1/4, limit\n  chance "board" 1/3, 2/3\n'
    )
    found = meant("parameter limit is 1/3", rate="1/3", rest=rest)
    third = Fraction(1, 3)
    engines = {one.name: dict(one.arguments) for one in found.advisers if isinstance(one, Engine)}
    assert engines["rule-book"]["target"] == third
    assert engines["model"]["skeleton"] == (Fraction(1, 10), Fraction(1, 5), Fraction(3, 10))
    coin = next(rule for rule in found.parts[0].rules if rule.name == "coin").cases[0]
    assert isinstance(coin.guard, Chance) and (coin.guard.above, coin.guard.low) == (third, Fraction(19, 20))
    assert coin.gate is not None and coin.gate.chances == (third, 1 - third)
    assert found.scenarios[0].rates == ((1 / 8, 1 / 4, 1 / 3),)
    assert found.scenarios[0].chances == {"board": (1 / 3, 2 / 3)}


def test_a_design_is_given_a_fraction() -> None:
    text = 'protocol "x"\nuse "boin"\n  with target 1/3\n'
    found = load_source(Source("trial.dose", text), None)
    assert found.protocol is not None, found.diagnostics
    assert found.protocol.parameters["target"].value == Fraction(1, 3)


COMMANDS = (
    ["check"], ["test"], ["simulate", "--dlt", "10%,20%,30%"], ["show"], ["show", "--as", "protocol"],
    ["show", "--as", "machine"], ["explain"],
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_takes_and_refuses_settings(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.dose"
    text = TRIAL.format(parameters="parameter target is 25% from 5% to 60%", cohort="3", rate="target", rest="")
    path.write_text(text, encoding="utf-8")
    after = ["1NNN"] if command == ["explain"] else []
    for value in ("target=0.3", "target=30%"):
        assert run([command[0], str(path), *after, *command[1:], "--set", value]) in (0, 1)
        assert not capsys.readouterr().err
    assert run([command[0], str(path), *after, *command[1:], "--set", "target=70%"]) == 2
    assert "70% is outside the range of `target`" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "x", "1,", ",1", "1;2", "1e3", "%", "--1", "1" * 13, "0x1", "\u0663", "nan"])
def test_what_is_no_value(text: str) -> None:
    assert read_setting(text) is None


# ---- what is wrong in a file ----


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ("parameter x is 25 from 1 to 20", "DL206", "25 is outside the range of `x`"),
        ("parameter x is 5%, 70% from 1% to 60%", "DL206", "70% is outside"),
        ("parameter x is 5 from 20 to 1", "DL206", "from 1 to 20"),
        ("parameter x is 5% from 1 to 20", "DL206", "of another kind"),
        ("parameter x is 5 from 1% to 20%", "DL206", "of another kind"),
        ("parameter x is 5, 7%", "DL206", "of one kind"),
        ("parameter x is 5 mgg", "DL207", "`mg`"),
        ("parameter x is 5% mg", "DL207", "no unit"),
        ("parameter x is x", "DL206", "`x` needs `x`"),
        ("parameter x is y times 2\nparameter y is x plus 1", "DL206", "`x` needs `y` needs `x`"),
        ("parameter x is y", "DL203", "no parameter `y`"),
        ("parameter x is 5%\nparameter y is x plus 1", "DL206", "not of one kind"),
        ("parameter x is 5 mg\nparameter y is x plus 1", "DL206", "not of one kind"),
        ("parameter x is 5 mg\nparameter y is x times x", "DL206", "not a dose"),
        ("parameter x is 5, 6\nparameter y is x times 2", "DL206", "A list cannot be multiplied"),
        ("parameter x is 5, 6\nparameter y is x plus 2", "DL206", "A list cannot be added to"),
    ],
)
def test_a_wrong_declaration(parameters: str, code: str, words: str) -> None:
    found = fault(parameters)
    assert found.code == code and words in f"{found.message} {found.help}", found
    assert found.span.end > found.span.start


@pytest.mark.parametrize(
    ("parameters", "others", "words"),
    [
        ("parameter x is 30%", {"cohort": "x"}, "not a percentage"),
        ("parameter x is 3 mg", {"cohort": "x"}, "not a dose in mg"),
        ("parameter x is 3, 4", {"cohort": "x"}, "a list of 2, and here one number must stand"),
        ("parameter x is 2.5", {"cohort": "x"}, "not 2.5"),
        ("parameter x is 3", {"rest": 'scenario "a" DLT x'}, "write `x%`"),
        ("parameter x is 10%, 130%, 10%", {"rest": 'scenario "a" DLT x'}, "130% does not"),
        ("parameter x is 10%, 20%", {"rest": 'scenario "a" DLT x'}, "here are 2 rates"),
    ],
)
def test_a_parameter_where_it_cannot_stand(parameters: str, others: dict[str, str], words: str) -> None:
    found = fault(parameters, **others)
    assert words in f"{found.message} {found.help}", found


def test_chains_and_sizes_have_limits() -> None:
    chain = "".join(f"parameter p{i} is p{i + 1} times 2\n" for i in range(200))
    found = loaded(chain + "parameter p200 is 1").diagnostics
    assert any(item.code == "DL704" and "deep" in item.message for item in found)
    squares = "parameter p0 is 1000000\n" + "".join(
        f"parameter p{i + 1} is p{i} times p{i}\n" for i in range(40)
    )  # fmt: skip
    found = loaded(squares).diagnostics
    assert [item.message for item in found] == ["What is computed here is too large a number."]
