"""The one table of legal state changes.

It is copied into every state file when a writer opens it, and triggers there (see schema.py) refuse
whatever is not in it: no code path, and no bulk statement, can make an illegal change.
"""

from __future__ import annotations

from core.model import FilesetState as S
from core.model import FileState as F

LEAVES = (S.HELD, S.CANCELLED, S.WITHDRAWN, S.SUPERSEDED, S.EXCLUDED)
"""Where an operator, the configuration or upstream may send any open fileset."""

FILESET_TRANSITIONS: dict[S, tuple[S, ...]] = {
    S.DISCOVERED: (S.QUEUED, *LEAVES),
    S.QUEUED: (S.TRANSFERRING, S.DISCOVERED, *LEAVES),
    S.TRANSFERRING: (S.STAGED, S.QUEUED, S.DISCOVERED, *LEAVES),
    S.STAGED: (S.PUBLISHING, S.TRANSFERRING, *LEAVES),
    S.PUBLISHING: (S.PUBLISHED, S.STAGED),
    S.PUBLISHED: (S.DAMAGED, S.EXPIRING, S.WITHDRAWN, S.SUPERSEDED),
    S.DAMAGED: (S.QUEUED, *LEAVES),
    S.EXPIRING: (S.EXPIRED,),
    S.EXPIRED: (S.WITHDRAWN, S.SUPERSEDED),
    S.HELD: (S.DISCOVERED, S.QUEUED, S.CANCELLED, S.WITHDRAWN, S.SUPERSEDED),
    S.CANCELLED: (S.DISCOVERED, S.QUEUED, S.WITHDRAWN, S.SUPERSEDED),
    S.EXCLUDED: (S.DISCOVERED, S.WITHDRAWN, S.SUPERSEDED),
    S.WITHDRAWN: (S.DISCOVERED, S.PUBLISHED, S.HELD, S.CANCELLED, S.SUPERSEDED),
    S.SUPERSEDED: (),
}

FILE_TRANSITIONS: dict[F, tuple[F, ...]] = {
    F.PENDING: (F.ACTIVE, F.PARTIAL, F.RETRY_WAIT, F.STAGED, F.QUARANTINED, F.SKIPPED),
    F.ACTIVE: (F.PENDING, F.PARTIAL, F.RETRY_WAIT, F.STAGED, F.QUARANTINED),
    F.PARTIAL: (F.PENDING, F.ACTIVE, F.RETRY_WAIT, F.STAGED, F.QUARANTINED, F.SKIPPED),
    F.RETRY_WAIT: (F.PENDING, F.ACTIVE, F.PARTIAL, F.STAGED, F.QUARANTINED, F.SKIPPED),
    F.STAGED: (F.PUBLISHED, F.PENDING),
    F.PUBLISHED: (F.PENDING, F.STAGED),
    F.QUARANTINED: (F.PENDING, F.STAGED, F.SKIPPED),
    F.SKIPPED: (F.PENDING,),
}


def transition_rows() -> list[tuple[str, str, str]]:
    """Return every legal change as (noun, old state, new state)."""
    filesets = [("fileset", old, new) for old, news in FILESET_TRANSITIONS.items() for new in news]
    files = [("file", old, new) for old, news in FILE_TRANSITIONS.items() for new in news]
    return [(noun, str(old), str(new)) for noun, old, new in [*filesets, *files]]
