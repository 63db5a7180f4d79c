"""What all commands share: their options, reading files, and printing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen

from doselang.diagnostics import Diagnostic, Trouble, trouble
from doselang.loading import Loaded, load
from doselang.report.concise import render_concise
from doselang.report.printable import printable, printable_lines
from doselang.report.text import count_words, render_text
from doselang.resolve import Setting, read_setting

Command = TypeVar("Command", bound=Callable[..., Any])

files_argument = click.argument("paths", nargs=-1, metavar="FILE…")
quiet_option = click.option("--quiet", is_flag=True, help="Print only what is wrong.")
color_option = click.option("--no-color", is_flag=True, help="No colours, also on a terminal.")
set_option = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override a parameter.")
accrual_option = click.option(
    "--accrual", type=click.Choice(["one-at-a-time", "whole-cohort"]), default="one-at-a-time", show_default=True,
    help="How patients enter: each when the last one's outcome is known, or a cohort together.",
)  # fmt: skip


def format_option(*formats: str) -> Callable[[Command], Command]:
    """`--format`, the first being the default."""
    return click.option("--format", "form", type=click.Choice(formats), default=formats[0], show_default=True)


def cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def one_standard_input(paths: tuple[str, ...], *further: str | None) -> None:
    """Refuse `-` for two things at once: what is read from the standard input is gone."""
    if len([path for path in dict.fromkeys(paths) if path == "-"]) + further.count("-") > 1:
        raise trouble(
            "DL903", "`-`, the standard input, is given for several files, and can be read once.",
            help="Write the others to files, and give their names.",
        )  # fmt: skip


PATIENCE = 20.0
"""After so many seconds a command says that it is still at work, and how to bound it."""


BOUNDS = {
    "--max-states": "`--max-states 100000` explores fewer states",
    "--trials": "`--trials` simulates fewer trials",
}
"""Options that make a command do less, where it has them."""

FEWER = "fewer levels, or `accrue at most 30 in the trial`, make fewer states (the rules must say what follows there)"


@contextmanager
def impatient(options: Callable[[], Collection[str]], seconds: float = PATIENCE) -> Iterator[None]:
    """Say on standard error, once, that the work takes longer than `seconds`; `options` are those of the command."""

    def say() -> None:
        there = options()
        fewer = [words for option, words in BOUNDS.items() if option in there]
        click.echo(
            f"doselang: still at work after {seconds:.0f} seconds: very many states, or trials. Ctrl-C stops.\n"
            f"  {'; '.join([', '.join(fewer), FEWER] if fewer else [FEWER[:1].upper() + FEWER[1:]])}.",
            err=True,
        )

    timer = threading.Timer(seconds, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@frozen
class Console:
    """How to print: quietly, and in colours."""

    quiet: bool = False
    no_color: bool = False

    @property
    def color(self) -> bool:
        return not self.no_color and sys.stdout.isatty()

    def findings(self, diagnostics: tuple[Diagnostic, ...], loaded: Loaded) -> None:
        """Print findings for people."""
        shown = [item for item in diagnostics if not self.quiet or item.severity == "error"]
        if shown:
            click.echo(render_text(shown, loaded.source, color=self.color), color=self.color)


def say_trouble(error: Trouble) -> int:
    """Print what stopped a command, on standard error; the exit status."""
    item = error.diagnostic
    click.echo(f"doselang: {item.code} {item.name}: {printable(item.message)}", err=True)
    for line in printable_lines(item.help or ""):
        click.echo(f"  {line}", err=True)
    return 2


def expanded(paths: tuple[str, ...]) -> list[str]:
    """The files of the paths given: a folder stands for every `.dose` file in it. Trouble for none."""
    if not paths:
        raise trouble("DL903", "Which file? Name a protocol file, a folder, or `-` for the standard input.")
    found: list[str] = []
    for path in paths:
        if path != "-" and os.path.isdir(path):  # unlike Path.is_dir, false for a name that no file can have
            inside = sorted(str(file) for file in Path(path).glob("*.dose"))
            if not inside:
                raise trouble("DL901", f"There is no .dose file in the folder {path}.")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def parameters(settings: tuple[str, ...]) -> dict[str, Setting]:
    """What `--set NAME=VALUE` gives, by name."""
    found: dict[str, Setting] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        read = read_setting(value)
        if read is None or not name.strip():
            raise trouble(
                "DL903", f"`--set {setting}` is not NAME=VALUE with a number.",
                help="For example: --set levels=4, --set target=30%, --set skeleton=0.05,0.1,0.2",
            )  # fmt: skip
        found[name.strip()] = read
    return found


def loaded_files(paths: tuple[str, ...], settings: tuple[str, ...]) -> Iterator[Loaded]:
    """Every file named, read."""
    values = parameters(settings)
    for path in expanded(paths):
        yield load(path, values)


def need_protocol(loaded: Loaded) -> int:
    """Print the faults of a file that a command needs whole; the exit status, 0 where its protocol may be used."""
    if loaded.protocol is None:
        errors = [item for item in loaded.diagnostics if item.severity == "error"]
        click.echo(render_text(errors, loaded.source), err=True)
        click.echo(f"{loaded.source.path}: {count_words(errors)}; nothing was done with it.", err=True)
        return 2 if any(item.code == "DL704" for item in errors) else 1
    return 0


def concise(diagnostics: tuple[Diagnostic, ...], loaded: Loaded) -> str:
    return render_concise(diagnostics, loaded.source)
