"""Plans in TOML: protocols, parameters and scenarios, of which the cells are all combinations."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from attrs import define, field

from doselang.diagnostics import Trouble, trouble
from doselang.loading import read_text
from doselang.protocol.model import Protocol, Scenario
from doselang.protocol.words import counted_together
from doselang.resolve import Setting, read_setting
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.simulate.scenarios import checked, from_csv, named
from doselang.sweep.options import KEYS as OPTION_KEYS
from doselang.sweep.options import options_from
from doselang.sweep.plan import MOST_CELLS, Plan, digest_of, numbered, scenario_words
from doselang.sweep.protocols import Protocols
from doselang.sweep.random_scenarios import Draw, draw_from

RANDOM = "random-scenarios"
KEYS = ("protocols", "parameters", "scenarios", RANDOM, *OPTION_KEYS)

EXAMPLE = 'protocols = ["trial.dose"]'


def plan_from_toml(text: str, path: str, given: Mapping[str, Any]) -> Plan:
    """The plan that a text in TOML writes; `given` are the options of the command line, which come before its own.

    Raises Trouble DL901 where the text is not TOML, DL903 where a key or a value is wrong, and as reading the
    protocols does.
    """
    written = _read(text, path)
    options = options_from({**{key: written[key] for key in OPTION_KEYS if key in written}, **given}, path)
    paths = _paths(written.get("protocols"), path)
    parameters = _parameters(written.get("parameters", {}), path)
    protocols, scenarios = Protocols(Path(path).parent), _Scenarios.of_plan(written, path)
    found: list[tuple[int, Scenario, str]] = []
    for protocol, values in product(paths, product(*parameters.values())):
        settings = dict(zip(parameters, values, strict=True))
        setup = protocols.setup(protocol, settings, f"In {path}")
        told = ", ".join([protocol, *(f"{name} = {value.text}" for name, value in settings.items())])
        for scenario in scenarios.of(protocols.setups[setup].protocol, told):
            found.append((setup, scenario, f"{told}, {scenario.name}"))
        if len(found) > MOST_CELLS:
            raise trouble("DL704", f"{path} has more than {MOST_CELLS:,} cells.", help="Divide it into several.")
    sections = {
        "option": options.words() | scenarios.words(),
        "parameter": {name: "; ".join(value.text for value in values) for name, values in parameters.items()},
        "protocol": {one: protocols.digests[one] for one in paths},
        "scenario": scenarios.digests(),
    }
    setups = tuple(protocols.setups)
    return Plan(path, options, tuple(parameters), setups, numbered(found, setups, options), sections)


def _read(text: str, path: str) -> dict[str, Any]:
    """What a plan says by key, if it is TOML and each key is one of a plan."""
    try:
        written = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        words = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is nested too deeply"
        message = f"{path} is not a plan in TOML: {words[:1].lower()}{words[1:]}."
        raise trouble("DL901", message, help=f"A plan begins for example with: {EXAMPLE}") from None
    for key in written:
        if key not in KEYS:
            near = nearest(key, KEYS)
            help = f"Did you mean `{near}`?" if near else f"The keys of a plan are {listing(KEYS)}."
            raise trouble("DL903", f"The key `{shorten(key, 40)}` of {path} is unknown.", help=help)
    return written


def _paths(written: object, path: str) -> list[str]:
    """The protocols that a plan names."""
    if written is None:
        raise trouble("DL903", f"{path} names no protocols.", help=f"Write for example: {EXAMPLE}")
    named = [written] if isinstance(written, str) else written
    if not isinstance(named, list) or not named or not all(isinstance(one, str) and one for one in named):
        raise trouble("DL903", f"`protocols` of {path} is not a list of paths.", help=f"Write for example: {EXAMPLE}")
    _no_twins(named, "protocols", path)
    return named


def _parameters(written: object, path: str) -> dict[str, list[Setting]]:
    """The values of each parameter, at least one."""
    if not isinstance(written, dict):
        raise trouble(
            "DL903",
            f"`parameters` of {path} is not a table.",
            help="Write for example:\n[parameters]\ntarget = [0.25, 0.3]",
        )
    found: dict[str, list[Setting]] = {}
    for name, value in written.items():
        twin = next((other for other in found if fold(other) == fold(name)), None)
        if twin is not None:
            raise trouble("DL903", f"In {path} the parameter `{shorten(name, 40)}` is there twice.")
        values = value if isinstance(value, list) else [value]
        if not values:
            raise trouble("DL903", f"In {path} the parameter `{shorten(name, 40)}` has no value.")
        found[name] = [_setting(one, name, path) for one in values]
        _no_twins([repr(one.numbers) for one in found[name]], f"parameters.{name}", path)
    return found


def _setting(value: object, name: str, path: str) -> Setting:
    """One value of a parameter: a number, a text such as `25%`, or a list of these."""
    members = value if isinstance(value, list) else [value]
    read = read_setting(",".join(_number_text(member) for member in members))
    if read is None:
        shown = shorten(str(value), 40)
        raise trouble(
            "DL903",
            f"In {path} the value `{shown}` of the parameter `{shorten(name, 40)}` is not a number.",
            help='Write for example 3, 0.25 or "25%"; lists as values: [[0.1, 0.2], [0.2, 0.3]]',
        )
    return read


def _number_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".") if abs(value) < 1e12 else ""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _no_twins(values: list[str], key: str, path: str) -> None:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise trouble(
                "DL903",
                f"In `{key}` of {path}, entries {values.index(value) + 1} and {position + 1} are the same.",
                help="Leave one of them out.",
            )


@define
class _Scenarios:
    """The scenarios of a plan: rates in it, a table beside it, names, or all that each protocol has; random ones."""

    path: str
    written: object
    draw: Draw | None
    _told: dict[str, str] = field(factory=dict)
    _tables: dict[object, tuple[Scenario, ...]] = field(factory=dict)
    _text: str | None = None

    @classmethod
    def of_plan(cls, written: Mapping[str, object], path: str) -> _Scenarios:
        """The scenarios of a plan. Raises Trouble for random ones that are written wrongly."""
        draw = draw_from(written[RANDOM], path) if RANDOM in written else None
        return cls(path, written.get("scenarios"), draw)

    def words(self) -> dict[str, str]:
        """What random scenarios there are, as an option."""
        return {} if self.draw is None else {RANDOM: self.draw.words()}

    def of(self, protocol: Protocol, told: str) -> tuple[Scenario, ...]:
        """The scenarios under which a protocol is put; `told` says which it is. Raises Trouble."""
        try:
            drawn = () if self.draw is None else self.draw.scenarios(protocol)
            found = drawn if drawn and self.written is None else (*self._of(protocol), *drawn)
        except Trouble as error:
            message = f"In {self.path}, for {told}: {error.diagnostic.message}"
            raise trouble(error.diagnostic.code, message, help=error.diagnostic.help) from None
        for scenario in found:
            self._told[scenario.name] = digest_of(self._told.get(scenario.name, "") + scenario_words(scenario))
        return found

    def digests(self) -> dict[str, str]:
        """What the scenarios say, by name."""
        return {name: digest[:16] for name, digest in self._told.items()}

    def _of(self, protocol: Protocol) -> tuple[Scenario, ...]:
        match self.written:
            case None:
                found = protocol.scenarios
            case str(table):
                return self._from_table(protocol, table)
            case list(names) if names and all(isinstance(name, str) for name in names):
                _no_twins([fold(name) for name in names], "scenarios", self.path)
                found = tuple(named(protocol, name) for name in names)
            case dict(rates) if rates:
                found = tuple(self._from_rates(protocol, rates))
            case _:
                raise trouble(
                    "DL903",
                    "`scenarios` is not a table of rates, the path of a table, or a list of names.",
                    help="Write for example:\n[scenarios]\nrising = [0.05, 0.1, 0.2]",
                )
        if not found:
            raise trouble(
                "DL903",
                "the protocol has no scenario.",
                help="Give rates, one a level:\n[scenarios]\nrising = [0.05, 0.1, 0.2]",
            )
        return found

    def _from_table(self, protocol: Protocol, table: str) -> tuple[Scenario, ...]:
        """The scenarios of a file, which is read once; once more for each other kind of ladder."""
        path = str(Path(self.path).parent / table)
        if self._text is None:
            self._text = read_text(path)
        ladder = (tuple(level.label for level in protocol.levels), tuple(one.name for one in protocol.toxicities))
        if ladder not in self._tables:
            self._tables[ladder] = from_csv(protocol, self._text, path)
        return self._tables[ladder]

    def _from_rates(self, protocol: Protocol, written: Mapping[str, object]) -> Iterator[Scenario]:
        for name, rates in written.items():
            by_toxicity = rates if isinstance(rates, dict) else {protocol.toxicities[0].name: rates}
            known = {fold(one.name): one.name for one in protocol.toxicities}
            given = {}
            for toxicity, values in by_toxicity.items():
                if fold(toxicity) not in known:
                    near = nearest(toxicity, list(known.values()))
                    help = f"Did you mean `{near}`?" if near else f"It counts {listing(list(known.values()))}."
                    message = (
                        f'scenario "{shorten(name)}" has rates of `{toxicity}`, which the protocol does not count.'
                    )
                    if (together := counted_together(protocol, toxicity, "and")) is not None:
                        help = f"`{toxicity}` counts {together} together: give the rates of each."
                    raise trouble("DL903", message, help=help)
                given[known[fold(toxicity)]] = _rates(values, name)
            missing = [one.name for one in protocol.toxicities if one.name not in given]
            if missing:
                message = f'scenario "{shorten(name)}" gives no rates of {listing(missing)}.'
                raise trouble("DL903", message, help=f"Write: {name} = {{ {missing[0]} = [0.1, …], … }}")
            yield checked(protocol, Scenario(name, tuple(given[one.name] for one in protocol.toxicities)))


def _rates(written: object, name: str) -> tuple[float, ...]:
    values = written if isinstance(written, list) else [written]
    read = [read_setting(_number_text(value)) for value in values]
    for value, one in zip(values, read, strict=True):
        if one is None or len(one.numbers) != 1:
            message = f'in scenario "{shorten(name)}" `{shorten(str(value), 40)}` is not a rate.'
            raise trouble(
                "DL903", message, help='Write one rate a level, for example [0.05, 0.1, 0.2] or ["5%", "10%"].'
            )
    return tuple(float(one.numbers[0]) for one in read if one is not None)
