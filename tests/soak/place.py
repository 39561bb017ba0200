"""A place where a mirror is kept in a long run: its configuration, its programs, and what they had to say."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.model.mirror import Mirror
from tests.soak.figures import MEGA, Sizes, size_of
from tests.whole.screen import engine_of
from tests.whole.site import COMMAND

ENGINE = 'transfers = 8\ndrain_timeout = "10s"'
MIRROR = 'poll_interval = "2s"\nconnect_timeout = "4s"\nindex_timeout = "4s"\nstall_timeout = "4s"'
UNSOUND = (
    "Traceback",
    "never awaited",
    "never retrieved",
    "was destroyed but it is pending",
    "ResourceWarning",
    "Segmentation",
    "core dumped",
)
"""What no program may ever say."""


class Place:
    """A mirror, and beside it a folder for what programs print and a dashboard keeps."""

    def __init__(self, name: str, folder: Path, url: str):
        self.name = name
        self.mirror = Mirror(folder / name, url)
        self.site = self.mirror.site
        self.beside = folder / f"{name}-beside"
        self.beside.mkdir()
        self.sizes = Sizes()
        self._url = url
        self._numbers = count(1)
        self.site.environment["PYTHONWARNINGS"] = "default::ResourceWarning,default::RuntimeWarning"
        self.configure("30s")

    def configure(self, reconcile_interval: str) -> None:
        """Write the configuration, with how often whole lists are compared."""
        self.site.configure(self._url, engine=ENGINE, mirror=f'{MIRROR}\nreconcile_interval = "{reconcile_interval}"')

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own, so that Ctrl-C is not meant for it; what it prints is kept."""
        with (self.beside / f"{next(self._numbers):06d}.out").open("wb") as output:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.site.folder,
                env=self.site.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def engine(self) -> int | None:
        """Return the process that is the engine at this moment."""
        engine = engine_of(self.site)
        return engine.pid if engine else None

    def end_engine(self, number: signal.Signals) -> None:
        """Send a signal to whatever engine is at work."""
        if (pid := self.engine()) and pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def size_of_state(self) -> int:
        return size_of(self.mirror.state, self.mirror.state.with_name("mirror.db-wal"))

    @property
    def size_of_logs(self) -> int:
        return size_of(*self.site.folder.glob("mirrortui.log*"))

    def figures(self, filesets: int) -> str:
        """Return what the place takes beside what it publishes, in one line; its state knows so many filesets."""
        state = self.size_of_state
        return (
            f"state file {state / MEGA:.1f} MB, {state / filesets:,.0f} bytes for each of {filesets:,} filesets "
            f"(all revisions); its log at most {self.sizes.log_of_state / MEGA:.1f} MB; "
            f"staging at most {self.sizes.staging / MEGA:.1f} MB; log files {self.size_of_logs / MEGA:.1f} MB"
        )

    def unsound(self) -> Iterator[str]:
        """Yield the lines of logs and outputs that no program may ever write, with the file in which they stand."""
        for path in [*self.site.folder.glob("mirrortui.log*"), *self.beside.glob("*.out")]:
            with path.open(errors="replace") as lines:
                for line in lines:
                    refused = " ERROR " in line and str(self.site.data) in line  # by a disk that nobody disturbs
                    if refused or any(words in line for words in UNSOUND):
                        yield f"{path.name}: {line.strip()}"
