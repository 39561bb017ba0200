"""How many files a process may have open. An engine has a socket and a file for each transfer, and more for itself."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import ExitStack

from core.errors import DiskError

ENOUGH = 4096
"""Open files, for the most transfers that can be configured."""
FEWEST = 64
"""Open files without which an engine can't do its work."""
SPARE = 8
"""Open files of one thing that SQLite does: the state, its log, the index of that, a journal, a temporary file."""
REMEDY = "raise the limit of open files (`ulimit -n`; LimitNOFILE in systemd)"
USED_UP = frozenset({errno.EMFILE, errno.ENFILE})


def allow_enough() -> None:
    """Raise this process's limit to ENOUGH, as far as it may. Raises DiskError if it is less than FEWEST even so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        wanted = soft
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted != resource.RLIM_INFINITY and wanted < FEWEST:
        raise DiskError(f"only {wanted} files may be open at once, and an engine needs at least {FEWEST}: {REMEDY}")


def used_up() -> str | None:
    """Return the system's words if fewer than SPARE more files can be opened, else None."""
    with ExitStack() as opened:
        try:
            for _ in range(SPARE):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            return error.strerror if error.errno in USED_UP else None
    return None
