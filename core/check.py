"""Finding out whether a configured mirror can work: its destination, its source, and what would be mirrored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum

from core.config import Mirror, matches
from core.destinations.outlook import attempt, outlook
from core.engine.mirrors import source_options
from core.errors import ExitCode, SourceError
from core.model import ListedFileset, Rejection
from core.sources import open_source
from core.sources.base import Source
from core.text import display
from core.units import Space, counted, format_room


class Verdict(StrEnum):
    """What a finding means; the values are the signs it is shown by."""

    GOOD = "+"
    ASIDE = "-"
    BAD = "!"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found out, in words fit for a screen, and the exit code that it amounts to."""

    verdict: Verdict
    words: str
    code: ExitCode = ExitCode.OK


async def examine(mirror: Mirror, min_free: Space) -> AsyncGenerator[Finding, None]:
    """Yield what is found out about a mirror, as it comes; close the iterator if it is left early.

    Of the disk of its destination `min_free` is to be kept free.
    """
    async for finding in _examine_destination(mirror, min_free):
        yield finding
    source = open_source(mirror.protocol, source_options(mirror))
    try:
        listed: list[str] = []
        async for finding in _examine_root(mirror, source, listed):
            yield finding
        wanted = [name for name in listed if mirror.choice.selects(name)]
        for name in dict.fromkeys([*wanted, *mirror.choice.named, *mirror.hidden_products]):
            yield await _examine_product(mirror, source, name)
    finally:
        await source.close()


async def _examine_destination(mirror: Mirror, min_free: Space) -> AsyncGenerator[Finding, None]:
    found = await asyncio.to_thread(outlook, mirror.destination)
    if not found.writable:
        there = await asyncio.to_thread(found.writable_at.exists)
        words = "not writable for this user; change its owner" if there else "is not there; mount its disk, or make it"
        words = f"{display(found.writable_at)}: {words}, or choose another destination"
        yield Finding(Verdict.BAD, words, ExitCode.DISK)
        return
    try:
        await asyncio.to_thread(attempt, mirror.destination)
    except OSError as error:
        words = f"{display(mirror.destination)}: can't be written to: {error.strerror}; choose another destination"
        yield Finding(Verdict.BAD, words, ExitCode.DISK)
    if found.free is not None and found.total and found.free <= (spare := min_free.of(found.total)):
        room = format_room(found.free, spare)
        words = f"{display(mirror.destination)}: no room: {room}; free some space, or choose another destination"
        yield Finding(Verdict.BAD, words, ExitCode.DISK)


async def _examine_root(mirror: Mirror, source: Source, listed: list[str]) -> AsyncGenerator[Finding, None]:
    """Add the names of all products to `listed`, and yield what is to be said of those that aren't mirrored."""
    try:
        with await source.products() as products:
            for batch in products.batches():
                for row in batch:
                    if isinstance(row, Rejection):
                        words = f"root index, line {row.line}: {row.name}: {row.reason}"
                        yield Finding(Verdict.BAD, words, ExitCode.FAILURES)
                        continue
                    listed.append(row.name)
                    if not mirror.choice.selects(row.name):
                        yield Finding(Verdict.ASIDE, f"{display(row.name)}: available, not mirrored")
                await asyncio.sleep(0)
    except SourceError as error:
        yield Finding(Verdict.BAD, f"not listed: {display(error.detail)}", ExitCode.SOURCE)


async def _examine_product(mirror: Mirror, source: Source, name: str) -> Finding:
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
                await asyncio.sleep(0)
    except SourceError as error:
        return Finding(Verdict.BAD, f"{display(name)}: {display(error.detail)}", ExitCode.SOURCE)
    details = [counted(wanted, "fileset")]
    details += [f"{excluded:,} excluded"] if excluded else []
    details += [f"{counted(refused, 'row')} refused"] if refused else []
    words = f"{display(name)}: {', '.join(details)}"
    return Finding(Verdict.BAD, words, ExitCode.FAILURES) if refused else Finding(Verdict.GOOD, words)
