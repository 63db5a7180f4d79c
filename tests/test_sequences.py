"""Letters of many histories: put together and ordered as strings are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from doselang.machine.sequences import Endings, concatenated, nothing

WRITTEN = st.text("012", max_size=40)


@given(st.lists(st.lists(WRITTEN, min_size=3, max_size=3), min_size=1, max_size=12), st.sampled_from([3, 4, 9]))
def test_letters_are_ordered_as_strings(histories: list[list[str]], classes: int) -> None:
    """Three exits after one another, which may go over the end of a word, or be nothing."""
    endings, rows = Endings(classes), np.arange(len(histories))
    letters = nothing(len(histories), classes)
    for exit in range(3):
        written = [history[exit] for history in histories[: len(histories) // 2]]
        endings.of(written)  # known before the others are met
        every = endings.of([*written, *(history[exit] for history in histories[len(histories) // 2 :])])
        letters = letters.then(every.take(rows))
        endings = Endings(classes)
    strings = ["".join(history) for history in histories]
    assert letters.length.tolist() == [len(string) for string in strings]
    assert letters.order().tolist() == sorted(range(len(strings)), key=strings.__getitem__)


def test_letters_of_several_lengths_stand_together() -> None:
    every = Endings(2).of(["1" * 70, "0", ""])
    both = concatenated([every.take(np.array([1])), every.take(np.array([0, 2]))])
    assert both.length.tolist() == [1, 70, 0]
    assert both.order().tolist() == [2, 0, 1]
