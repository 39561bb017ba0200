"""`--once` and `run`: an engine without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop

from core import report
from core.config import Config, exposed_secret, find_config
from core.descriptors import allow_enough
from core.engine.context import Choice
from core.engine.engine import Engine, Result
from core.errors import ExitCode
from core.logs import hide_secrets, setup_logging
from core.report import Report
from core.store.database import Database
from core.store.queries import MirrorStatus, ProductStatus
from core.text import display
from core.units import counted, format_bytes, format_duration, format_time
from tui.headless import settings, watch
from tui.headless.output import reader_may_leave
from tui.headless.parting import part
from tui.headless.progress import ClearsLine, ProgressLine, terminal_can_draw
from tui.headless.scratch import copy_of
from tui.headless.state_errors import state_errors_told
from tui.signals import heed, pass_over

log = logging.getLogger(__name__)

T = TypeVar("T")

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while others wait: the event loop has to have its turn soon."""
GARBAGE_THRESHOLDS = (20_000, 20, 20)
LOOKUP_THREADS = 256
"""Threads of libuv, which serve nothing but lookups of names here, and those with half of them: 128 lookups that wait
for a resolver that says nothing hold up no other. A thread costs about 10 kB."""


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
    config = prepare(config_file, options)
    with state_errors_told(config.engine.state):
        result, found = run_in_loop(_once(config, options))
    code = result.stopped_by or report.exit_code(found)
    if result.unfinished and code is ExitCode.OK:
        code = ExitCode.DRAINED
    with reader_may_leave():
        if options.as_json:
            click.echo(json.dumps(_json(result, found, code)))
        elif not options.quiet:
            _print_summary(result, found)
    return code


def serve(config_file: Path | None, *, verbose: bool, while_watched: bool = False) -> ExitCode:
    """Run the engine until it is told to stop; with `while_watched`, at most until nobody watches and it is done.

    The latter is how a dashboard starts an engine, see tui.attach.
    """
    config = prepare(config_file, Options(verbose=verbose))
    engine = Engine(config, once=False, starter=os.getppid() if while_watched else None)
    work = _run_apart(engine, config.engine.log_file) if while_watched else run_engine(engine)
    with state_errors_told(config.engine.state):
        result = run_in_loop(work)
    return result.stopped_by or ExitCode.OK


def dry_run(config_file: Path | None, options: Options) -> ExitCode:
    """Find out, on a copy of the state, what there is to fetch; print it."""
    config = prepare(config_file, options)
    result, found = _plan(config, options)
    code = report.exit_code(found)
    if code in (ExitCode.DRAINED, ExitCode.FAILURES):
        code = ExitCode.OK
    with reader_may_leave():
        if options.as_json:
            click.echo(json.dumps(_json(result, found, code)))
        else:
            _print_plan(found)
    return code


def prepare(config_file: Path | None, options: Options) -> Config:
    """Make ready for an engine; return the configuration with its secrets.

    That is: allow enough open files, take on the umask that the configuration sets, and begin to log, without secrets.
    Raises ConfigError, and DiskError if too few files may be open.
    """
    allow_enough()
    path = find_config(config_file)
    config = settings.load(path, with_secrets=True)
    if options.mirror is not None:
        config.mirror(options.mirror)
    if config.engine.umask is not None:
        os.umask(config.engine.umask)
    hide_secrets(config.secrets())
    handler = setup_logging(config.engine.log_file, sys.stderr.isatty(), int(options.verbose), options.quiet)
    if terminal_can_draw():
        handler.addFilter(ClearsLine())
    if warning := exposed_secret(path, config):
        log.warning(warning)
    return config


def _plan(config: Config, options: Options) -> tuple[Result, Report]:
    with copy_of(config.engine.state) as copy:
        engine = config.engine.model_copy(update={"state": copy})
        return run_in_loop(_once(config.model_copy(update={"engine": engine}), options, plan=True))


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the fastest event loop there is, in an interpreter set up for a few busy threads."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what was imported stays: there is no use in looking for garbage in it, again and again
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    os.environ["UV_THREADPOOL_SIZE"] = str(LOOKUP_THREADS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        pass_over()


async def _once(config: Config, options: Options, *, plan: bool = False) -> tuple[Result, Report]:
    choice = Choice(options.mirror, options.product)
    result = await run_engine(Engine(config, once=True, choice=choice, plan=plan), show=not options.quiet)
    async with await Database.open_look(config.engine.state) as db:
        return result, await report.gather(db, time.time(), options.mirror, options.product)


async def run_engine(engine: Engine, *, show: bool = True) -> Result:
    """Run an engine, which signals stop; with `show` and a terminal draw how far it has come."""
    heed(asyncio.get_running_loop(), engine.stop)
    drawing = None
    if show and terminal_can_draw():
        drawing = asyncio.create_task(ProgressLine(engine.totals).run())
    try:
        return await engine.run()
    finally:
        pass_over(asyncio.get_running_loop())
        if drawing is not None:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing


async def _run_apart(engine: Engine, log_file: Path) -> Result:
    parting = asyncio.create_task(part(engine, log_file))
    try:
        return await run_engine(engine, show=False)
    finally:
        parting.cancel()


def _backlog(product: ProductStatus) -> str:
    return (
        f"{counted(product.backlog_filesets, 'fileset')}, {counted(product.backlog_files, 'file')}, "
        f"{format_bytes(product.backlog_bytes)}"
    )


def failed(code: ExitCode, error: str, started: float) -> dict[str, object]:
    """Return the JSON object of a run that began then, and did nothing but fail."""
    result = Result(started, time.time() - started, files=0, bytes=0, filesets=0, stopped_by=None, unfinished=True)
    return _json(result, Report((), ()), code, error)


def _json(result: Result, found: Report, code: ExitCode, error: str | None = None) -> dict[str, object]:
    return {
        "exit_code": int(code),
        "error": error,
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
    for words in result.moves:
        click.echo(words)
    for mirror in found.mirrors:
        _print_problems(mirror)
        for product in mirror.products:
            if product.selected and product.backlog_filesets:
                click.echo(f"{mirror.name}/{display(product.name)}: {_backlog(product)} not published yet")
    for line in watch.rest_lines(found):
        click.echo(line)
    for line in watch.failure_lines(found):
        click.echo(line)


def _print_problems(mirror: MirrorStatus) -> None:
    for product, words in report.problems(mirror):
        place = f"{mirror.name}/{product}" if product else mirror.name
        click.echo(f"{place}: {display(words)}")


def _print_plan(found: Report) -> None:
    for mirror in found.mirrors:
        _print_problems(mirror)
        for product in mirror.products:
            if product.selected:
                click.echo(f"{mirror.name}/{display(product.name)}: {_backlog(product)} to fetch")
    for line in watch.failure_lines(found):
        click.echo(line)
