"""`demo`: an embedded Data Store with synthetic data, and a mirror of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from core.demo.server import DemoStore
from core.errors import ExitCode
from tui.headless import work

GROWTH_SECONDS = 4.0
PACE = 20_000_000
"""Bytes a second for each connection of the live demo, so that there is something to watch."""

CONFIGURATION = """\
[engine]
state = "mirror.db"

[[mirror]]
name = "demo"
protocol = "ipp"
url = "{url}"
destination = "data"
hidden_products = ["{hidden}"]
poll_interval = "5s"
"""


def run(*, once: bool, folder: Path | None) -> ExitCode:
    """Mirror the demo's Data Store into `folder`, or into a temporary one that is removed afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return _run(once, folder)
    with tempfile.TemporaryDirectory(prefix="mirrortui-demo-") as temporary:
        return _run(once, Path(temporary))


def _run(once: bool, folder: Path) -> ExitCode:
    store = DemoStore() if once else DemoStore(growth=GROWTH_SECONDS, flaky=True, pace=PACE)
    with store:
        file = folder / "mirrortui.toml"
        file.write_text(CONFIGURATION.format(url=store.url, hidden=store.hidden_product), encoding="utf-8")
        click.echo(f"Data Store at {store.url}, mirrored into {folder / 'data'}")
        if once:
            return work.once(file, work.Options())
        click.echo(f"look on from another terminal: mirrortui --config {file} status   (Ctrl-C ends the demo)")
        return work.serve(file, verbose=False)
