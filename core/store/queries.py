"""What reports tell of the state: the part that they need of what screens show, nested as they show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from core.store import screens
from core.store.database import Database
from core.store.screens.overview import left

__all__ = ["Failure", "MirrorStatus", "ProductStatus", "failures", "left", "overview"]


@dataclass(frozen=True, slots=True)
class ProductStatus:
    """Where a product stands; what the fields mean is told by ProductLine."""

    name: str
    type: str
    selected: bool
    hidden: bool
    paused: str | None
    alarm: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    lag: float | None
    counts: Mapping[str, int] = field(default_factory=dict)
    backlog_filesets: int = 0
    backlog_files: int = 0
    backlog_bytes: int = 0
    published_bytes: int = 0
    refused: int = 0
    active: int = 0
    """Transfers under way."""
    wish: str | None = None
    """An operator's, above the configuration: mirror or ignore."""


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """Where a mirror stands, with its products."""

    name: str
    url: str
    destination: str
    paused: str | None
    stopped: str | None
    stopped_kind: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    products: tuple[ProductStatus, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that failed or was set aside: what, where, why, how often, and when it is tried again."""

    mirror: str
    product: str | None
    fileset: str | None
    file: str | None
    kind: str
    detail: str
    attempts: int
    next_try: float | None
    quarantined: bool


Part = TypeVar("Part", ProductStatus, MirrorStatus, Failure)


async def overview(db: Database, now: float, *, running: bool = True) -> list[MirrorStatus]:
    """Return all configured mirrors with the products that they mirror or could mirror.

    Unless an engine is `running`, nothing is under way.
    """
    found = await screens.overview(db, now, running=running)
    products: dict[str, list[ProductStatus]] = {}
    for line in found.products:
        products.setdefault(line.mirror, []).append(_part(ProductStatus, line))
    return [_part(MirrorStatus, mirror, products=tuple(products.get(mirror.name, ()))) for mirror in found.mirrors]


async def failures(db: Database, limit: int = 10_000) -> list[Failure]:
    """Return what failed, is in quarantine, or was refused, worst first."""
    found = [_part(Failure, line) for line in await screens.failure_lines(db, limit)]
    return sorted(found, key=lambda one: (not one.quarantined, one.mirror, one.product or "", one.fileset or ""))


def _part(kind: type[Part], line: object, **more: Any) -> Part:
    """Return those fields of `line` that `kind` has; `more` has the others."""
    names = [one.name for one in fields(kind) if one.name not in more]
    return kind(**{name: getattr(line, name) for name in names}, **more)
