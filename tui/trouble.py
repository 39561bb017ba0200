"""How errors are told: to a person as one message, to a script as an exit code."""

from __future__ import annotations

from core import descriptors
from core.errors import ExitCode, MirrorError, causes
from core.logs import redact_secrets
from core.text import display


def told(error: Exception) -> tuple[ExitCode, str]:
    """Return what a process ends with after `error`, and the message that says why; it holds no secret."""
    if isinstance(error, MirrorError):
        return error.exit_code, redact_secrets(str(error))
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in descriptors.USED_UP:
            return ExitCode.DISK, f"{cause.strerror}: {descriptors.REMEDY}"
    return ExitCode.INTERNAL, (
        f"internal error: {type(error).__name__}: {display(redact_secrets(str(error)))}; the log has the details, "
        "the state is intact, and the next run goes on from it"
    )
