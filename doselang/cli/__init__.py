"""The command line: `doselang check`, `simulate`, `compare`, and the others: each is a module of its own."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NoReturn

import click

from doselang import __version__
from doselang.cli.output import impatient, say_trouble
from doselang.diagnostics import Diagnostic, Trouble

# One thread for matrix products, which are small here: more threads wait for each other, longer than they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SELDOM = (50_000, 20, 100)
"""How seldom Python looks for cycles of objects, of which hardly any are made here."""

COMMANDS = {
    "check": ("checking", "Show every gap and conflict, each with the shortest trial that runs into it."),
    "simulate": ("simulating", "Give the operating characteristics, exact by default."),
    "test": ("testing", "Run the worked examples and the claims."),
    "explain": ("explaining", "Explain a finding by its code, or what is decided after a history, and why."),
    "show": ("showing", "Print a protocol in any of its intermediate forms."),
    "next": ("advising", "Say what may be done now in a trial, by which rule, and what depends on what is to come."),
    "replay": ("replaying", "Set every decision of a trial against what its protocol says."),
    "table": ("tabulating", "Print the decision table: patients at a level across, toxicities down."),
    "paths": ("following", "Print every way in which the next cohorts can go, from the beginning or a history."),
    "compare": ("comparing", "Put designs side by side, and say where two protocols first decide differently."),
    "sweep": ("sweeping", "Give the figures of many protocols, parameters and scenarios, as a plan combines them."),
    "data": ("tables", "Write templates for the tables of what was done in a trial, and check such tables."),
    "trial": ("recording", "Keep the record of a trial: what was done is entered, if the rules permit it."),
    "serve": ("serving", "Show the page of a trial in a browser of this computer, and enter there what was done."),
    "new": ("creating", "Write a new protocol from a design, ready to check."),
    "fmt": ("formatting", "Write protocols in the one layout."),
}

ALSO_CALLED = {"diff": "compare", "validate": "check", "lint": "check", "format": "fmt", "run": "simulate"}
"""What else people call a command."""

WITH_PROGRESS = {"sweep", "serve"}
"""Commands that say themselves how far they are, or go on until they are stopped."""


class Commands(click.Group):
    """The commands, each imported when it is used: starting is half of the time of a small one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"doselang.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = [ALSO_CALLED[args[0]]] if args[0] in ALSO_CALLED else get_close_matches(args[0], list(COMMANDS), 1)
            help = f"Did you mean `doselang {near[0]}`?" if near else f"The commands are {', '.join(COMMANDS)}."
            raise Trouble(Diagnostic("DL903", f"There is no command `{args[0]}`.", help=help))
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A path may be a folder: every .dose file in it. `-` is the standard input.",
)  # fmt: skip
@click.version_option(__version__, prog_name="doselang")
def program() -> None:
    """Phase I dose-escalation protocols, written as they read, checked and simulated exactly."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status: 0 nothing wrong, 1 findings, 2 trouble."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = "--traceback" in given
    given = [argument for argument in given if argument != "--traceback"]
    if not given:
        click.echo(program.get_help(program.make_context("doselang", [], resilient_parsing=True)), err=True)
        return 2
    try:
        with nullcontext() if given[0] in WITH_PROGRESS else impatient(lambda: options_of(given)):
            status = program.main(given, prog_name="doselang", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except Trouble as error:
        return say_trouble(error)
    except MemoryError:
        help = "Allow fewer states with `--max-states`, or simulate with `--method montecarlo`."
        return say_trouble(Trouble(Diagnostic("DL704", "There is not enough memory for this protocol.", help=help)))
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        return 2
    except click.ClickException as error:
        usage = getattr(error, "ctx", None)
        see = f"See `{usage.command_path} --help`." if usage is not None else None
        return say_trouble(Trouble(Diagnostic("DL903", error.format_message(), help=see)))
    except BrokenPipeError:
        sys.stderr.close()
        return 2
    except Exception as error:
        if show_traceback:
            traceback.print_exc()
        message = f"A fault in doselang {__version__}: {type(error).__name__}."
        help = "Please report it, with the file and the command; `--traceback` shows where it happened."
        return say_trouble(Trouble(Diagnostic("DL999", message, help=help)))


def options_of(arguments: Sequence[str]) -> set[str]:
    """The options of the command that is given by its name, and by that of its own commands."""
    found: click.Command = program
    for word in arguments:
        if isinstance(found, click.Group):
            found = found.get_command(click.Context(found), word) or found
    return {option for parameter in found.params for option in parameter.opts}


def main() -> NoReturn:
    """The entry point of the program."""
    gc.set_threshold(*SELDOM)
    sys.exit(run())
