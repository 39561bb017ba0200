"""Mirror sites whose state and destination stand on disks of the test's choice."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from tests.servers.datastore import DataStore
from tests.whole.site import COMMAND, Site

IMPATIENT = "import core.engine.parts as parts; parts.DISK_AGAIN_SECONDS = 0.5; "


class DiskSite(Site):
    """A site whose destination may be anywhere; its engines look soon again at a disk that refused."""

    def __init__(self, folder: Path, data: Path, store: DataStore, *, engine: str = ""):
        super().__init__(folder, store.url, engine=engine, mirror='poll_interval = "0.5s"')
        self.config.write_text(self.config.read_text().replace('"data"', f'"{data}"'))
        self.data = data

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND[:-1], IMPATIENT + COMMAND[-1], *arguments],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )

    def demand_sound(self) -> None:
        """Check the state file, from its first page to its last."""
        with closing(connect(self.folder / "mirror.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def as_others() -> list[str]:
    """Return what a program is run under that has no right to read and write everything, as root has it."""
    lost = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}"] if os.geteuid() == 0 else []


def stopped(found: Any) -> str:
    """Return why the mirror was stopped for the sake of a disk, by the JSON of a run that ended with code 5."""
    assert found["exit_code"] == 5, found
    assert found["mirrors"][0]["stopped"] == "disk", found
    assert not found["failures"], found
    return str(found["mirrors"][0]["error"])
