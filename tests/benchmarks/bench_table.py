"""What a live table costs at a real pseudo-terminal of 120x40, with all colours. Run by hand:

python -m tests.benchmarks.bench_table [--seconds 10]

Ten times a second all keys are given anew, and 20 cells in sight change.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from pathlib import Path

from tests.tui.widgets.at_terminal import at_terminal

HERTZ = 10


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(rows: int, seconds: float) -> tuple[float, float]:
    """Return the share of a core, and bytes a second."""
    with at_terminal(rows, HERTZ) as terminal:
        begun, used, written = time.monotonic(), cpu_seconds(terminal.process.pid), 0
        while (left := begun + seconds - time.monotonic()) > 0:
            if select.select([terminal.end], [], [], left)[0]:
                written += len(os.read(terminal.end, 65536))
        return (cpu_seconds(terminal.process.pid) - used) / seconds, written / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    for rows in (1_000, 100_000):
        cpu, written = measure(rows, options.seconds)
        sys.stdout.write(f"{rows:>9,} rows: {cpu:.1%} of a core, {written / 1000:.1f} kB/s\n")


if __name__ == "__main__":
    main()
