"""How fast a trial is judged day by day, and what may be done now is said."""

from __future__ import annotations

from typing import Any

from doselang.conduct.advice import advise
from doselang.conduct.judging import judge
from doselang.patients.reading import read_conducted
from tests.test_conducted import BOIN, FILES, MACHINE, REFERENCE, conducted_trial


def test_judge_thirty_patients_with_five_deviations(benchmark: Any) -> None:
    conducted = read_conducted(str(FILES / "planted.toml"), REFERENCE).conducted
    assert conducted is not None
    judged = benchmark(judge, MACHINE, conducted)
    assert len(judged.deviations) == 5


def test_judge_a_long_trial(benchmark: Any) -> None:
    """BOIN with eight levels and forty cohorts of three: a hundred and twenty patients."""
    conducted, _ = conducted_trial(0, BOIN, most=120)
    judged = benchmark.pedantic(judge, (BOIN, conducted), rounds=3, warmup_rounds=1)
    assert not judged.deviations
    if benchmark.stats is not None:
        benchmark.extra_info["patients"] = len(conducted.patients)


def test_advise(benchmark: Any) -> None:
    conducted, _ = conducted_trial(1)
    standing = judge(MACHINE, conducted).standing
    assert benchmark(advise, standing).now.protocol is REFERENCE
