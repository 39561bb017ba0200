"""`demo`: an embedded Data Store with synthetic data, and a mirror of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from core.config.loading import FILE_NAME
from core.demo.server import DemoStore
from core.errors import ConfigError, ExitCode
from core.text import display
from tui.headless import work

GROWTH_SECONDS = 4.0
PACE = 20_000_000
"""Bytes a second for each connection of the live demo, so that there is something to watch."""

MARK = "# Written by `mirrortui demo`, which writes it anew each time."
CONFIGURATION = f"""\
{MARK}

[engine]
state = "mirror.db"

[[mirror]]
name = "demo"
protocol = "ipp"
url = "{{url}}"
destination = "data"
hidden_products = ["{{hidden}}"]
poll_interval = "5s"
"""


def run(*, once: bool, folder: Path | None) -> ExitCode:
    """Mirror the demo's Data Store into `folder`, or into a temporary one that is removed afterwards.

    Raises ConfigError if `folder` can't be used, or holds a configuration that the demo did not write.
    """
    if folder is not None:
        _demand_own(folder)
        return _run(once, folder)
    with tempfile.TemporaryDirectory(prefix="mirrortui-demo-") as temporary:
        return _run(once, Path(temporary))


def _demand_own(folder: Path) -> None:
    file = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        first = file.read_bytes().partition(b"\n")[0]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{display(error.filename)}: cannot be used for the demo: {error.strerror}") from None
    if first.decode("utf-8", "replace").rstrip() != MARK:
        raise ConfigError(
            f"{display(file)}: a configuration that the demo did not write, and does not overwrite; "
            "choose another --folder, or move the file away"
        )


def _run(once: bool, folder: Path) -> ExitCode:
    store = DemoStore() if once else DemoStore(growth=GROWTH_SECONDS, flaky=True, pace=PACE)
    with store:
        file = folder / FILE_NAME
        file.write_text(CONFIGURATION.format(url=store.url, hidden=store.hidden_product), encoding="utf-8")
        click.echo(f"Data Store at {store.url}, mirrored into {folder / 'data'}")
        if once:
            return work.once(file, work.Options())
        click.echo(f"look on from another terminal: mirrortui --config {file} status   (Ctrl-C ends the demo)")
        return work.serve(file, verbose=False)
