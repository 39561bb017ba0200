"""The commands that are wishes to the engine: it carries them out when it reads them, see core.store.commands."""

from __future__ import annotations

from typing import Any

import click

from core.errors import ExitCode, FailureKind

filesets_argument = click.argument("filesets", metavar="FILESET...", nargs=-1, required=True)


@click.command()
@click.argument("filesets", metavar="[FILESET]...", nargs=-1)
@click.option("--product", metavar="GLOB", help="Of products that match.")
@click.option("--kind", type=click.Choice([str(kind) for kind in FailureKind]), help="What failed in this way.")
@click.option("--all", "everything", is_flag=True, help="Everything that failed.")
@click.pass_context
def retry(
    context: click.Context, filesets: tuple[str, ...], product: str | None, kind: str | None, everything: bool
) -> None:
    """Try again at once what failed or is in quarantine; of what is published and named, read the index again."""
    if not (filesets or product or kind or everything):
        raise click.UsageError("say what to retry: FILESET..., --product, --kind, or --all")
    context.exit(_send(context, "retry", filesets=filesets, product=product, of_kind=kind))


@click.command()
@filesets_argument
@click.pass_context
def hold(context: click.Context, filesets: tuple[str, ...]) -> None:
    """Stop filesets until they are released."""
    _on_filesets(context, "hold", filesets)


@click.command()
@filesets_argument
@click.pass_context
def release(context: click.Context, filesets: tuple[str, ...]) -> None:
    """Let held filesets go on."""
    _on_filesets(context, "release", filesets)


@click.command()
@filesets_argument
@click.pass_context
def cancel(context: click.Context, filesets: tuple[str, ...]) -> None:
    """Give filesets up; what was fetched of them is dropped."""
    _on_filesets(context, "cancel", filesets)


@click.command()
@filesets_argument
@click.pass_context
def requeue(context: click.Context, filesets: tuple[str, ...]) -> None:
    """Want cancelled filesets after all."""
    _on_filesets(context, "requeue", filesets)


@click.command()
@click.option("--mirror", help="Only this mirror.")
@click.option("--product", metavar="GLOB", help="Only products that match.")
@click.pass_context
def pause(context: click.Context, mirror: str | None, product: str | None) -> None:
    """Begin nothing new, and stop what is under way, until resumed.

    Without --product: whole mirrors. A product that is paused by --product stays so until it is resumed the same way.
    """
    context.exit(_send(context, "pause", mirror=mirror, product=product))


@click.command()
@click.option("--mirror", help="Only this mirror.")
@click.option("--product", metavar="GLOB", help="Only products that match.")
@click.pass_context
def resume(context: click.Context, mirror: str | None, product: str | None) -> None:
    """Go on after a pause, or after a stop for a reason that has been mended.

    Without --product: whole mirrors; products that were paused by --product stay paused, and are named.
    """
    context.exit(_send(context, "resume", mirror=mirror, product=product))


@click.command()
@filesets_argument
@click.pass_context
def accept(context: click.Context, filesets: tuple[str, ...]) -> None:
    """Take what was seen of files in quarantine for what is wanted, against the catalogue, and fetch it again."""
    _on_filesets(context, "accept", filesets)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("value", metavar="PRIORITY")
@filesets_argument
@click.pass_context
def priority(context: click.Context, value: str, filesets: tuple[str, ...]) -> None:
    """Set the priority of filesets (7), or change it (+1, -1); from -100 to 100, the highest goes first."""
    _on_filesets(context, "priority", filesets, value)


@click.command()
@click.option("--mirror", help="Only this mirror.")
@click.option("--product", metavar="GLOB", help="Only products that match.")
@click.pass_context
def poll(context: click.Context, mirror: str | None, product: str | None) -> None:
    """Look at once whether the sources have something new."""
    context.exit(_send(context, "poll", mirror=mirror, product=product))


@click.command("mirror")
@click.argument("product")
@click.option("--mirror", help="Of this mirror, if several offer it.")
@click.pass_context
def mirror_product(context: click.Context, product: str, mirror: str | None) -> None:
    """Begin to mirror a product that the configuration leaves out."""
    context.exit(_send(context, "mirror", mirror=mirror, product=product))


@click.command()
@click.argument("product")
@click.option("--mirror", help="Of this mirror, if several offer it.")
@click.pass_context
def ignore(context: click.Context, product: str, mirror: str | None) -> None:
    """Mirror a product no more, whatever the configuration says; what is published stays."""
    context.exit(_send(context, "ignore", mirror=mirror, product=product))


@click.command()
@click.argument("limits", metavar="KEY=VALUE...", nargs=-1, required=True)
@click.pass_context
def limit(context: click.Context, limits: tuple[str, ...]) -> None:
    """Limit "transfers=8" or "bandwidth=50 MB/s", at once and until it is set back: "transfers=", "bandwidth="."""
    context.exit(max(_send(context, "limit", value=value) for value in limits))


@click.command()
@click.option("--now", is_flag=True, help="Do not finish what is under way; partial files are kept.")
@click.pass_context
def stop(context: click.Context, now: bool) -> None:
    """End the engine that runs, when the filesets under way are finished."""
    context.exit(_send(context, "stop", value="now" if now else "drain"))


def _on_filesets(context: click.Context, kind: str, filesets: tuple[str, ...], value: str | None = None) -> None:
    context.exit(_send(context, kind, filesets=filesets, value=value))


def _send(context: click.Context, kind: str, **wanted: Any) -> ExitCode:
    from tui.headless import wish

    return wish.send(context.obj, kind, **wanted)


WISHES: tuple[click.Command, ...] = (
    retry,
    hold,
    release,
    cancel,
    requeue,
    pause,
    resume,
    accept,
    priority,
    poll,
    mirror_product,
    ignore,
    limit,
    stop,
)
