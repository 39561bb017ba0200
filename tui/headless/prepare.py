"""`init` and `check`: getting a configuration, and finding out whether it works."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.check import examine
from core.config import Config, exposed_secret, find_config
from core.config.template import write_template
from core.errors import ExitCode
from core.logs import hide_secrets, setup_logging
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
    hide_secrets(config.secrets())
    setup_logging(None, terminal=True, quiet=True)
    say(f"{path}: valid")
    if warning := exposed_secret(path, config):
        say(f"! {warning}")
    codes = asyncio.run(_check(config))
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


async def _check(config: Config) -> set[ExitCode]:
    """Return what each problem that was found amounts to."""
    codes: set[ExitCode] = set()
    for mirror in config.mirrors:
        say(f"\n{mirror.name}  {mirror.url} -> {mirror.destination}")
        async for finding in examine(mirror, config.engine.min_free):
            say(f"  {finding.verdict} {finding.words}")
            codes.add(finding.code)
    return codes
