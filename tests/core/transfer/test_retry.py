import pytest

from core.errors import HOUR, Answer, FailureKind
from core.transfer.retry import Step, next_step

NOW = 1000.0
WEEK_OF_TRIES = 28


def waits(kind: FailureKind, rng: float = 1.0) -> list[float]:
    """Return the waits after each failed try, until the file is quarantined."""
    found: list[float] = []
    for tries in range(1, 100):
        step = next_step(kind, tries, now=NOW, rng=lambda: rng)
        if step.answer is Answer.QUARANTINE:
            return found
        found.append(0.0 if step.at is None else step.at - NOW)
    raise AssertionError("never quarantined")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FailureKind.TRANSIENT, [5, 10, 20, 40, 80, 160, 320] + [6 * HOUR] * WEEK_OF_TRIES),
        (FailureKind.MALFORMED, [5, 10, 20, 40, 80, 160, 320] + [6 * HOUR] * WEEK_OF_TRIES),
        (FailureKind.INTEGRITY, [0, 900, 6 * HOUR]),
        (FailureKind.MISSING, [HOUR, 22 * HOUR]),
        (FailureKind.UNSAFE, []),
        (FailureKind.CONFLICT, []),
        (FailureKind.REJECTED, []),
    ],
)
def test_the_longest_waits_of_each_kind(kind: FailureKind, expected: list[float]) -> None:
    assert waits(kind) == expected


def test_transient_failures_are_spread_over_the_whole_wait_but_the_slow_tries_are_not() -> None:
    assert waits(FailureKind.TRANSIENT, rng=0.0)[:8] == [0, 0, 0, 0, 0, 0, 0, 6 * HOUR]
    assert waits(FailureKind.TRANSIENT, rng=0.5)[:2] == [2.5, 5]


def test_a_jittered_wait_of_nothing_is_a_wait_all_the_same() -> None:
    assert next_step(FailureKind.TRANSIENT, 1, now=NOW, rng=lambda: 0.0) == Step(Answer.WAIT, NOW)


def test_a_wrong_file_is_fetched_once_more_at_once() -> None:
    assert next_step(FailureKind.INTEGRITY, 1, now=NOW) == Step(Answer.AGAIN)


def test_the_same_wrong_digest_twice_is_quarantined_at_once() -> None:
    assert next_step(FailureKind.INTEGRITY, 2, now=NOW, same_digest=True) == Step(Answer.QUARANTINE)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (FailureKind.DENIED, Answer.PAUSE_MIRROR),
        (FailureKind.TLS, Answer.PAUSE_MIRROR),
        (FailureKind.DISK, Answer.PAUSE_DESTINATION),
    ],
)
@pytest.mark.parametrize("tries", [1, 50])
def test_what_an_operator_must_mend_pauses_however_often_it_was_tried(
    kind: FailureKind, answer: Answer, tries: int
) -> None:
    assert next_step(kind, tries, now=NOW) == Step(answer)


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.INTEGRITY, FailureKind.MISSING])
def test_retry_after_is_a_floor(kind: FailureKind) -> None:
    step = next_step(kind, 1, now=NOW, rng=lambda: 0.0, retry_after=7200.0)
    assert step == Step(Answer.WAIT, NOW + 7200)


def test_retry_after_does_not_shorten_a_wait() -> None:
    assert next_step(FailureKind.MISSING, 1, now=NOW, retry_after=1.0).at == NOW + HOUR
