"""`init` and `check`: getting a configuration, and finding out whether it works."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from core.config import Config, Mirror, find_config, matches
from core.config.template import write_template
from core.engine.mirrors import source_options
from core.errors import ExitCode, SourceError
from core.logs import hide_secret, setup_logging
from core.model import ListedFileset, ListedProduct, Rejection
from core.sources import open_source
from core.sources.base import Source
from core.text import display
from core.units import counted
from tui.headless import settings
from tui.headless.output import say

WORST_FIRST = (ExitCode.SOURCE, ExitCode.DISK, ExitCode.FAILURES)


def init(file: Path) -> ExitCode:
    """Write a commented configuration to `file`. Raises ConfigError if there is one already."""
    write_template(file)
    say(f"wrote {file}: set url and destination of the mirror in it, then run `mirrortui check`")
    return ExitCode.OK


def check(config_file: Path | None) -> ExitCode:
    """Validate the configuration, try each source and destination, and say what would be mirrored."""
    path = find_config(config_file)
    config = settings.load(path, with_secrets=True)
    for secret in config.secrets():
        hide_secret(secret)
    setup_logging(None, terminal=True, quiet=True)
    say(f"{path}: valid")
    codes = asyncio.run(_check(config))
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


async def _check(config: Config) -> set[ExitCode]:
    """Return what each problem that was found amounts to."""
    codes: set[ExitCode] = set()
    for mirror in config.mirrors:
        say(f"\n{mirror.name}  {mirror.url} -> {mirror.destination}")
        codes |= _check_destination(mirror) | await _check_mirror(mirror)
    return codes


def _check_destination(mirror: Mirror) -> set[ExitCode]:
    folder = mirror.destination if mirror.destination.exists() else mirror.destination.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return set()
    say(f"  ! {folder}: not writable for this user; change its owner, or choose another destination")
    return {ExitCode.DISK}


async def _check_mirror(mirror: Mirror) -> set[ExitCode]:
    source = open_source(mirror.protocol, source_options(mirror))
    try:
        return await _check_source(mirror, source)
    finally:
        await source.close()


async def _check_source(mirror: Mirror, source: Source) -> set[ExitCode]:
    codes: set[ExitCode] = set()
    listed: list[str] = []
    try:
        with await source.products() as products:
            for batch in products.batches():
                for row in batch:
                    codes |= _show_product(mirror, row, listed)
    except SourceError as error:
        say(f"  ! not listed: {display(error.detail)}")
        codes.add(ExitCode.SOURCE)
    wanted = [name for name in listed if mirror.choice.selects(name)]
    for name in dict.fromkeys([*wanted, *mirror.choice.named, *mirror.hidden_products]):
        codes |= await _check_product(mirror, source, name)
    return codes


def _show_product(mirror: Mirror, row: ListedProduct | Rejection, listed: list[str]) -> set[ExitCode]:
    if isinstance(row, Rejection):
        say(f"  ! root index, line {row.line}: {row.name}: {row.reason}")
        return {ExitCode.FAILURES}
    listed.append(row.name)
    if not mirror.choice.selects(row.name):
        say(f"  - {display(row.name)}: available, not mirrored")
    return set()


async def _check_product(mirror: Mirror, source: Source, name: str) -> set[ExitCode]:
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
        say(f"  ! {display(name)}: {display(error.detail)}")
        return {ExitCode.SOURCE}
    details = [counted(wanted, "fileset")]
    details += [f"{excluded:,} excluded"] if excluded else []
    details += [f"{counted(refused, 'row')} refused"] if refused else []
    say(f"  + {display(name)}: {', '.join(details)}")
    return {ExitCode.FAILURES} if refused else set()
