"""What operators limit while an engine runs: transfers at once, and bytes a second. It holds until it is set back."""

from __future__ import annotations

from core.engine.context import Context
from core.engine.effects import effect
from core.engine.scheduler import Scheduler
from core.executors.base import Executor
from core.store import registry
from core.store.commands import Command
from core.store.operate import NothingMatches
from core.units import format_rate, parse_rate, quoted

TRANSFERS, BANDWIDTH = "limit_transfers", "limit_bandwidth"
"""The settings that keep the limits; without one, the configuration holds."""


class Limits:
    """Applies the limits that operators have set, else those of the configuration."""

    def __init__(self, context: Context, scheduler: Scheduler, executor: Executor):
        self._context = context
        self._scheduler = scheduler
        self._executor = executor
        self._configured = context.config.engine

    async def apply(self) -> None:
        """Make scheduler and executor follow what is set."""
        transfers, bandwidth = await self._set(TRANSFERS), await self._set(BANDWIDTH)
        most = self._configured.transfers
        self._scheduler.limit(most if transfers is None else min(transfers, most))
        self._executor.limit(self._configured.bandwidth if bandwidth is None else bandwidth)

    async def _set(self, key: str) -> int | None:
        value = await registry.setting(self._context.db, key)
        return None if value is None else int(value)

    async def change(self, command: Command) -> str:
        """Carry out ``transfers=8``, ``bandwidth=50 MB/s``; without a value, the configuration holds again."""
        key, _, value = (command.target.value or "").partition("=")
        value = value.strip()
        if key == "transfers":
            setting, wanted, words = TRANSFERS, *self._transfers(value)
        elif key == "bandwidth":
            setting, wanted, words = BANDWIDTH, *self._bandwidth(value)
        else:
            raise NothingMatches(
                f'expected "transfers=8" or "bandwidth=50 MB/s", got {quoted(command.target.value or "")}'
            )
        done = f"{key}: {words}"
        await effect(self._context, command, lambda db: registry.set_setting(db, setting, wanted), lambda _: done)
        await self.apply()
        return done

    def _transfers(self, value: str) -> tuple[str | None, str]:
        most = self._configured.transfers
        if not value:
            return None, f"{most} at once, as configured"
        if not (value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= most):
            raise NothingMatches(
                f"transfers: expected a whole number from 1 to {most}, which is what [engine] has, got {quoted(value)}"
            )
        return str(int(value)), f"{int(value)} at once, until it is set back"

    def _bandwidth(self, value: str) -> tuple[str | None, str]:
        if not value:
            return None, f"{rate_words(self._configured.bandwidth)}, as configured"
        try:
            rate = parse_rate(int(value) if value.isascii() and value.isdecimal() else value)
        except ValueError as error:
            raise NothingMatches(f"bandwidth: {error}") from None
        return str(rate), f"{rate_words(rate)}, until it is set back"


def rate_words(rate: int) -> str:
    """Return a limit of the bandwidth in words."""
    return format_rate(rate) if rate else "unlimited"
