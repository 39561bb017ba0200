"""Every crash point of every scenario: ``python -m tests.crash [--points N] [WORDS OF A SCENARIO'S NAME]``.

Exits with 1 if an invariant was broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.crash.crew import play_all
from tests.crash.lab import Outcome, Verdict
from tests.crash.scenarios import SCENARIOS

PROGRESS_SECONDS = 15.0


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Summary:
    """What has been found so far."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._verdicts: Counter[tuple[str, Verdict]] = Counter()
        self.failed: list[str] = []
        self._expected = 0

    def expect(self, points: int) -> None:
        """Add to the points that are to come."""
        self._expected += points

    def broke(self, name: str, error: BaseException) -> None:
        """Note a share that could not be played to its end."""
        self._fail(f"{name}: {type(error).__name__}: {error}")

    def add(self, name: str, outcome: Outcome) -> None:
        """Note an outcome; print it if it is a failure, else how far all is, now and then."""
        self._verdicts[outcome.point.kind, outcome.verdict] += 1
        if outcome.verdict is Verdict.FAILED:
            self._fail(f"{name}: {outcome.point}\n    {outcome.why}")
        if time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            say(f"{self.played} of {self._expected} points or more, {len(self.failed)} failed")

    def _fail(self, what: str) -> None:
        self.failed.append(what)
        say(f"FAILED {what}")

    @property
    def played(self) -> int:
        """The points that have been played."""
        return self._verdicts.total()

    def close(self) -> None:
        """Print the figures by kind of change."""
        say(f"\n{'change':<22}" + "".join(f"{verdict:>13}" for verdict in Verdict))
        kinds = sorted({kind for kind, _ in self._verdicts})
        for kind in kinds:
            say(f"{kind:<22}" + "".join(f"{self._verdicts[kind, verdict]:>13}" for verdict in Verdict))
        sums = [sum(self._verdicts[kind, verdict] for kind in kinds) for verdict in Verdict]
        say(f"{'all':<22}" + "".join(f"{count:>13}" for count in sums))
        minutes = (time.monotonic() - self._began) / 60
        say(f"{self.played} crash points in {minutes:.1f} min, {len(self.failed)} failures")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("words", nargs="*", help="only scenarios whose name has one of these words")
    parser.add_argument("--points", type=int, default=sys.maxsize, help="at most so many of each scenario, evenly")
    options = parser.parse_args(arguments)
    names = [name for name in SCENARIOS if not options.words or any(word in name for word in options.words)]
    summary = Summary()
    for name, told in play_all(names, options.points):
        match told:
            case int():
                summary.expect(told)
            case Outcome():
                summary.add(name, told)
            case BaseException():
                summary.broke(name, told)
    summary.close()
    return 1 if summary.failed or not summary.played else 0


if __name__ == "__main__":
    sys.exit(main())
