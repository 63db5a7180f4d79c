"""What every request must pass before a page is made, and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest
from urllib.parse import parse_qsl

from attrs import define, frozen
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doselang.web.layout import STYLE, document, refused_page
from doselang.web.sessions import Door, Session

MOST_BODY_BYTES = 64 << 10
MOST_ADDRESS_SIGNS = 4_000
MOST_FIELDS = 50

START = "/start"
OPEN = (START, STYLE)
"""The addresses that need no session: the one that gives one, and the stylesheet."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""`Referrer-Policy: no-referrer` would take `Origin` from the forms of the page itself."""


@frozen
class Refused(Exception):
    """A request that is not answered with what it asks for: why, what to do, and the status."""

    message: str
    help: str
    status: int


@define(eq=False)
class Guard:
    """Stands before the application. `port` is the one that it is served at."""

    app: ASGIApp
    door: Door
    port: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_encoded()]
            await send(message)

        try:
            await self._admit(Request(scope, receive))
        except Refused as refused:
            page = refused_page("Not shown", refused.message, refused.help, refused.status)
            await HTMLResponse(document(page, None, None), refused.status)(scope, receive, sent)
            return
        await self.app(scope, receive, sent)

    async def _admit(self, request: Request) -> None:
        """Put the session and the fields of a form into the request. Raises Refused."""
        host = self._host(request)
        if request.method not in ("GET", "POST"):
            raise Refused("This page is read and sent, and nothing else.", "", 405)
        address = f"{request.url.path}?{request.url.query}"
        if len(address) > MOST_ADDRESS_SIGNS:
            raise Refused("The address is too long.", "", 414)
        if request.method == "GET" and request.url.path in OPEN:
            return
        session = self._session(request)
        if request.method == "POST":
            _refuse_other_origins(request, host)
            form = await _form(request)
            _refuse_other_forms(form, session)
            request.state.form = form
        request.state.session = session

    def _host(self, request: Request) -> str:
        """The host that is asked for: another name may lead here from somebody else's page (DNS rebinding)."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            raise Refused("This page is shown under the address of this computer alone.", OPENED_BY, 403)
        return hosts[0].lower()

    def _session(self, request: Request) -> Session:
        room = self.door.room
        inside = request.url.path.startswith(f"{room}/")
        session = self.door.session_of(_cookies(request, cookie_name(self.port))) if inside else None
        if session is None or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused("This page is shown to the browser that was opened from the terminal.", OPENED_BY, 403)
        return session


OPENED_BY = "Open the address that `doselang serve` has printed: each opens once, and the next one is printed then."


def cookie_name(port: int) -> str:
    """The name of the cookie; browsers do not tell the ports of a computer apart."""
    return f"doselang-{port}"


def _encoded() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in HEADERS.items()]


def _cookies(request: Request, name: str) -> Iterator[str]:
    """All cookies of a name: a program at another port can set one too, which hides none."""
    for header in request.headers.getlist("cookie"):
        for piece in header.split(";"):
            key, _, value = piece.strip().partition("=")
            if key == name:
                yield value


def _refuse_other_origins(request: Request, host: str) -> None:
    """Only a page of this very server sends forms here."""
    if request.headers.getlist("origin") != [f"http://{host}"]:
        raise Refused("This form was sent by another page.", OPENED_BY, 403)


def _refuse_other_forms(form: dict[str, str], session: Session) -> None:
    if not compare_digest(form.pop("form_token", "").encode(), session.form_token.encode()):
        raise Refused("This form is not one that was shown in this browser.", "Open the page anew.", 403)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; what several fields of one name say is put together with spaces. Raises Refused."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refused("This is not sent as a form is.", "", 415)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise Refused("This is more than the page takes.", f"It takes {MOST_BODY_BYTES >> 10} KiB.", 413)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
                          max_num_fields=MOST_FIELDS)  # fmt: skip
    except ValueError:
        raise Refused("This form cannot be read.", "Send it from the page.", 400) from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]} {value}" if name in found else value.replace("\r\n", "\n")
    return found
