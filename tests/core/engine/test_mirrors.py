"""What a mirror is given of its configuration."""

from __future__ import annotations

from core.config import Config
from core.engine.mirrors import access, source_options
from core.sources.spool import DEFAULT_LIMITS

FEW_MINUTES = 600


def test_with_the_defaults_nothing_slow_is_waited_for_without_end(config: Config) -> None:
    (mirror,) = config.mirrors
    files, indexes = access(mirror), source_options(mirror)
    for least in (files.min_rate, indexes.min_rate):
        assert least >= 100, "bytes a second; curl counts those of the body alone, so that headers without end stall"
    waits = [files.connect_seconds, files.stall_seconds]
    waits += [indexes.connect_seconds, indexes.index_seconds, indexes.stall_seconds]
    assert all(0 < seconds <= 60 for seconds in waits)
    assert 0 < DEFAULT_LIMITS.total_seconds <= FEW_MINUTES
