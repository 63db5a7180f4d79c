"""The addresses of the pages, below the room that only browsers know that were let in."""

from __future__ import annotations

from urllib.parse import urlencode

from attrs import frozen

from doselang.web.offers import Offer


@frozen
class Places:
    """Addresses; `room` is their beginning."""

    room: str

    def page(self, name: str) -> str:
        return f"{self.room}/{name}"

    def entry(self, number: int) -> str:
        """The page of an entry."""
        return f"{self.room}/entry/{number}"

    def form(self, offer: Offer) -> str:
        """The form of a step, begun with the words of the offer."""
        asked = f"?{urlencode(offer.words)}" if offer.words else ""
        return f"{self.room}/add/{offer.kind}{asked}"

    def doing(self, doing: str, number: int) -> str:
        """The form that corrects or withdraws an entry."""
        return f"{self.room}/{doing}/{number}"
