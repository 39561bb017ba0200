"""SIGKILL at changes of files that a traced run has shown, a few of each scenario; ``make test-crash`` takes all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.lab import Lab, Verdict
from tests.crash.points import evenly
from tests.crash.scenarios import SCENARIOS

SAMPLE = 2

pytestmark = [
    pytest.mark.skipif(os.environ.get("CRASH_POINTS") == "skip", reason="CRASH_POINTS=skip"),
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere_the_next_run_completes_everything(name: str, tmp_path: Path) -> None:
    offset = (list(SCENARIOS).index(name) + 0.5) / len(SCENARIOS)
    with Lab(SCENARIOS[name], tmp_path) as lab:
        outcomes = [lab.play(point) for point in evenly(lab.points, SAMPLE, offset)]
    failed = [f"{one.point}: {one.why}" for one in outcomes if one.verdict is Verdict.FAILED]
    assert not failed, "\n".join(failed)
    assert any(one.verdict is Verdict.PASSED for one in outcomes), "no point was reached"
