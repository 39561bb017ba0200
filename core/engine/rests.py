"""What an operator is told of hosts that asked to be left alone: no wish of theirs ends that."""

from __future__ import annotations

from collections.abc import Collection

from core.engine.context import Context
from core.store import meters
from core.text import display
from core.transfer.hosts import ASKED
from core.units import format_minute
from core.urls import host_words


async def asked_rests(context: Context, mirrors: Collection[int]) -> str:
    """Return until when hosts of these mirrors wish to be left alone, empty if none do: ``HOST rests until 21:23Z``."""
    rests = {host: until for host, until, why in await meters.resting(context.db, context.now()) if why == ASKED}
    found = [run for number, run in context.mirrors.items() if number in mirrors and run.host in rests]
    words = {display(host_words(run.config.url)): format_minute(rests[run.host]) for run in found}
    return ", ".join(f"{host} rests until {time}" for host, time in words.items())
