"""Status for machines: the one JSON object, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from core.config import Config
from core.errors import ExitCode, FailureKind
from core.store import meters, queries, registry
from core.store.database import Database
from core.store.queries import Failure, MirrorStatus, ProductStatus
from core.text import display
from core.units import format_time
from core.urls import host_key

_COUNTS = ("published", "queued", "failed", "quarantined", "excluded", "held")


@dataclass(frozen=True, slots=True)
class Limits:
    """What operators have limited, at once and in bytes a second (0: unlimited); None: as configured."""

    transfers: int | None = None
    bandwidth: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The state of the mirrors, and what failed, at one moment."""

    mirrors: tuple[MirrorStatus, ...]
    failures: tuple[Failure, ...]
    phase: str | None = None
    """What the engine is about, if one runs."""
    limits: Limits = Limits()
    rests: tuple[tuple[str, float, str], ...] = ()
    """Hosts of these mirrors that are left alone: until when, and why."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The products of a mirror for which an operator's wish is above the configuration (True: it is mirrored).

    `permanent` is the configuration that would make it permanent.
    """

    mirror: str
    products: dict[str, bool]
    permanent: str


async def gather(
    db: Database, now: float, mirror: str | None = None, product: str | None = None, *, running: bool = True
) -> Report:
    """Read a report from the state, restricted to a mirror and to products that match a glob.

    Unless an engine is `running`, nothing is under way.
    """

    def fits(of_mirror: str, of_product: str | None) -> bool:
        if mirror not in (None, of_mirror):
            return False
        return product is None or of_product is None or fnmatchcase(of_product, product)

    mirrors = [one for one in await queries.overview(db, now, running=running) if fits(one.name, None)]
    hosts = {host_key(one.url) for one in mirrors}
    failures = [one for one in await queries.failures(db) if fits(one.mirror, one.product)]
    return Report(
        tuple(_only(one, [row for row in one.products if fits(one.name, row.name)]) for one in mirrors),
        tuple(failures),
        await registry.setting(db, "phase"),
        Limits(await _number(db, "limit_transfers"), await _number(db, "limit_bandwidth")),
        tuple(one for one in await meters.resting(db, now) if one[0] in hosts),
    )


async def _number(db: Database, setting: str) -> int | None:
    value = await registry.setting(db, setting)
    return None if value is None else int(value)


def _only(mirror: MirrorStatus, products: Sequence[ProductStatus]) -> MirrorStatus:
    values = {name: getattr(mirror, name) for name in MirrorStatus.__dataclass_fields__}
    return MirrorStatus(**{**values, "products": tuple(products)})


def exit_code(report: Report) -> ExitCode:
    """Return what the state of the mirrors amounts to (docs/design.md, "Stopping")."""
    selected = [product for mirror in report.mirrors for product in mirror.products if product.selected]
    kinds = [mirror.stopped_kind for mirror in report.mirrors]
    kinds += [product.error_kind for product in selected] + [failure.kind for failure in report.failures]
    if FailureKind.DISK in kinds:
        return ExitCode.DISK
    unlisted = any(mirror.error or mirror.stopped for mirror in report.mirrors)
    if unlisted or any(product.error or product.alarm for product in selected):
        return ExitCode.SOURCE
    if report.failures:
        return ExitCode.FAILURES
    paused = any(product.paused for product in selected) or any(mirror.paused for mirror in report.mirrors)
    return ExitCode.DRAINED if paused or any(product.backlog_filesets for product in selected) else ExitCode.OK


def mirror_error(mirror: MirrorStatus) -> str | None:
    """Return, in words, what is wrong with a mirror, or with the first of its products; None if nothing is."""
    return next((f"{product}: {words}" if product else words for product, words in problems(mirror)), None)


def problems(mirror: MirrorStatus) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a mirror as a whole (with an empty name), and with each of its products."""
    if words := mirror.stopped or mirror.error:
        yield "", words
    for product in mirror.products:
        if product.selected and (words := product.error or product.alarm):
            yield display(product.name), words


def wishes(report: Report, config: Config) -> list[Wishes]:
    """Return operators' wishes for products, of the mirrors of `config` that have any."""
    found = []
    for mirror in report.mirrors:
        wished = {product.name: product.wish == "mirror" for product in mirror.products if product.wish}
        configured = next((one for one in config.mirrors if one.name == mirror.name), None)
        if wished and configured is not None:
            known = [product.name for product in mirror.products]
            found.append(Wishes(mirror.name, wished, configured.choice.lines(wished, known)))
    return found


def wishes_json(report: Report, config: Config) -> list[dict[str, Any]]:
    """Return operators' wishes for products as plain values for JSON."""
    return [
        {
            "mirror": one.mirror,
            "mirrored": [display(name) for name, mirrored in one.products.items() if mirrored],
            "ignored": [display(name) for name, mirrored in one.products.items() if not mirrored],
            "permanent": display(one.permanent),
        }
        for one in wishes(report, config)
    ]


def limits_json(report: Report) -> dict[str, Any]:
    """Return what operators have limited as plain values for JSON; null: as configured."""
    return {"transfers": report.limits.transfers, "bandwidth": report.limits.bandwidth}


def rests_json(report: Report) -> list[dict[str, Any]]:
    """Return which hosts are left alone as plain values for JSON."""
    return [{"host": host, "until": _time(until), "reason": display(reason)} for host, until, reason in report.rests]


def mirrors_json(report: Report) -> list[dict[str, Any]]:
    """Return the mirrors and their mirrored products as plain values for JSON."""
    return [
        {
            "name": mirror.name,
            "error": _shown(mirror_error(mirror)),
            "paused": _shown(mirror.paused),
            "stopped": mirror.stopped_kind,
            "products": [_product_json(product) for product in mirror.products if product.selected],
        }
        for mirror in report.mirrors
    ]


def _product_json(product: ProductStatus) -> dict[str, Any]:
    return {
        "name": product.name,
        "error": _shown(product.error or product.alarm),
        "paused": _shown(product.paused),
        "filesets": {key: product.counts[key] for key in _COUNTS},
        "refused_rows": product.refused,
        "lag_seconds": None if product.lag is None else round(product.lag),
        "backlog_files": product.backlog_files,
        "backlog_bytes": product.backlog_bytes,
        "polled": _time(product.polled_at),
    }


def failures_json(report: Report) -> list[dict[str, Any]]:
    """Return what failed as plain values for JSON."""
    return [
        {
            "mirror": one.mirror,
            "product": _shown(one.product),
            "fileset": _shown(one.fileset),
            "file": _shown(one.file),
            "kind": one.kind,
            "detail": _shown(one.detail),
            "attempts": one.attempts,
            "next_try": _time(one.next_try),
        }
        for one in report.failures
    ]


def _shown(text: str | None) -> str | None:
    return None if text is None else display(text)


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else format_time(epoch)
