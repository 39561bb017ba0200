"""`rebuild`: a new state file, made from what is published."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click

from core.engine.entering import MirrorRebuilt
from core.engine.rebuilding import Rebuilding, Rebuilt
from core.engine.standing import Omission
from core.errors import ExitCode
from core.text import display
from core.units import counted, format_bytes
from tui.headless import settings
from tui.headless.output import reader_may_leave
from tui.headless.state_errors import state_errors_told
from tui.headless.stoppable import stoppable

LONGEST = 1000
"""Characters of a line that tells what was left out: a path of three names, and the reason."""


def rebuild(config_file: Path | None, mirror: str | None, *, trust_index: bool, as_json: bool, quiet: bool) -> ExitCode:
    """Make a new state file from the published trees; say what was found, and what was left out and why."""
    rebuilt = _rebuild(config_file, mirror, trust_index=trust_index, show=not quiet)
    code = ExitCode.OK if rebuilt.whole else ExitCode.FAILURES
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps(_json(rebuilt, code)))
        else:
            _print(rebuilt, quiet=quiet)
    return code


def _rebuild(config_file: Path | None, mirror: str | None, *, trust_index: bool, show: bool) -> Rebuilt:
    config = settings.load(config_file, with_secrets=False)
    work = Rebuilding(config, mirror=mirror, by_size=trust_index)

    def line() -> str:
        done = work.reading
        return (
            f"{display(done.place, 60)}: {done.filesets:,} of {done.expected:,} filesets; "
            f"{counted(done.files, 'file')}, {format_bytes(done.bytes)} read"
        )

    async def run() -> Rebuilt:
        return await stoppable(work.run(), work.stop, line, show=show)

    with state_errors_told(config.engine.state):
        return asyncio.run(run())


def _json(rebuilt: Rebuilt, code: ExitCode) -> dict[str, object]:
    return {
        "exit_code": int(code),
        "error": None,
        "state": display(rebuilt.state, LONGEST),
        "moved_aside": None if rebuilt.aside is None else display(rebuilt.aside, LONGEST),
        "fault": None if rebuilt.fault is None else display(rebuilt.fault),
        "proven_by": _proof(rebuilt),
        "elapsed_seconds": round(rebuilt.elapsed, 3),
        "mirrors": [
            {
                "name": mirror.name,
                "products": mirror.products,
                "filesets": mirror.filesets,
                "files": mirror.files,
                "bytes": mirror.bytes,
                "left_out": [_shown(one) for one in mirror.omissions.told],
                "left_out_count": mirror.omissions.count,
            }
            for mirror in rebuilt.mirrors
        ],
    }


def _proof(rebuilt: Rebuilt) -> str:
    return "size alone" if rebuilt.by_size else "size and digest"


def _entered(mirror: MirrorRebuilt) -> str:
    return (
        f"{counted(mirror.filesets, 'fileset')} of {counted(mirror.products, 'product')}, "
        f"{counted(mirror.files, 'file')}, {format_bytes(mirror.bytes)}"
    )


def _shown(one: Omission) -> dict[str, str | None]:
    return {key: None if value is None else display(value, LONGEST) for key, value in asdict(one).items()}


def _print(rebuilt: Rebuilt, *, quiet: bool) -> None:
    """Print what was left out, which goes to stderr; and, unless `quiet`, what was entered."""
    for mirror in rebuilt.mirrors:
        _print_omissions(mirror)
        if not quiet:
            click.echo(f"{mirror.name}: {_entered(mirror)}, proven by {_proof(rebuilt)}")
    if quiet:
        return
    if rebuilt.aside is not None:
        why = f" ({display(rebuilt.fault)})" if rebuilt.fault else ""
        click.echo(f"the old state file{why} was moved to {display(rebuilt.aside)}")
    rest = (
        "" if rebuilt.whole else "; the next run compares what was left out with the source, and adopts or fetches it"
    )
    click.echo(f"wrote {display(rebuilt.state)}{rest}")


def _print_omissions(mirror: MirrorRebuilt) -> None:
    for one in mirror.omissions.told:
        place = "/".join(part for part in (mirror.name, one.product, one.fileset, one.file) if part)
        click.echo(f"{display(f'{place}: {one.reason}', LONGEST)}; left out", err=True)
    if more := mirror.omissions.count - len(mirror.omissions.told):
        click.echo(f"{mirror.name}: {more:,} more were left out", err=True)
