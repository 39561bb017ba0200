"""What one dead host among three costs the other two: files a second beside a dead host, and without it. Run by hand:

python -m tests.benchmarks.bench_fairness [--filesets 40] [--rounds 3]

Each answer takes 100 ms, so that slots decide and not the processor. The dead host refuses, or accepts and is silent.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.reliability.test_fairness import published
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Silence
from tests.whole.site import Site, fill

DEAD = {"refusing": Fault.refuse(), "never answering": Fault.played(Silence())}
FILES = 10
POLL = 0.02


def rate(filesets: int, dead: Fault | None) -> float:
    """Return the files a second of two healthy hosts; with `dead`, beside a third one."""
    with ExitStack() as running:
        healthy = [running.enter_context(DataStore()) for _ in range(2)]
        third = running.enter_context(DataStore())
        for store in healthy:
            fill(store, products=1, filesets=filesets, files=FILES, size=5000)
            store.fault("*.fits", Fault.delay(0.1), times=None)
        # Enough to keep a host busy for ever; its indexes, which it does serve, cost the others as little as can be.
        fill(third, products=1, filesets=1, files=100)
        third.fault("*.fits", dead or Fault.delay(0.1), times=None)
        stores = healthy if dead is None else [*healthy, third]
        more = "\n".join(
            f'[[mirror]]\nname = "m{n}"\nprotocol = "ipp"\nurl = "{store.url}"\ndestination = "d{n}"'
            for n, store in enumerate(stores[1:])
        )
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        return measured(Site(folder, stores[0].url, more=more), healthy, filesets)


def measured(site: Site, healthy: list[DataStore], filesets: int) -> float:
    process = site.start("run")
    try:
        while not any(store.requested("*.fits") for store in healthy):
            time.sleep(POLL)
        began = time.monotonic()
        while published(site) < 2 * filesets:
            time.sleep(POLL)
        return 2 * filesets * FILES / (time.monotonic() - began)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filesets", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name, dead in DEAD.items():
        pairs = [(rate(options.filesets, None), rate(options.filesets, dead)) for _ in range(options.rounds)]
        alone, beside = (statistics.median(rates) for rates in zip(*pairs, strict=True))
        loss = 1 - statistics.median(second / first for first, second in pairs)
        sys.stdout.write(f"{name:16} {alone:7.0f} files/s alone {beside:7.0f} beside it   loss {loss:6.1%}\n")


if __name__ == "__main__":
    main()
