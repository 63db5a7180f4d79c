"""How the work grows with levels and cohorts: `python -m benchmarks.growth [LEVELS …]` prints a table in Markdown.

Each row is a process of its own, so that its memory is its own. With `--plot PICTURE.svg` the table is also drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

ROWS = [(5, 10), (5, 15), (5, 20), (6, 12), (6, 16), (6, 20), (8, 12), (8, 16), (8, 20)]


def measure(levels: int, cohorts: int) -> dict[str, float]:
    """Count the ends of BOIN, and work out one scenario of it; seconds are those of the processor."""
    from benchmarks.test_counting import count, design
    from doselang.simulate.parametric import Parametric

    protocol = design("boin", levels=levels, cohorts=cohorts)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    found = count(protocol)
    counted = time.process_time()
    one = Parametric(found, "one-at-a-time").sums(np.linspace(0.05, 0.5, levels).reshape(1, 1, levels))
    assert abs(one.ends.sum() - 1) < 1e-9
    done, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "levels": levels, "cohorts": cohorts, "states": found.states, "ends": len(found.ends),
        "count": counted - begun, "scenario": done - counted, "mebibytes": (most - idle) / 1024,
    }  # fmt: skip


def table(rows: list[dict[str, float]]) -> str:
    """The measurements as a table."""
    lines = [
        "| levels | cohorts | states | seconds to count | states a second | seconds a scenario | MiB | bytes a state |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['levels']} | {row['cohorts']} | {row['states']:,} | {row['count']:.2f} "
            f"| {row['states'] / row['count']:,.0f} | {row['scenario']:.3f} | {row['mebibytes']:.0f} "
            f"| {row['mebibytes'] * 2**20 / row['states']:.0f} |"
        )
    return "\n".join(lines)


def plot(rows: list[dict[str, float]], path: str) -> None:
    """States and seconds against cohorts, a line a number of levels; both axes of numbers are logarithmic."""
    import matplotlib

    matplotlib.use("svg" if path.endswith(".svg") else "agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "doselang"
    matplotlib.rcParams["svg.fonttype"] = "none"
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for marker, levels in zip("os^Dv", sorted({row["levels"] for row in rows}), strict=False):
        of_levels = [row for row in rows if row["levels"] == levels]
        for panel, key in zip(panels, ("states", "count"), strict=True):
            panel.plot([row["cohorts"] for row in of_levels], [row[key] for row in of_levels], "k-", marker=marker,
                       markerfacecolor="white", label=f"{levels} levels")  # fmt: skip
    for panel, title in zip(panels, ("states", "seconds of the processor to count all ends"), strict=True):
        panel.set(yscale="log", xlabel="cohorts of three", ylabel=title)
        panel.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main() -> None:
    """Measure every row in a process of its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--one", nargs=2, type=int, metavar=("LEVELS", "COHORTS"))
    options.add_argument("--most", type=int, default=20, help="the most cohorts")
    options.add_argument("--plot", metavar="PICTURE")
    given = options.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one)))
        return
    rows = []
    for levels, cohorts in ROWS:
        if cohorts <= given.most:
            command = [sys.executable, "-m", "benchmarks.growth", "--one", str(levels), str(cohorts)]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(table(rows))
    if given.plot:
        plot(rows, given.plot)


if __name__ == "__main__":
    main()
