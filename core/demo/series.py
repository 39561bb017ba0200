"""The series of filesets that the demo's products are made of: what the n-th fileset is called and holds.

Names and contents follow the distribution filesets of the IPP Data Store; everything is drawn from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from core.demo import contents
from core.model import Columns

EXPOSURE_STAGES = ("raw", "chip", "camera", "fake", "warp")
FILTERS = ("g", "r", "i", "z", "y")
RUN_COLUMNS = ("target_id", "stage", "stage_id", "exp_name")
FIELD_COLUMNS = ("filter", "target")
PRODUCT_ID = 1


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that can be made at any time, with the same bytes each time."""

    name: str
    type: str
    columns: Columns
    make: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class PlannedFileset:
    """A fileset, apart from the time of its registration."""

    name: str
    columns: Columns
    files: tuple[PlannedFile, ...]


Series: TypeAlias = Callable[[str, int], PlannedFileset]
"""Makes the n-th fileset (from 0) of a series, given the seed of its product."""


def exposures(seed: str, number: int) -> PlannedFileset:
    """Return one processing stage of one exposure: ``o4741g0231o.chip.14519.31.1``."""
    draw = _draw(seed, number)
    shot, step = divmod(number, len(EXPOSURE_STAGES))
    night, sequence = divmod(shot, 40)
    exposure = f"o{4741 + night}g{231 + sequence:04d}o"
    components = [f"XY{chip:02d}" for chip in range(1, draw.randint(2, 11))]
    return _run(draw, number, EXPOSURE_STAGES[step], exposure, components)


def stacks(seed: str, number: int) -> PlannedFileset:
    """Return a stack of sky cells: ``stack.14519.31.1``."""
    draw = _draw(seed, number)
    cells = [f"skycell.{draw.randint(1000, 2600)}.{cell:03d}" for cell in range(draw.randint(1, 4))]
    return _run(draw, number, "stack", None, cells)


def differences(seed: str, number: int) -> PlannedFileset:
    """Return a difference image of sky cells: ``diff.14519.31.1``."""
    draw = _draw(seed, number)
    cells = [f"skycell.{draw.randint(1000, 2600)}.{cell:03d}" for cell in range(draw.randint(1, 3))]
    return _run(draw, number, "diff", None, cells)


def deep_fields(seed: str, number: int) -> PlannedFileset:
    """Return a month of a medium-deep field: ``MD04.200903``; its files have two kinds of further columns."""
    draw = _draw(seed, number)
    months, field = divmod(number, 10)
    year, month = divmod(months, 12)
    target = f"MD{field + 1:02d}"
    chips = [
        PlannedFile(f"chip.{number}.{letter}.fits", "chip", {"chipname": chip}, _image(draw))
        for letter, chip in zip("abcdef", ("XY01", "XY02", "XY33", "XY34", None, "XY67"), strict=True)
    ][: draw.randint(1, 6)]
    where = contents.metadata([("dest", {"destdir": f"gpc1/{target}"})])
    others = [
        PlannedFile(f"dirinfo.{number}.mdc", "text", {"component": "dirinfo"}, partial(bytes, where)),
        _archive(draw, f"log.{number}", "log"),
    ]
    known = draw.random() < 0.75
    columns: Columns = {"filter": draw.choice(FILTERS) if known else None, "target": target if known else None}
    return PlannedFileset(f"{target}.{2009 + year}{month + 1:02d}", columns, (*chips, *others))


def _run(draw: random.Random, number: int, stage: str, exposure: str | None, components: list[str]) -> PlannedFileset:
    stage_id, distribution = 14519 + number, 31 + number
    stem = f"{stage}.{stage_id}"
    name = ".".join([*([exposure] if exposure else []), stem, str(distribution), str(PRODUCT_ID)])
    columns: Columns = {
        "target_id": str(draw.randint(1, 9)),
        "stage": stage,
        "stage_id": str(stage_id),
        "exp_name": exposure,
    }
    texts = {"dbinfo": _dbinfo(draw, stage, stage_id, components), "dirinfo": _dirinfo(stem, exposure, components)}
    files = [
        PlannedFile(f"{kind}.{stem}.mdc", "text", {"component": kind}, partial(bytes, text))
        for kind, text in texts.items()
    ]
    files += [_archive(draw, f"{exposure or stem}.{component}", component) for component in components]
    return PlannedFileset(name, columns, tuple(files))


def _dbinfo(draw: random.Random, stage: str, stage_id: int, components: list[str]) -> bytes:
    run = {f"{stage}_id": str(stage_id), "state": "cleaned", "label": "MD04.200904", "data_group": "MD04.20090415"}
    blocks = [("dbversion", {"ippdb_version": "1.1.60"}), (f"{stage}Run", run)]
    for component in components:
        values = {"class_id": component, "bg": f"{draw.uniform(90, 140):.2f}", "bg_stdev": f"{draw.uniform(5, 9):.2f}"}
        blocks.append((f"{stage}ProcessedImfile", values))
    return contents.metadata(blocks)


def _dirinfo(stem: str, exposure: str | None, components: list[str]) -> bytes:
    place = f"gpc1/20090415/{exposure}" if exposure else "none"
    return contents.metadata([("dest", {"destdir": place}), ("components", dict.fromkeys(components, stem))])


def _archive(draw: random.Random, stem: str, component: str) -> PlannedFile:
    make = partial(contents.tgz, str(draw.random()), f"{stem}.fits", _size(draw))
    return PlannedFile(f"{stem}.tgz", "tgz", {"component": component}, make)


def _image(draw: random.Random) -> Callable[[], bytes]:
    return partial(contents.fits, str(draw.random()), _size(draw))


def _size(draw: random.Random) -> int:
    """Return a size in bytes: mostly some kB to some hundred kB, now and then a few MB."""
    return round(2 ** (draw.uniform(20, 21.5) if draw.random() < 0.1 else draw.uniform(12, 18.5)))


def _draw(seed: str, number: int) -> random.Random:
    return random.Random(f"{seed}/{number}")  # noqa: S311 - synthetic, and the same each time
