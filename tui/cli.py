"""The command line. Each command imports what it needs when it runs: a headless one never imports a screen."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from core.errors import ExitCode
from tui.cli_wishes import WISHES
from tui.environment import demand_utf8, open_closed, print_anything
from tui.headless.output import flush_all, say
from tui.signals import EndedEarly, end_at_once, pass_over
from tui.trouble import told

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _json_option(command: FunctionT) -> FunctionT:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--once", is_flag=True, help="Bring everything up to date, then end; for cron.")
@click.option("--mirror", help="With --once: only this mirror.")
@click.option("--product", metavar="GLOB", help="With --once: only products that match.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object.")
@click.option("--quiet", is_flag=True, help="With --once: print nothing but warnings and errors.")
@click.option("--dry-run", is_flag=True, help="With --once: list what would be fetched, and fetch nothing.")
@click.option("--read-only", is_flag=True, help="Dashboard: look, and change nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.version_option(package_name="mirrortui", prog_name="mirrortui")
@click.pass_context
def cli(
    context: click.Context,
    config_file: Path | None,
    once: bool,
    mirror: str | None,
    product: str | None,
    as_json: bool,
    quiet: bool,
    dry_run: bool,
    read_only: bool,
    verbose: bool,
) -> None:
    """The control room of a scientific data mirror.

    Without a command: the dashboard. For scripts: --once, and the commands below.
    """
    demand_utf8()
    context.obj = config_file
    chosen = {"--mirror": mirror, "--product": product, "--json": as_json, "--quiet": quiet, "--dry-run": dry_run}
    if context.invoked_subcommand is not None or not once:
        misplaced = [name for name, value in chosen.items() if value] + (["--once"] if once else [])
        if misplaced:
            raise click.UsageError(f"{misplaced[0]} belongs to --once; commands have options of their own")
        if context.invoked_subcommand is None:
            context.exit(_dashboard(config_file, read_only))
        return
    from tui.headless import work

    options = work.Options(mirror=mirror, product=product, as_json=as_json, quiet=quiet, verbose=verbose)
    runner = work.dry_run if dry_run else work.once
    context.exit(runner(config_file, options))


def _dashboard(config_file: Path | None, read_only: bool) -> ExitCode:
    if not _on_terminal():
        raise click.UsageError("the dashboard needs a terminal; without one use --once, run, status or failures")
    from core.config.loading import nothing_configured

    if nothing_configured(config_file) and not read_only:
        from tui.welcome import app as welcome

        config_file = welcome.run()
        if config_file is None:
            return ExitCode.OK
    return _shown(config_file, read_only=read_only, part=say)


def _on_terminal() -> bool:
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))  # it is drawn on the last


def _shown(config_file: Path | None, *, read_only: bool = False, part: Callable[[str], None] | None = None) -> ExitCode:
    from tui import app

    return app.run(config_file, read_only=read_only, part=part)


@cli.command()
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.option("--while-watched", is_flag=True, hidden=True)  # how a dashboard starts an engine
@click.pass_context
def run(context: click.Context, verbose: bool, while_watched: bool) -> None:
    """Run the engine without a screen, until it is told to stop."""
    from tui.headless import work

    context.exit(work.serve(context.obj, verbose=verbose, while_watched=while_watched))


@cli.command()
@_json_option
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show where every product stands; also while an engine runs elsewhere."""
    from tui.headless import watch

    context.exit(watch.status(context.obj, as_json=as_json))


@cli.command()
@_json_option
@click.pass_context
def failures(context: click.Context, as_json: bool) -> None:
    """Show what failed or is in quarantine: what, where, why, how often, when next."""
    from tui.headless import watch

    context.exit(watch.failures(context.obj, as_json=as_json))


@cli.command()
@click.argument("filesets", metavar="[FILESET]...", nargs=-1)
@click.option("--mirror", help="Only this mirror.")
@click.option("--product", metavar="GLOB", help="Only products that match.")
@click.option(
    "--sample", metavar="SHARE", help='Only so much of it, such as "5%": what was not read for the longest time.'
)
@click.option("--repair", is_flag=True, help="Fetch again what is damaged.")
@click.option("--rate-limit", metavar="RATE", help='Read no faster than, such as "50 MB/s".')
@_json_option
@click.option("--quiet", is_flag=True, help="Print nothing if all is well.")
@click.pass_context
def verify(
    context: click.Context,
    filesets: tuple[str, ...],
    mirror: str | None,
    product: str | None,
    sample: str | None,
    repair: bool,
    rate_limit: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read again what is published, and compare it with the digests it came with.

    The engine that runs does it, or one that is started for this alone. Exit code 0: all is right, or right again.
    """
    from core.store.commands import Target
    from core.store.verification import Wish
    from core.units import parse_rate, parse_share
    from tui.headless import verify as verifying

    try:
        share, rate = parse_share(sample) if sample else 1.0, parse_rate(rate_limit) if rate_limit else 0
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    target = Target(filesets=filesets, mirror=mirror, product=product)
    wish = Wish(share=share, rate=rate, repair=repair)
    context.exit(verifying.verify(context.obj, target, wish, as_json=as_json, quiet=quiet))


@cli.command()
@click.option("--mirror", help="Only this mirror; the others are listed anew by the next run.")
@click.option("--trust-index", is_flag=True, help="Compare sizes alone: quick, and blind to changed bytes.")
@_json_option
@click.option("--quiet", is_flag=True, help="Print nothing but what was left out.")
@click.pass_context
def rebuild(context: click.Context, mirror: str | None, trust_index: bool, as_json: bool, quiet: bool) -> None:
    """Make a new state file from the published trees, in place of one that is lost or broken.

    A broken one is moved aside; one that is sound is refused. What is not right in a tree is left out, and told: the
    next run adopts or fetches it. What operators had set is gone with the old state.
    """
    from tui.headless import rebuild as command

    context.exit(command.rebuild(context.obj, mirror, trust_index=trust_index, as_json=as_json, quiet=quiet))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.pass_context
def backup(context: click.Context, file: Path, force: bool) -> None:
    """Copy the state file to FILE, also while an engine runs.

    A folder gets a file of its own for each copy. To restore one: end the engine, move the state file away, with its
    -wal and -shm, and copy FILE to its place.
    """
    from tui.headless import backup as command

    context.exit(command.backup(context.obj, file, overwrite=force))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_context
def init(context: click.Context, file: Path | None) -> None:
    """Write a commented configuration; never over an existing file.

    It is written to FILE, else to what --config names, else to mirrortui.toml in this folder.
    """
    from tui.headless import prepare

    context.exit(prepare.init(file or context.obj or Path("mirrortui.toml")))


@cli.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Validate the configuration, try each source, and say what would be mirrored."""
    from tui.headless import prepare

    context.exit(prepare.check(context.obj))


@cli.command()
@click.option("--once", is_flag=True, help="Mirror what is there, then end.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to mirror to (default: a temporary folder).")
@click.option("--headless", is_flag=True, help="Show the log instead of the dashboard.")
@click.pass_context
def demo(context: click.Context, once: bool, folder: Path | None, headless: bool) -> None:
    """Serve an embedded Data Store with synthetic data that keeps growing, mirror it, and show the dashboard."""
    from tui.headless import demonstrate

    screen = None if once or headless or not _on_terminal() else _shown
    context.exit(demonstrate.run(once=once, folder=folder, dashboard=screen))


for one in WISHES:
    cli.add_command(one)


def main() -> None:
    """Run the command line; every error that an operator can act on is one clear message and an exit code."""
    open_closed()
    print_anything()
    os.umask(os.umask(0o077) & 0o077)  # what it takes from the owner would be taken from us
    end_at_once()
    begun = time.time()
    try:
        sys.exit(cli.main(prog_name="mirrortui", standalone_mode=False))
    except EndedEarly as end:
        sys.exit(_end(end.exit_code, "ended by a signal before the work began", begun))
    except click.UsageError as error:
        error.show()
        sys.exit(_end(ExitCode.USAGE, error.format_message(), begun))
    except Exception as error:
        code, message = told(error)
        if code is ExitCode.INTERNAL:
            logging.getLogger("mirrortui").exception("internal error")
        click.echo(f"mirrortui: {message}", err=True)
        sys.exit(_end(code, message, begun))
    finally:
        pass_over()
        flush_all()


def _end(code: ExitCode, message: str, begun: float) -> ExitCode:
    """Return the exit code of a command that failed, which is told as the JSON object that was asked for, too."""
    if "--json" in sys.argv:
        from tui.headless import work

        once = "--once" in sys.argv
        say(json.dumps(work.failed(code, message, begun) if once else {"exit_code": int(code), "error": message}))
    return code
