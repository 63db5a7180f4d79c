"""`doselang serve`: the page of a trial, in a browser of this computer."""

from __future__ import annotations

import os

import click

from doselang.cli.entering import ACTOR
from doselang.diagnostics import trouble


@click.command("serve")
@click.argument("folder", metavar="TRIAL")
@click.option("--port", default=0, metavar="N", type=click.IntRange(0, 65535), help="The port.  [default: a free one]")
@click.option("--actor", default=None, metavar="NAME", help=f"Who enters, where no other is named; else ${ACTOR}.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
def command(folder: str, port: int, actor: str | None, no_browser: bool) -> int:
    """Show the page of a trial in a browser of this computer, and enter there what was done."""
    try:
        from doselang.web.serving import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("starlette", "uvicorn"):
            raise
        help = "pip install 'doselang[web]'"
        raise trouble("DL903", f"The page of a trial needs {error.name}, which is not installed.", help=help) from None
    name = (actor or os.environ.get(ACTOR, "")).strip()
    serve(folder, port, name, click.echo, browser=not no_browser)
    return 0
