"""How long a command takes as a whole process, and how fast a long file is read.

The process is set against one that only imports what doselang stands on, in the same run: machines differ.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from doselang.diagnostics import Report
from doselang.source import Source
from doselang.syntax.parse import parse

PROTOCOLS = Path(__file__).parent.parent / "protocols"
REFERENCE = PROTOCOLS / "ibrutinib-lenalidomide.dose"

LONGEST = ("pri-724", "designs/blrm", "designs/rolling-six")
"""The shipped protocols whose check takes longest."""

RULES = 2_000


def process(*arguments: str) -> float:
    """The seconds of a process of this Python."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def check_as_a_process(benchmark: Any, path: Path, rounds: int) -> None:
    imports = min(process("-c", "import numpy, lark, attrs, click") for _ in range(5))
    benchmark.pedantic(process, ("-m", "doselang", "check", str(path)), rounds=rounds, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["times its imports"] = round(benchmark.stats.stats.min / imports, 2)


def test_check_the_reference_as_a_process(benchmark: Any) -> None:
    check_as_a_process(benchmark, REFERENCE, rounds=5)


@pytest.mark.parametrize("name", LONGEST)
def test_check_the_longest_as_a_process(benchmark: Any, name: str) -> None:
    check_as_a_process(benchmark, PROTOCOLS / f"{name}.dose", rounds=3)


def test_read_a_long_file(benchmark: Any) -> None:
    rules = "".join(
        f'rule "rule {number}"\n'
        f"  when {number % 4} of 3 patients has a DLT and a higher level remains\n  then enrol 3 more\n"
        for number in range(RULES)
    )
    source = Source("long.dose", f'protocol "long"\n{rules}')

    def read() -> int:
        report = Report()
        file = parse(source, report)
        assert not report.has_errors
        return len(file.statements)

    assert benchmark(read) == RULES + 1
    if benchmark.stats is not None:
        benchmark.extra_info["MB per second"] = round(len(source.text) / 1e6 / benchmark.stats.stats.min, 2)
