"""From a configured mirror to one at work: its source, its destination, its credentials."""

from __future__ import annotations

from core.config import Mirror
from core.destinations.posix import PosixDestination
from core.engine.context import MirrorRun
from core.model import Durability
from core.sources import open_source
from core.sources.base import SourceOptions
from core.transfer.base import Access
from core.urls import host_key


def build(number: int, mirror: Mirror, durability: Durability, identity: str) -> MirrorRun:
    """Return a mirror at work; nothing is contacted or opened yet. Raises ConfigError."""
    return MirrorRun(
        id=number,
        config=mirror,
        source=open_source(mirror.protocol, source_options(mirror)),
        destination=PosixDestination(mirror.destination, durability, identity),
        access=access(mirror),
        host=host_key(mirror.url),
    )


def source_options(mirror: Mirror) -> SourceOptions:
    """Return how the catalogue of a mirror is reached."""
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
