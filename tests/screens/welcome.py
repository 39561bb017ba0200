"""Pictures of the first run, from a real Data Store on loopback."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal
from unittest.mock import patch

from textual.widgets import Input

from core.units import format_time
from tests.screens import night, picture
from tests.screens.picture import SMALL, WIDE
from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.tui.welcome.first_run import Operator, first_run

HERE = "/srv/archives"
"""Where it seems to be: as long as the real folder, in whose place it is drawn."""
PORT = "18080"
DISK = SimpleNamespace(f_frsize=4096, f_bavail=105_000_000, f_blocks=290_000_000)
Step = Literal["source", "products", "file", "check", "down"]
MINUTE, HOUR, DAY = 60, 3600, 86_400
PRODUCTS = (
    ("md-all-rel-200907", "ipp-dist", "MD fields release, July", 1204, 12, 56_000_000, 6 * HOUR),
    ("md-all-rel-200904", "ipp-dist", "MD fields release, April", 988, 12, 56_000_000, 96 * DAY),
    ("threepi-all-200908", "ipp-dist", "3pi survey, August", 3120, 60, 31_000_000, 4 * MINUTE),
    ("dist-200904", "ipp-dist", "GPC1 distribution, April", 3, 5, 240_000_000, 88 * DAY),
    ("sas-v9", "dvo-db", "small area survey, all detections", 1, 41, 610_000_000, 12 * DAY),
    ("calibration", "ipp-aux", "darks and flats", 0, 0, 0, 0),
)
"""Name, type, description, filesets, files of each, bytes of each, and the age of the newest."""


def fill(store: DataStore) -> None:
    """Offer PRODUCTS; nobody fetches their files, so that these only seem to be that large."""
    for name, kind, description, filesets, files, size, age in PRODUCTS:
        store.add_product(name, kind, description)
        for number in range(filesets):
            listed = {f"{number}.{file}.fits": ServedFile(b"", size=size, md5="0" * 32) for file in range(files)}
            registered = format_time(night.NOW - age - (filesets - number - 1) * HOUR)
            store.add_fileset(name, f"o{4700 + number}g0231o.{number}", listed, registered)


@dataclass(frozen=True)
class FirstRun:
    """A first run that is led from step to step; at those of `steps` there is a picture in each of `sizes`.

    The step ``down`` is the second one when the root index can't be had, and the last.
    """

    steps: Sequence[Step]
    sizes: Sequence[tuple[int, int]] = (WIDE, SMALL)
    colours: bool = True

    def names(self, stem: str) -> list[str]:
        """Return what the pictures are called."""
        stems = [f"{stem}-{step}" for step in self.steps] if len(self.steps) > 1 else [stem]
        return [picture.name(one, size, self.colours) for one in stems for size in self.sizes]

    async def draw(self, folder: Path) -> list[str]:
        """Return the pictures; they are taken in a folder of its own, whose name is as long as HERE."""
        with DataStore() as store, surroundings(self.colours) as here:
            fill(store)
            if "down" in self.steps:
                store.fault("index.txt", Fault.status(503), times=None)
            async with first_run(self.sizes[0], clock=lambda: night.NOW) as operator:
                found = []
                async for step in self._steps(operator, store.url):
                    if step in self.steps:
                        found += [await self._look(operator, size) for size in (*self.sizes, self.sizes[0])][:-1]
                return [one.replace(here, HERE).replace(str(store.port), PORT) for one in found]

    async def _look(self, operator: Operator, size: tuple[int, int]) -> str:
        """Return what the screen looks like in this size, as soon as it doesn't change any more."""
        await operator.resize(*size)
        for field in operator.app.screen.query(Input):
            field.cursor_blink = False
        before = ""
        while (after := picture.of(operator.app)) != before:
            before = after
            await operator.pause()
        return after

    async def _steps(self, operator: Operator, url: str) -> AsyncIterator[Step]:
        """Lead the operator on, and yield each step when all of it is on the screen."""
        await operator.sees("URL")
        await operator.fill("url", url)
        await operator.sees("its index.txt lists", "will be created")
        yield "source"
        await operator.press("enter")
        if "down" in self.steps:
            await operator.sees("r reads again")
            yield "down"
            return
        await operator.sees("0 of 6 marked", "~5.8 TB", "GB free")
        await operator.press("j", "j", "j", "space", "k", "k", "space")
        await operator.sees("2 of 6 marked")
        yield "products"
        if self.steps == ("products",):
            return
        await operator.press("enter")
        await operator.sees("[3 File]", "[[mirror]]", "finds it there by itself")
        yield "file"
        await operator.press("enter")
        await operator.sees("All is well")
        yield "check"


@contextlib.contextmanager
def surroundings(colours: bool) -> Iterator[str]:
    """Stand in an empty folder, with nothing of this machine and its user around; yield its path."""
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as folder, contextlib.chdir(folder):
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"}
        with (
            patch.dict(os.environ, environment if colours else {**environment, "NO_COLOR": "1"}, clear=True),
            patch.object(os, "statvfs", return_value=DISK),
        ):
            yield folder
