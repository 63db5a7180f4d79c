"""Serving the page of a trial, at a port of this computer that nobody else's computer reaches."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from html import escape
from pathlib import Path

import uvicorn

from doselang.diagnostics import trouble
from doselang.web.sessions import Door
from doselang.web.site import Site

HERE = "127.0.0.1"
"""The only address that is ever listened at."""


def serve(folder: str, port: int, actor: str, tell: Callable[[str], None], *, browser: bool) -> None:
    """Serve the page of a trial until it is stopped; `port` 0 takes a free one.

    `actor` is who enters, where nobody else is named. Raises Trouble where the folder holds no trial, or the port is
    taken.
    """
    with _listening(port) as listener:
        site = Site(folder, Door(actor), listener.getsockname()[1], tell)
        site.trial()
        tell(f"The page of the trial in {folder}, for this computer only:\n  {site.start}")
        tell("The address opens once. Ctrl-C ends it.")
        server = uvicorn.Server(_config(site))
        with _opened(site.start) if browser and _has_screen() else nullcontext(), suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _config(site: Site) -> uvicorn.Config:
    """Addresses hold secrets, so none is logged."""
    return uvicorn.Config(
        site.application(), http="h11", ws="none", lifespan="off", access_log=False, log_level="critical",
        server_header=False, date_header=False, proxy_headers=False, limit_concurrency=64, timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
    )  # fmt: skip


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HERE, port))
            listener.listen(64)
        except OSError as error:
            message = f"Port {port} of this computer cannot be used: {error.strerror}."
            raise trouble("DL903", message, help="Leave out `--port`: a free one is taken.") from None
        yield listener


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Open the address in the browser, by a file that only its owner reads: a command line is seen by everybody."""
    with tempfile.TemporaryDirectory(prefix="doselang-") as folder:
        page = Path(folder) / "open.html"
        page.touch(0o600)
        text = f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={escape(address)}"><title>doselang</title>'
        page.write_text(text, encoding="utf-8")
        webbrowser.open(page.as_uri())
        yield
