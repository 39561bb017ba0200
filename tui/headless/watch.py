"""`status` and `failures`: reading the state, also while an engine runs elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from core import report
from core.config import Config
from core.engine.lease import held, holder
from core.errors import ExitCode
from core.report import Limits, Report, Wishes
from core.store.database import Database
from core.store.queries import MirrorStatus, ProductStatus
from core.text import display
from core.units import counted, format_bytes, format_duration, format_rate, format_time
from tui import states
from tui.headless import settings
from tui.headless.output import reader_may_leave
from tui.headless.state_errors import state_errors_told


def status(config_file: Path | None, *, as_json: bool) -> ExitCode:
    """Print where every product stands."""
    config = settings.load(config_file, with_secrets=False)
    found = asyncio.run(_read(config))
    with reader_may_leave():
        if as_json:
            running = held(config.engine.state)
            told = {
                "engine": {"running": running, "holder": _holder(config), "phase": found.phase if running else None},
                "mirrors": report.mirrors_json(found),
                "wishes": report.wishes_json(found, config),
                "limits": report.limits_json(found),
                "rests": report.rests_json(found),
            }
            click.echo(json.dumps(told))
        else:
            _print_status(config, found)
    return ExitCode.OK


def failures(config_file: Path | None, *, as_json: bool) -> ExitCode:
    """Print what failed or is in quarantine."""
    config = settings.load(config_file, with_secrets=False)
    found = asyncio.run(_read(config))
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps({"failures": report.failures_json(found)}))
        else:
            for line in failure_lines(found):
                click.echo(line)
            if not found.failures:
                click.echo("nothing failed")
    return ExitCode.OK


def failure_lines(found: Report) -> Iterable[str]:
    """Yield each failure in two lines: what and where, then why and what comes next."""
    for one in found.failures:
        place = "/".join(display(part) for part in (one.mirror, one.product, one.fileset, one.file) if part)
        tries = "1 try" if one.attempts == 1 else f"{one.attempts} tries"
        if one.next_try is not None:
            then = f"next try {format_time(one.next_try)}"
        else:
            then = "set aside; `mirrortui retry` tries again" if one.quarantined else "is tried again"
        yield f"{one.kind:<15} {place}"
        yield f"{'':<15} {display(one.detail)} ({tries}, {then})"


async def _read(config: Config) -> Report:
    if not config.engine.state.exists():
        return Report((), ())
    with state_errors_told(config.engine.state):
        async with await Database.open_look(config.engine.state) as db:
            return await report.gather(db, time.time(), running=held(config.engine.state))


def _holder(config: Config) -> str | None:
    state = config.engine.state
    return holder(state.with_name(state.name + ".lock")) if held(state) else None


def _print_status(config: Config, found: Report) -> None:
    running = _holder(config)
    click.echo(f"engine: {running or 'not running'}")
    if words := limit_words(found.limits):
        click.echo(f"limits: {words}; `mirrortui limit` sets them back")
    for line in rest_lines(found):
        click.echo(line)
    wishes = {one.mirror: one for one in report.wishes(found, config)}
    for mirror in found.mirrors:
        configured = next((one for one in config.mirrors if one.name == mirror.name), None)
        _print_mirror(mirror, configured.lag_limit if configured else _unlimited)
        if mirror.name in wishes:
            _print_wishes(wishes[mirror.name])
    if not found.mirrors:
        click.echo(f"{config.engine.state}: no state yet; `mirrortui --once` or `mirrortui run` begins to mirror")
    if found.failures:
        click.echo(f"\n{counted(len(found.failures), 'failure')}; `mirrortui failures` lists them")


def _unlimited(_: str) -> None:
    """Let a product lag as it will."""


def _print_mirror(mirror: MirrorStatus, lag_limit: Callable[[str], float | None]) -> None:
    polled = format_time(mirror.polled_at) if mirror.polled_at else "never"
    click.echo(f"\n{mirror.name}  {display(mirror.url)} -> {display(mirror.destination)}  polled {polled}")
    for problem in (mirror.paused and f"paused {mirror.paused}", mirror.stopped and f"stopped: {mirror.stopped}"):
        if problem:
            click.echo(f"  ! {display(problem)}")
    if mirror.error:
        click.echo(f"  ! not listed: {display(mirror.error)}")
    rows = [_row(product, mirror, lag_limit(product.name)) for product in mirror.products if product.selected]
    troubles = states.TROUBLES.values()
    _print_table(("product", "state", "lag", "published", "queued", *troubles, "aside", "backlog", "polled"), rows)
    others = [display(product.name) for product in mirror.products if not (product.selected or product.wish)]
    if others:
        click.echo(f"  available, not mirrored: {', '.join(others)}")
    for product in mirror.products:
        if product.selected and (product.error or product.alarm):
            click.echo(f"  ! {display(product.name)}: {display(product.error or product.alarm)}")


def rest_lines(found: Report) -> Iterable[str]:
    """Yield which hosts are left alone, until when, and why."""
    for host, until, reason in found.rests:
        yield f"{display(host)} is left alone until {format_time(until)}: {display(reason)}"


def limit_words(limits: Limits) -> str:
    """Return what operators have limited, in words; empty if nothing."""
    bandwidth = format_rate(limits.bandwidth) if limits.bandwidth else "unlimited"
    words = [f"{limits.transfers} transfers"] if limits.transfers is not None else []
    return ", ".join(words + ([f"bandwidth {bandwidth}"] if limits.bandwidth is not None else []))


def _print_wishes(wishes: Wishes) -> None:
    for mirrored, words in ((True, "mirrored"), (False, "not mirrored")):
        names = [display(name) for name, wish in wishes.products.items() if wish is mirrored]
        if names:
            click.echo(f"  {words} by an operator's wish: {', '.join(names)}")
    click.echo(f"  to make that permanent: {display(wishes.permanent)}")


def _row(product: ProductStatus, mirror: MirrorStatus, limit: float | None) -> tuple[str, ...]:
    counts = product.counts
    aside = counts["held"] + counts["cancelled"]
    backlog = (
        f"{counted(product.backlog_files, 'file')}, {format_bytes(product.backlog_bytes)}"
        if product.backlog_files
        else "-"
    )
    return (
        display(product.name),
        states.of_product(product, mirror, limit),
        "?" if product.lag is None else format_duration(product.lag) if product.lag else "-",
        str(counts["published"]),
        str(counts["queued"]),
        str(counts["failed"]),
        str(counts["quarantined"]),
        str(aside),
        backlog,
        format_time(product.polled_at) if product.polled_at else "never",
    )


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
