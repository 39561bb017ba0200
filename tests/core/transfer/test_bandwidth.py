import pytest

from core.transfer.bandwidth import Bucket


def average(bucket: Bucket, chunk: int, seconds: float, start: float = 0.0) -> float:
    """Take chunks whenever they are given, and return the bytes a second that this came to."""
    now, taken = start, 0
    while now < start + seconds:
        if bucket.take(chunk, now):
            taken += chunk
        else:
            now += max(bucket.wait(now), 1e-6)
    return taken / seconds


@pytest.mark.parametrize("rate", [1000, 100_000, 5_000_000])
@pytest.mark.parametrize("chunk", [100, 16_384])
def test_the_average_rate_is_right(rate: int, chunk: int) -> None:
    bucket = Bucket()
    bucket.set_rate(rate, 0.0)
    seconds = max(20.0, 40 * chunk / rate)
    assert average(bucket, chunk, seconds) == pytest.approx(rate, rel=0.05)


def test_without_a_bound_everything_is_given_at_once() -> None:
    bucket = Bucket()
    assert all(bucket.take(10**9, 0.0) for _ in range(100))
    assert bucket.wait(0.0) == 0.0


def test_what_was_not_used_is_not_saved_up() -> None:
    bucket = Bucket()
    bucket.set_rate(1000, 0.0)
    assert average(bucket, 10, 1.0, start=3600.0) < 1200


def test_a_new_rate_holds_from_then_on() -> None:
    bucket = Bucket()
    bucket.set_rate(1_000_000, 0.0)
    average(bucket, 1000, 5.0)
    bucket.set_rate(1000, 5.0)
    assert average(bucket, 100, 20.0, start=5.0) == pytest.approx(1000, rel=0.1)


def test_no_moment_is_counted_twice() -> None:
    bucket = Bucket()
    bucket.set_rate(1000, 0.0)
    taken = 0
    for step in range(1000):
        for now in (step / 100, step / 100 - 0.01):
            taken += 10 * bucket.take(10, now)
    assert taken == pytest.approx(10_000, rel=0.05)
