"""What is done after a failed try: the table "Trying again" of docs/design.md, as a function."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import POLICIES, Answer, FailureKind


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next; `at` is when to try again, in the seconds of the `now` that was passed in."""

    answer: Answer
    at: float | None = None


def next_step(
    kind: FailureKind,
    tries: int,
    *,
    now: float,
    rng: Callable[[], float] = random.random,
    retry_after: float | None = None,
    same_digest: bool = False,
) -> Step:
    """Return what follows the failed try number `tries` (from 1) of this `kind`.

    `rng` draws evenly from 0 to 1. `retry_after` is the server's wish in seconds, a floor for the wait.
    `same_digest` tells that two complete downloads had the same wrong digest: trying again can't help.
    """
    policy = POLICIES[kind]
    if policy.pause is not None:
        return Step(policy.pause)
    if tries > len(policy.delays) or (kind is FailureKind.INTEGRITY and same_digest):
        return Step(Answer.QUARANTINE)
    delay = max(policy.delays[tries - 1] * (rng() if tries <= policy.jittered else 1.0), retry_after or 0.0)
    at_once = policy.delays[tries - 1] == 0 and delay == 0
    return Step(Answer.AGAIN) if at_once else Step(Answer.WAIT, now + delay)
