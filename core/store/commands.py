"""The command table: operators' wishes on their way to the engine, and afterwards the audit log."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.model import CommandKind
from core.store.database import Database
from core.text import display

GLOBBING = frozenset("*?[")
"""A product with one of these characters is a pattern."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a command is about; empty fields mean: not restricted.

    `filesets` are names, each optionally preceded by ``product/`` or ``mirror/product/``; `product` is a glob, but for
    the commands that begin and end the mirroring of one product. `value` is what else a kind of command has to know.
    """

    filesets: tuple[str, ...] = ()
    mirror: str | None = None
    product: str | None = None
    kind: str | None = None
    value: str | None = None

    @property
    def place(self) -> tuple[str | None, str | None]:
        """The mirror and the product that all of it is about; None where that is not one, or not said."""
        whole = [name.split("/", 2) for name in self.filesets]
        if not whole or any(len(parts) < 3 for parts in whole):
            return self.mirror, None if GLOBBING & set(self.product or "") else self.product
        mirrors = {parts[0] for parts in whole}
        products = {parts[1] for parts in whole}
        if len(mirrors) > 1:
            return None, None
        return mirrors.pop(), products.pop() if len(products) == 1 else None


@dataclass(frozen=True, slots=True)
class Command:
    """A wish as it was written, and what became of it; one with a result was carried out, though not answered yet."""

    id: int
    kind: CommandKind | None
    """None: written by a newer version, which knows more commands, or more ways to name what they are about."""
    target: Target
    who: str
    at: float
    state: str
    result: str | None


async def append(db: Database, kind: CommandKind, target: Target, now: float) -> int:
    """Write a wish for the engine, with who asks for it from where; return its number."""
    async with db.transaction():
        return await db.insert(
            "INSERT INTO commands (kind, target, who, host, at) VALUES (?, ?, ?, ?, ?)",
            (kind, json.dumps(asdict(target)), operator(), f"{socket.gethostname()}:{os.getpid()}", now),
        )


async def new(db: Database) -> list[Command]:
    """Return the wishes that nobody has carried out yet, oldest first."""
    return [_command(row) for row in await db.rows("SELECT * FROM commands WHERE state = 'new' ORDER BY id LIMIT 100")]


async def noted(db: Database, filesets: Sequence[str]) -> dict[str, str]:
    """Return of those filesets, by whole name, for which wishes wait for an engine the kind of the newest."""
    rows = await db.rows(
        """SELECT wanted.value AS fileset, kind FROM commands, json_each(target, '$.filesets') wanted
           WHERE state = 'new' AND wanted.value IN (SELECT value FROM json_each(?)) ORDER BY commands.id""",
        (json.dumps(list(filesets)),),
    )
    return {row["fileset"]: row["kind"] for row in rows}


async def get(db: Database, number: int) -> Command | None:
    """Return one command."""
    row = await db.one("SELECT * FROM commands WHERE id = ?", (number,))
    return _command(row) if row else None


async def answer(db: Database, number: int) -> tuple[str, str | None] | None:
    """Return the state of a command, done or refused, and its result; None as long as it is not answered.

    What it is about, which may be a hundred thousand names, is not read.
    """
    row = await db.one("SELECT state, result FROM commands WHERE id = ? AND state <> 'new'", (number,))
    return (row["state"], row["result"]) if row else None


async def carried_out(db: Database, command: int, result: str) -> None:
    """Keep what a command came to, in the transaction of its effect: what is left to do is to answer it."""
    await db.run("UPDATE commands SET result = ? WHERE id = ?", (result, command))


async def finish(db: Database, command: int, done: bool, result: str, now: float) -> None:
    """Record what became of a command."""
    await db.run(
        "UPDATE commands SET state = ?, result = ?, done_at = ? WHERE id = ?",
        ("done" if done else "refused", result, now, command),
    )


def operator() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def target_words(target: Mapping[str, Any]) -> str:
    """Return what a command is about, in words fit for a terminal; `target` has the fields that were stored."""
    words = [some(target.get("filesets") or [])]
    words += [f"{noun} {display(target[noun])}" for noun in ("mirror", "product", "kind") if target.get(noun)]
    if target.get("value") is not None:
        words.append(display(target["value"]))
    return ", ".join(filter(None, words)) or "everything"


def some(names: Sequence[str]) -> str:
    """Return names in short, fit for a terminal: ``"a and 2 more"``; empty if there are none."""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{display(names[0])}{more}" if names else ""


def _command(row: Any) -> Command:
    fields = json.loads(row["target"])
    known = row["kind"] in set(CommandKind) and fields.keys() <= set(Target.__slots__)
    target = Target(**{**fields, "filesets": tuple(fields["filesets"])}) if known else Target()
    kind = CommandKind(row["kind"]) if known else None
    return Command(row["id"], kind, target, row["who"], row["at"], row["state"], row["result"])
