"""From a configured mirror to one at work: its source, its destination, its credentials."""

from __future__ import annotations

from pathlib import Path

from core.config import Engine, Mirror
from core.destinations.posix import PosixDestination
from core.engine.context import MirrorRun
from core.sources import open_source
from core.sources.base import SourceOptions
from core.transfer.base import Access
from core.urls import host_key


def build(number: int, mirror: Mirror, engine: Engine, identity: str) -> MirrorRun:
    """Return a mirror at work; nothing is contacted or opened yet. Raises ConfigError."""
    return MirrorRun(
        id=number,
        config=mirror,
        source=open_source(mirror.protocol, source_options(mirror, engine.state.parent)),
        destination=PosixDestination(mirror.destination, engine.durability, identity),
        access=access(mirror),
        host=host_key(mirror.url),
    )


def source_options(mirror: Mirror, spool_folder: Path | None = None) -> SourceOptions:
    """Return how the catalogue of a mirror is reached, and where large indexes are held while they are read."""
    username, password = mirror.login()
    return SourceOptions(
        url=mirror.url,
        headers=mirror.credential_headers(),
        username=username,
        password=password,
        ca_file=str(mirror.ca_file) if mirror.ca_file else None,
        connect_seconds=mirror.connect_timeout,
        index_seconds=mirror.index_timeout,
        stall_seconds=mirror.stall_timeout,
        min_rate=mirror.min_rate,
        spool_folder=spool_folder,
    )


def access(mirror: Mirror) -> Access:
    """Return how the files of a mirror are reached."""
    username, password = mirror.login()
    return Access(
        headers=mirror.credential_headers(),
        username=username,
        password=password,
        ca_file=str(mirror.ca_file) if mirror.ca_file else None,
        connect_seconds=mirror.connect_timeout,
        stall_seconds=mirror.stall_timeout,
        min_rate=mirror.min_rate,
    )
