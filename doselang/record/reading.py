"""Reading a trial's record, and verifying it: the chain, the copies of the protocol, a head that was noted."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import evolve, frozen

from doselang.diagnostics import trouble
from doselang.record.chain import Chain, Finding, entries_since, examine
from doselang.record.copies import copy_findings
from doselang.record.files import content_of, held, opened, record_path

READER_WAITS = 1.0
"""So many seconds a reader waits to tell an entry that is being written from one that never was."""


@frozen
class Verified:
    """What verifying a trial came to.

    `since` are the entries after the head that was given; None if none was given, and where the record is damaged.
    """

    chain: Chain
    since: int | None = None

    @property
    def is_right(self) -> bool:
        """Whether there is no error, in the record or against the head that was given."""
        return not any(finding.diagnostic().severity == "error" for finding in self.chain.findings)


def verify(folder: str | Path, head: str | None = None) -> Verified:
    """Verify the record of a trial, the copies of its protocol, and, if one is given, that a head is among its entries.

    What is wrong are the findings of the chain. Raises Trouble DL901 where the record cannot be read, DL704 where it
    is too large, DL903 where `head` is not a head.
    """
    chain = _chain(folder)
    since = None if head is None else entries_since(chain, head)
    if isinstance(since, Finding):
        return Verified(evolve(chain, findings=(*chain.findings, since)))
    return Verified(chain, None if chain.is_damaged else since)


def read(folder: str | Path) -> Chain:
    """The entries of a trial, verified. Raises Trouble DL811 where the record is damaged, and as `verify` does."""
    chain = _chain(folder)
    refuse_damaged(chain, folder)
    return chain


def examined(file: int, folder: str | Path) -> Chain:
    """The record in an open file, and whether the copies of the protocol beside it are unchanged."""
    chain = examine(content_of(file, folder))
    return evolve(chain, findings=(*chain.findings, *copy_findings(folder, chain.entries)))


def refuse_damaged(chain: Chain, folder: str | Path) -> None:
    """Trouble DL811 for a record that cannot be relied on."""
    found = [finding for finding in chain.findings if finding.is_damage]
    if found:
        more = f" So are {len(found) - 1:,} further places." if len(found) > 1 else ""
        help = f"{found[0].diagnostic().help} `doselang trial verify {folder}` shows everything that is wrong."
        raise trouble("DL811", f"{record_path(folder)} is damaged. {found[0].message}{more}", help=help)


def _chain(folder: str | Path) -> Chain:
    with opened(folder, os.O_RDONLY, "DL901") as file:
        chain = examined(file, folder)
        if chain.tail and held(file, shared=True, seconds=READER_WAITS) == "held":
            chain = examined(file, folder)  # nobody is writing now: what is not whole will not become so
        return chain
