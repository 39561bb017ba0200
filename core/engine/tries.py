"""What becomes of a file when a try to fetch it has failed: which tries count, what was seen, when it comes again."""

from __future__ import annotations

from core.errors import POLICIES, Answer, FailureKind
from core.model import FileState
from core.store.files import Failed
from core.store.records import FileRow
from core.transfer.base import Outcome
from core.transfer.retry import Step, next_step

PROGRESS = 1 << 20
"""Bytes that a try has to bring, if they are less than a hundredth of the file, to be no failed one."""
_STATES = {Answer.WAIT: FileState.RETRY_WAIT, Answer.QUARANTINE: FileState.QUARANTINED}


def got_on(file: FileRow, outcome: Outcome) -> bool:
    """Tell whether a try broke off, but brought enough of the same file to what was kept: it does not count as failed.

    What has to be begun anew in between counts, so that there is an end to a file that grows again and again.
    """
    continued = file.kept > 0 and outcome.validator == file.validator
    enough = outcome.kept - file.kept > min(PROGRESS, file.size // 100)
    return outcome.kind is FailureKind.TRANSIENT and continued and enough


def next_try(file: FileRow, outcome: Outcome, kind: FailureKind, now: float) -> Step:
    """Return what to do next after a failure that is answered as one of this `kind`."""
    # backoff grows with every try, of whatever kind: a server that fails in turns is not asked for ever
    jittered = POLICIES[kind].jittered and not got_on(file, outcome)
    patience = file.attempts + 1 if jittered else _tries(file, outcome)
    seen = (outcome.size, outcome.digest)
    same = outcome.digest is not None and seen == (file.seen_size, file.seen_digest)
    return next_step(kind, patience, now=now, retry_after=outcome.retry_after, same_digest=same)


def after_failure(file: FileRow, outcome: Outcome, step: Step) -> FileRow:
    """Return the file as it is after a try that failed, and of which `step` is the consequence."""
    return file.wanted_after(outcome.size, outcome.digest)._replace(
        state=_STATES.get(step.answer, FileState.PENDING),
        attempts=file.attempts + (not got_on(file, outcome)),
        tries=_tries(file, outcome),
        failure_kind=outcome.kind,
        next_try=step.at,
        kept=outcome.kept,
        validator=outcome.validator,
        seen_size=outcome.size if outcome.digest else file.seen_size,
        seen_digest=outcome.digest or file.seen_digest,
    )


def to_record(after: FileRow, outcome: Outcome, kind: FailureKind) -> Failed:
    """Return what is recorded of a file that is as `after_failure` has it."""
    return Failed(
        after.id, after.state, after.attempts, after.tries, kind, outcome.detail, after.next_try, outcome.kept,
        outcome.validator, outcome.size, outcome.digest,
    )  # fmt: skip


def _tries(file: FileRow, outcome: Outcome) -> int:
    """Return how many tries in a row have failed in one way, and left no more than before."""
    again = file.failure_kind is outcome.kind and outcome.kept <= file.kept
    return (file.tries if again else 0) + 1
