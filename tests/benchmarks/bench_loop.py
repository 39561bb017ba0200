"""How long anything holds the event loop of an engine that moves small files as fast as it can. Run by hand:

python -m tests.benchmarks.bench_loop [--filesets 200]

A task that wants to be woken every millisecond notes how late it is. Needs nginx.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from core.config import load_config
from core.engine.engine import Engine
from tests.benchmarks.bench_once import REGISTERED, make_product
from tests.benchmarks.bench_transport import nginx
from tui.headless.work import run_in_loop

STEP = 0.001


async def watched(engine: Engine, lags: list[float]) -> None:
    async def watch() -> None:
        while True:
            asleep = time.perf_counter()
            await asyncio.sleep(STEP)
            lags.append(time.perf_counter() - asleep - STEP)

    watching = asyncio.create_task(watch())
    await engine.run()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filesets", type=int, default=200, help="of 100 files of 10 kB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        source = root / "files"
        source.mkdir()
        make_product(source, "small", options.filesets, 100, 10_000)
        (source / "index.txt").write_text(
            f"# productID|Most recent|Time registered|type|Description|\nsmall|none|{REGISTERED}|bench||\n"
        )
        with nginx(root) as url:
            file = root / "mirrortui.toml"
            file.write_text(
                f'[engine]\nstate = "mirror.db"\n[[mirror]]\nname = "b"\nprotocol = "ipp"\nurl = "{url}"\n'
                'destination = "data"\n'
            )
            lags: list[float] = []
            run_in_loop(watched(Engine(load_config(file), once=True), lags))
    lags.sort()
    shown = ", ".join(
        f"{share:g} %: {lags[int(share / 100 * (len(lags) - 1))] * 1000:.1f}" for share in (50, 99, 99.9, 100)
    )
    sys.stdout.write(f"late by at most, in ms: {shown}\n")


if __name__ == "__main__":
    main()
