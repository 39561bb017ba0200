"""`--once` and `run`: an engine without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from core import report
from core.config import Config
from core.engine.context import Choice
from core.engine.engine import Engine, Result
from core.errors import ExitCode
from core.logs import hide_secret, setup_logging
from core.report import Report
from core.store.database import Database
from core.store.queries import ProductStatus
from core.text import display
from core.units import counted, format_bytes, format_duration, format_time
from tui.headless import settings, watch
from tui.headless.progress import ClearsLine, ProgressLine, terminal_can_draw

SIGNALS = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    mirror: str | None = None
    product: str | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False


def once(config_file: Path | None, options: Options) -> ExitCode:
    """Bring everything up to date, say what was done, and return what it amounts to."""
    config = _prepare(config_file, options)
    result, found = asyncio.run(_once(config, options))
    code = result.stopped_by or report.exit_code(found)
    if result.drained and code is ExitCode.OK and _work_left(found):
        code = ExitCode.DRAINED
    with contextlib.suppress(OSError):  # the terminal may be gone: the work is done all the same
        if options.as_json:
            click.echo(json.dumps(_json(result, found, code)))
        elif not options.quiet:
            _print_summary(result, found)
    return code


def serve(config_file: Path | None, *, verbose: bool) -> ExitCode:
    """Run the engine until it is told to stop."""
    config = _prepare(config_file, Options(verbose=verbose))
    result = asyncio.run(_run(Engine(config, once=False)))
    return result.stopped_by or ExitCode.OK


def dry_run(config_file: Path | None, options: Options) -> ExitCode:
    """Find out, on a copy of the state, what there is to fetch; print it."""
    config = _prepare(config_file, options)
    with tempfile.TemporaryDirectory(prefix="mirrortui-") as folder:
        state = Path(folder) / "mirror.db"
        if config.engine.state.exists():
            with closing(sqlite3.connect(config.engine.state)) as here, closing(sqlite3.connect(state)) as copy:
                here.backup(copy)
        engine = config.engine.model_copy(update={"state": state})
        planned = config.model_copy(update={"engine": engine})
        _, found = asyncio.run(_once(planned, options, plan=True))
    if options.as_json:
        click.echo(json.dumps({"mirrors": report.mirrors_json(found), "failures": report.failures_json(found)}))
    else:
        _print_plan(found)
    code = report.exit_code(found)
    return ExitCode.OK if code in (ExitCode.DRAINED, ExitCode.FAILURES) else code


def _prepare(config_file: Path | None, options: Options) -> Config:
    config = settings.load(config_file, with_secrets=True)
    if options.mirror is not None:
        config.mirror(options.mirror)
    for secret in config.secrets():
        hide_secret(secret)
    handler = setup_logging(config.engine.log_file, sys.stderr.isatty(), int(options.verbose), options.quiet)
    if terminal_can_draw():
        handler.addFilter(ClearsLine())
    return config


async def _once(config: Config, options: Options, *, plan: bool = False) -> tuple[Result, Report]:
    choice = Choice(options.mirror, options.product)
    result = await _run(Engine(config, once=True, choice=choice, plan=plan), show=not options.quiet)
    async with await Database.open_reader(config.engine.state) as db:
        return result, await report.gather(db, time.time(), options.mirror, options.product)


async def _run(engine: Engine, *, show: bool = True) -> Result:
    loop = asyncio.get_running_loop()
    for number, code in SIGNALS.items():
        loop.add_signal_handler(number, engine.stop, code)
    drawing = None
    if show and terminal_can_draw():
        drawing = asyncio.create_task(ProgressLine(engine.totals).run())
    try:
        return await engine.run()
    finally:
        if drawing is not None:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing


def _work_left(found: Report) -> bool:
    return any(one.backlog_filesets for mirror in found.mirrors for one in mirror.products if one.selected)


def _backlog(product: ProductStatus) -> str:
    return (
        f"{counted(product.backlog_filesets, 'fileset')}, {counted(product.backlog_files, 'file')}, "
        f"{format_bytes(product.backlog_bytes)}"
    )


def _json(result: Result, found: Report, code: ExitCode) -> dict[str, object]:
    return {
        "exit_code": int(code),
        "started": format_time(result.started),
        "elapsed_seconds": round(result.elapsed, 3),
        "files": result.files,
        "bytes": result.bytes,
        "mirrors": report.mirrors_json(found),
        "failures": report.failures_json(found),
    }


def _print_summary(result: Result, found: Report) -> None:
    click.echo(
        f"published {counted(result.filesets, 'fileset')}; "
        f"fetched {counted(result.files, 'file')}, {format_bytes(result.bytes)} "
        f"in {format_duration(result.elapsed)}"
    )
    for mirror in found.mirrors:
        problem = report.mirror_error(mirror)
        if problem:
            click.echo(f"{mirror.name}: {display(problem)}")
        for product in mirror.products:
            if product.selected and product.backlog_filesets:
                click.echo(f"{mirror.name}/{display(product.name)}: {_backlog(product)} not published yet")
    for line in watch.failure_lines(found):
        click.echo(line)


def _print_plan(found: Report) -> None:
    for mirror in found.mirrors:
        problem = report.mirror_error(mirror)
        if problem:
            click.echo(f"{mirror.name}: {display(problem)}")
        for product in mirror.products:
            if product.selected:
                click.echo(f"{mirror.name}/{display(product.name)}: {_backlog(product)} to fetch")
    for line in watch.failure_lines(found):
        click.echo(line)
