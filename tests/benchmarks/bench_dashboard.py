"""What the dashboard costs on a real terminal of 120x40: share of a core, and bytes a second. Run by hand:

python -m tests.benchmarks.bench_dashboard [--seconds 15] [--filesets 800]

At rest: attached to a state in which nothing changes, then to one with 100,000 filesets of 1,000 products queued.
Few changes: some twenty words a second change on the screen, as on an ordinary night. Many files: its own engine
fetches small files from nginx on loopback as fast as it can; its operator waits to see what a key does, and what
becomes of an engine that is killed. Each figure stands beside its budget; the bytes' budget is 4 kB/s for 20 changes
a second, 200 bytes for each. Ends with 1 if a budget is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import bench_screens
from tests.benchmarks.bench_once import REGISTERED, make_product
from tests.benchmarks.bench_table import cpu_seconds
from tests.benchmarks.bench_transport import nginx
from tests.screens import night
from tests.terminal import Terminal
from tests.whole.site import COMMAND, HERE
from tui import attach

AT_REST, BUSY = 0.05, 0.15
"""Budgets: shares of a core."""
BYTES_A_CHANGE = 200
KEY_SECONDS, DEATH_SECONDS = 0.3, 2.0
"""Budgets: from a key to its effect on the screen, and from the death of an engine until that is told."""
KEYS = 5
LOOK_SECONDS = 0.1
WARM_SECONDS = 5.0
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Cost:
    """What was measured of one process: the share of a core, bytes and changed words a second."""

    share: float
    bytes: float
    changes: float

    @property
    def each(self) -> float:
        """Bytes for one change; 0 if there was none."""
        return self.bytes / self.changes if self.changes else 0.0

    def within(self, budget: float) -> bool:
        """Tell whether neither the share of a core nor the bytes are more than they may be."""
        return self.share <= budget and self.each <= BYTES_A_CHANGE

    def told(self, what: str, budget: float) -> str:
        return (
            f"{what:<35} {self.share:6.1%} of a core ({self.share / budget:4.2f} of the budget)  "
            f"{self.bytes / 1000:5.2f} kB/s, {self.changes:5.1f} changes/s: {self.each:4.0f} bytes each "
            f"({self.each / BYTES_A_CHANGE:4.2f} of the budget)\n"
        )


def watched(terminal: Terminal, seconds: float, ended: Callable[[], bool] = lambda: False) -> Cost:
    """Measure for so long, or until `ended`."""
    begun, used, written = time.monotonic(), cpu_seconds(terminal.process.pid), terminal.bytes_written
    changes, before = 0, _words(terminal)
    while time.monotonic() - begun < seconds and not ended():
        time.sleep(LOOK_SECONDS)
        after = _words(terminal)
        changes += len(after - before)
        before = after
    took = time.monotonic() - begun
    used = cpu_seconds(terminal.process.pid) - used
    return Cost(used / took, (terminal.bytes_written - written) / took, changes / took)


def _words(terminal: Terminal) -> frozenset[tuple[int, int, str]]:
    """Return what stands on the screen, word by word, each with its place."""
    lines = enumerate(terminal.screen())
    return frozenset((y, found.start(), found.group()) for y, line in lines for found in WORD.finditer(line))


@contextmanager
def dashboard(folder: Path) -> Iterator[Terminal]:
    environment = {
        "HOME": str(folder), "XDG_STATE_HOME": str(folder), "PYTHONPATH": str(HERE), "COLORTERM": "truecolor",
    }  # fmt: skip
    with Terminal(COMMAND, env=environment, cwd=folder) as terminal:
        terminal.wait_for("1 Products")
        yield terminal


@contextmanager
def attached(folder: Path) -> Iterator[Terminal]:
    """Show a state, of which this process pretends to be the engine."""
    lease = night.lease(folder)
    lease.take()
    try:
        with dashboard(folder) as terminal:
            terminal.wait_for("attached")
            time.sleep(WARM_SECONDS)
            yield terminal
    finally:
        lease.release()


def at_rest(folder: Path, seconds: float) -> Cost:
    asyncio.run(night.build(folder))
    with attached(folder) as terminal:
        return watched(terminal, seconds)


def at_rest_with_much_to_do(folder: Path, seconds: float) -> Cost:
    (folder / "mirrortui.toml").write_text(night.CONFIGURATION)
    asyncio.run(bench_screens.fill(folder / "mirror.db", bench_screens.QUEUED))
    with attached(folder) as terminal:
        return watched(terminal, seconds)


def few_changes(folder: Path, seconds: float) -> Cost:
    """Let a second's bytes come each second."""
    asyncio.run(night.build(folder))
    with attached(folder) as terminal, closing(sqlite3.connect(folder / "mirror.db", isolation_level=None)) as db:
        begun, ticks = time.monotonic(), 0

        def tick() -> bool:
            nonlocal ticks
            if time.monotonic() - begun > ticks:
                ticks += 1
                db.execute("UPDATE transfers SET received = received + 90000 * (1 + (file_id + ?) % 7)", (ticks,))
            return False

        return watched(terminal, seconds, tick)


@dataclass(frozen=True)
class Lively:
    """What was measured of a dashboard with an engine: files a second, seconds to an effect and to the bad news."""

    cost: Cost
    files: float
    key: float
    death: float


def many_files(root: Path, filesets: int, seconds: float) -> Lively:
    source, folder = root / "files", root / "site"
    source.mkdir()
    folder.mkdir()
    make_product(source, "small", filesets, 100, 4_000)
    (source / "index.txt").write_text(
        f"# productID|Most recent|Time registered|type|Description|\nsmall|none|{REGISTERED}|bench||\n"
    )
    with nginx(root) as url:
        (folder / "mirrortui.toml").write_text(
            f'[engine]\nstate = "mirror.db"\nmin_free = "0"\n[[mirror]]\nname = "b"\nprotocol = "ipp"\nurl = "{url}"\n'
            'destination = "data"\n'
        )
        with dashboard(folder) as terminal:
            terminal.wait_for("LIVE")
            while not _published(folder):
                time.sleep(LOOK_SECONDS)
            begun, before = time.monotonic(), _published(folder)
            cost = watched(terminal, seconds, lambda: _published(folder) >= filesets * 0.95)
            files = (_published(folder) - before) * 100 / (time.monotonic() - begun)
            key, death = effect_of_key(terminal), told_of_death(terminal, folder)
            _leave(terminal)
    return Lively(cost, files, key, death)


def effect_of_key(terminal: Terminal) -> float:
    """Pause and resume a product, KEYS times in all; return the median of the seconds until that is seen."""
    terminal.send("1")
    terminal.wait_for("n Available")
    times = []
    for pressed in range(KEYS):
        begun = time.monotonic()
        terminal.send("p")
        if pressed % 2:
            terminal.wait_until_gone("= paused")
        else:
            terminal.wait_for("= paused")
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def told_of_death(terminal: Terminal, folder: Path) -> float:
    """Kill the engine; return the seconds until that is on the screen."""
    engine = attach.find(folder / "mirror.db")
    if engine is None or engine.pid is None:
        raise RuntimeError("no engine to kill")
    begun = time.monotonic()
    os.kill(engine.pid, signal.SIGKILL)
    terminal.wait_for("NO ENGINE")
    return time.monotonic() - begun


def _published(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'mirror.db'}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM filesets WHERE state = 'published'").fetchone()[0])


def _leave(terminal: Terminal) -> None:
    terminal.send("q")
    terminal.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="for which each is measured")
    parser.add_argument("--filesets", type=int, default=800, help="of 100 files of 4 kB")
    options = parser.parse_args()
    say, kept = sys.stdout.write, []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for what, measure, budget in (
            ("at rest", at_rest, AT_REST),
            ("at rest, 100,000 of 1,000 products", at_rest_with_much_to_do, AT_REST),
            ("few changes", few_changes, BUSY),
        ):
            folder = root / "state"
            folder.mkdir()
            cost = measure(folder, options.seconds)
            say(cost.told(what, budget))
            kept.append(cost.within(budget))
            shutil.rmtree(folder)
        found = many_files(root, options.filesets, options.seconds)
        say(found.cost.told(f"its engine moves {found.files:,.0f} files/s", BUSY))
        kept.append(found.cost.within(BUSY))
        for what, took, budget in (
            (f"a key's effect, median of {KEYS}", found.key, KEY_SECONDS),
            ("an engine's death is told", found.death, DEATH_SECONDS),
        ):
            say(f"{what:<35} {took:6.2f} s ({took / budget:4.2f} of the budget)\n")
            kept.append(took <= budget)
        say(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
