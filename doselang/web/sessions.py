"""Who may see the page: a secret that opens it once, the session that it opens, what waits there to be confirmed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hmac import compare_digest
from threading import Lock

from attrs import define, field, frozen

from doselang.web.asking import Considered

MOST_SESSIONS = 20
MOST_WAITING = 50
"""So many things may wait to be confirmed in a session; the oldest are forgotten."""


def secret() -> str:
    """A word that nobody can guess."""
    return secrets.token_urlsafe(32)


@frozen
class Entered:
    """What came of a confirmation: the entry that was made, and what is told of it."""

    number: int
    told: tuple[str, ...]


@define(eq=False)
class Session:
    """A browser that was let in.

    `actor` is the name that was given last; `waiting` is shown to be confirmed, by its token; `entered` what was
    confirmed, by the same token, so that confirming twice enters once.
    """

    identity: str = field(factory=secret)
    form_token: str = field(factory=secret)
    actor: str = ""
    waiting: dict[str, Considered] = field(factory=dict)
    entered: dict[str, Entered] = field(factory=dict)

    def wait_for(self, considered: Considered) -> str:
        """Keep what is shown to be confirmed; the token under which it can be."""
        while len(self.waiting) >= MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        token = secret()
        self.waiting[token] = considered
        return token

    def told_of(self, number: int) -> tuple[str, ...]:
        """What was told when an entry was made in this session; nothing for another one."""
        return next((one.told for one in self.entered.values() if one.number == number), ())


@define(eq=False)
class Door:
    """Lets browsers in.

    `room` is the beginning of all addresses, and the path of the cookie: a browser sends cookies to every port of this
    computer, and so to programs of others, but only below their path, which those do not know. `opening` is the secret
    of the next start address; it opens once.
    """

    actor: str = ""
    room: str = field(factory=lambda: f"/{secrets.token_urlsafe(16)}")
    opening: str = field(factory=secret)
    _sessions: dict[str, Session] = field(factory=dict)
    _lock: Lock = field(factory=Lock)

    def open(self, given: str) -> Session | None:
        """A new session for whoever has the secret of the start address, which is used up by that."""
        with self._lock:
            if not compare_digest(given.encode(), self.opening.encode()):
                return None
            self.opening = secret()
            while len(self._sessions) >= MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            session = Session(actor=self.actor)
            self._sessions[session.identity] = session
            return session

    def session_of(self, cookies: Iterable[str]) -> Session | None:
        """The session of one of the cookies that a browser sends under the name of the page's."""
        return next((self._sessions[one] for one in cookies if one in self._sessions), None)
