"""Pictures of the first run, from a real Data Store on loopback."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal
from unittest.mock import patch

from textual.widgets import Input

from core.units import format_time
from tests.screens import night, picture
from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.tui.welcome.first_run import Operator, first_run

HERE = "/srv/archives"
"""Where it seems to be: as long as the real folder, in whose place it is drawn."""
PORT = "18080"
DISK = SimpleNamespace(f_frsize=4096, f_bavail=105_000_000, f_blocks=290_000_000)
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
    """A first run that was led to a step; with a `fault` of the root index it gets to the second at most."""

    step: Literal["source", "products", "file", "check"] = "products"
    columns: int = 120
    lines: int = 40
    colours: bool = True
    fault: Fault | None = None

    async def draw(self, folder: Path) -> str:
        """Return the picture; it is taken in a folder of its own, whose name is as long as HERE."""
        with DataStore() as store, surroundings(self.colours) as here:
            fill(store)
            if self.fault is not None:
                store.fault("index.txt", self.fault, times=None)
            async with first_run((self.columns, self.lines), clock=lambda: night.NOW) as operator:
                await self._lead(operator, store.url)
                for field in operator.app.screen.query(Input):
                    field.cursor_blink = False
                return picture.of(operator.app).replace(here, HERE).replace(str(store.port), PORT)

    async def _lead(self, operator: Operator, url: str) -> None:
        await operator.sees("URL")
        await operator.fill("url", url)
        await operator.sees("its index.txt lists", "will be created")
        if self.step == "source":
            return
        await operator.press("enter")
        if self.fault is not None:
            await operator.sees("r reads again")
            return
        await operator.sees("0 of 6 marked", "~5.8 TB", "GB free")
        await operator.press("j", "j", "j", "space", "k", "k", "space")
        await operator.sees("2 of 6 marked")
        if self.step == "products":
            return
        await operator.press("enter")
        await operator.sees("[3 File]", "[[mirror]]", "finds it there by itself")
        if self.step == "check":
            await operator.press("enter")
            await operator.sees("All is well")


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
