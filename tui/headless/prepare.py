"""`init` and `check`: getting a configuration, and finding out whether it works."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from core.config import Config, Mirror, find_config, matches
from core.config.template import write_template
from core.engine.mirrors import source_options
from core.errors import ExitCode, SourceError
from core.logs import hide_secret, setup_logging
from core.model import ListedFileset, ListedProduct, Rejection
from core.sources import open_source
from core.sources.base import Source
from core.text import display
from tui.headless import settings

WORST_FIRST = (ExitCode.SOURCE, ExitCode.DISK, ExitCode.FAILURES)


def init(file: Path) -> ExitCode:
    """Write a commented configuration to `file`. Raises ConfigError if there is one already."""
    write_template(file)
    click.echo(f"wrote {file}: set url and destination of the mirror in it, then run `mirrortui check`")
    return ExitCode.OK


def check(config_file: Path | None) -> ExitCode:
    """Validate the configuration, try each source and destination, and say what would be mirrored."""
    path = find_config(config_file)
    config = settings.load(path, with_secrets=True)
    for secret in config.secrets():
        hide_secret(secret)
    setup_logging(None, terminal=True, quiet=True)
    click.echo(f"{path}: valid")
    codes = asyncio.run(_check(config))
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


async def _check(config: Config) -> set[ExitCode]:
    return {await _check_mirror(mirror) for mirror in config.mirrors}


async def _check_mirror(mirror: Mirror) -> ExitCode:
    click.echo(f"\n{mirror.name}  {mirror.url} -> {mirror.destination}")
    folder = mirror.destination if mirror.destination.exists() else mirror.destination.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        click.echo(f"  ! {folder}: not writable for this user; change its owner, or choose another destination")
        return ExitCode.DISK
    source = open_source(mirror.protocol, source_options(mirror))
    try:
        return await _check_source(mirror, source)
    finally:
        await source.close()


async def _check_source(mirror: Mirror, source: Source) -> ExitCode:
    code = ExitCode.OK
    listed: list[str] = []
    try:
        with await source.products() as products:
            for batch in products.batches():
                for row in batch:
                    code = _show_product(mirror, row, listed) or code
    except SourceError as error:
        click.echo(f"  ! not listed: {display(error.detail)}")
        code = ExitCode.SOURCE
    named = [name for name in mirror.products if not set(name) & set("*?[")]
    wanted = [name for name in listed if matches(name, mirror.products)]
    for name in dict.fromkeys([*wanted, *named, *mirror.hidden_products]):
        code = await _check_product(mirror, source, name) or code
    return code


def _show_product(mirror: Mirror, row: ListedProduct | Rejection, listed: list[str]) -> ExitCode | None:
    if isinstance(row, Rejection):
        click.echo(f"  ! root index, line {row.line}: {row.name}: {row.reason}")
        return ExitCode.FAILURES
    listed.append(row.name)
    if not matches(row.name, mirror.products) and row.name not in mirror.hidden_products:
        click.echo(f"  - {display(row.name)}: available, not mirrored")
    return None


async def _check_product(mirror: Mirror, source: Source, name: str) -> ExitCode | None:
    wanted = excluded = refused = 0
    try:
        with await source.filesets(name, ()) as filesets:
            for batch in filesets.batches():
                for row in batch:
                    if not isinstance(row, ListedFileset):
                        refused += 1
                    elif matches(row.name, mirror.filesets, mirror.exclude_filesets):
                        wanted += 1
                    else:
                        excluded += 1
    except SourceError as error:
        click.echo(f"  ! {display(name)}: {display(error.detail)}")
        return ExitCode.SOURCE
    details = [f"{wanted} filesets"]
    details += [f"{excluded} excluded"] if excluded else []
    details += [f"{refused} rows refused"] if refused else []
    click.echo(f"  + {display(name)}: {', '.join(details)}")
    return ExitCode.FAILURES if refused else None
