"""Whether the files of a state at work are still where they were: whoever opens them by name has to find the same."""

from __future__ import annotations

from pathlib import Path

from core.errors import DiskError
from core.store.identity import REMEDY

ENDINGS = ("", "-wal", "-shm", ".lock")
"""The files by whose names engines, screens and commands meet, by the ends of these names."""


class Whereabouts:
    """The files of `state`, as they were when they were seen first."""

    def __init__(self, state: Path):
        self._files = [state.with_name(f"{state.name}{ending}") for ending in ENDINGS]
        self._seen: dict[Path, tuple[int, int]] = {}

    def demand(self) -> None:
        """Raise DiskError if one of the files was removed or replaced: it blocks for no longer than a few looks."""
        for path in self._files:
            try:
                status = path.stat()
                found = status.st_dev, status.st_ino
            except (FileNotFoundError, NotADirectoryError):
                found = None
            except OSError:  # nothing can be told
                continue
            if found is not None:
                self._seen.setdefault(path, found)
            if self._seen.get(path) != found:
                raise DiskError(
                    f"{path}: removed or replaced while the engine was at work, which has ended: what it records there "
                    "would be found by nobody. Put it back, or leave what is there now to the next engine; if the "
                    f"state file itself is gone or broken: {REMEDY}",
                    whole=True,
                )
