"""What processes and folders take while they live, sampled from outside, and what that tells: does it grow?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

MEGA = 1_000_000
HOUR = 3600.0
WARM_UP = 20.0
"""Seconds in which a process still takes what it needs."""
JUDGED = 480.0
"""Seconds of life from which on a slope means something."""
MOST_SLOPE = 40.0
"""MB an hour. A file of a thousand bytes that is leaked with each fileset would be more at a few filesets a second."""
MOST_GROWTH = 3
"""Descriptors or threads: what a pool may still add after the first third of a life."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment: seconds since the run began, resident bytes, and what it has open."""

    at: float
    rss: int
    descriptors: int
    threads: int


def sample(pid: int, at: float) -> Sample | None:
    """Look at a process; None if it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        told = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        if "VmRSS" in told:
            return Sample(at, int(told["VmRSS"][0]) * 1024, len(os.listdir(f"/proc/{pid}/fd")), int(told["Threads"][0]))
    return None


def birth(pid: int) -> int | None:
    """Return when a process was started, in ticks since the system was (proc_pid_stat(5)); None if it has ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return None


@dataclass
class Life:
    """A process from its start to its end, as far as it was looked at."""

    name: str
    pid: int
    samples: list[Sample] = field(default_factory=list)
    born: int | None = None

    def look(self, at: float) -> None:
        """Look at it, unless it has ended: another one may have its number by then."""
        born = birth(self.pid)
        self.born = self.born or born
        if born == self.born and (found := sample(self.pid, at)):
            self.samples.append(found)

    @property
    def seconds(self) -> float:
        """How long it was looked at."""
        return self.samples[-1].at - self.samples[0].at if self.samples else 0.0

    @property
    def warm(self) -> list[Sample]:
        """The samples after the time in which a process takes what it needs."""
        return [one for one in self.samples if one.at - self.samples[0].at >= WARM_UP]

    @property
    def slope(self) -> float:
        """By how many MB an hour it grows in the second half of its life."""
        half = self.samples[len(self.samples) // 2 :]
        return slope([(one.at, one.rss) for one in half]) * HOUR / MEGA

    def complaints(self) -> list[str]:
        """Return in words what grows and should not; short lives are not judged."""
        if self.seconds < JUDGED:
            return []
        found = []
        if self.slope > MOST_SLOPE:
            found.append(f"{self.name}: memory grows by {self.slope:.1f} MB/h")
        for noun, values in (
            ("descriptors", [one.descriptors for one in self.warm]),
            ("threads", [one.threads for one in self.warm]),
        ):
            if (more := growth(values)) > MOST_GROWTH:
                found.append(f"{self.name}: {more} {noun} more at the end of its life than in the middle")
        return found

    def __str__(self) -> str:
        """Return the figures of a life in one line."""
        if not (seen := self.warm or self.samples):
            return f"{self.name}: never seen"
        first, last, most = seen[0], seen[-1], max(one.rss for one in seen)
        return (
            f"{self.name}: {self.seconds / 60:.1f} min; RSS {first.rss / MEGA:.1f} -> {last.rss / MEGA:.1f} MB, "
            f"at most {most / MEGA:.1f}, slope {self.slope:+.1f} MB/h; "
            f"descriptors {span([one.descriptors for one in seen])}; threads {span([one.threads for one in seen])}"
        )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line that fits best (least squares), in units of y for each of x; 0 for less than two."""
    if len(points) < 2:
        return 0.0
    middle_x, middle_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def growth(values: Sequence[int]) -> int:
    """Return by how much the least value of the last third is above that of the second.

    What is in use goes up and down with the work; what is leaked raises the least that there ever is.
    """
    third = len(values) // 3
    return min(values[2 * third :]) - min(values[third : 2 * third]) if third else 0


def span(values: Sequence[int]) -> str:
    """Return the first and the last value, and the least and the greatest."""
    return f"{values[0]} -> {values[-1]} ({min(values)} to {max(values)})"


def size_of(*files: Path) -> int:
    """Return the bytes of files, those that are there."""
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size
    return total


def size_below(folder: Path) -> int:
    """Return the bytes of all files below a folder in which others are at work."""
    total = 0
    for place, _, names in os.walk(folder):
        total += size_of(*(Path(place, name) for name in names))
    return total


@dataclass
class Sizes:
    """The most that a site took of its disk beside what it publishes, in bytes."""

    log_of_state: int = 0
    """The write-ahead log of the state file."""
    staging: int = 0

    def look(self, site: Path) -> None:
        """Look at a site."""
        self.log_of_state = max(self.log_of_state, size_of(site / "mirror.db-wal"))
        self.staging = max(self.staging, size_below(site / "data/.mirrortui/staging"))
