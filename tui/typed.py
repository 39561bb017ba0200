"""Keys that are typed faster than they are dealt with."""

from __future__ import annotations

import asyncio

from textual.app import App, ReturnType
from textual.events import Event, Key
from textual.message_pump import MessagePump


class InTurn(App[ReturnType]):
    """An app in which each key finds the screen as those before it have left it.

    Textual hands a key to the widget that has the focus when the key arrives, be there others under way that will move
    the focus or the cursor: the second one would hit another row than the one that was meant.
    """

    typed: tuple[Key, ...] = ()
    """The keys that are not done with."""

    async def on_event(self, event: Event) -> None:
        """Let a key wait for its turn."""
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self.typed = (*self.typed, event)
        if len(self.typed) == 1:
            self.run_worker(self._in_turn(), group="keys")

    async def ready(self) -> None:
        """Wait for what the next key needs."""

    async def _in_turn(self) -> None:
        while self.typed:
            await self.ready()
            focused = self.focused or self.screen
            await super().on_event(self.typed[0])
            for pump in (*focused.ancestors_with_self, self):
                await _dealt_with(pump)
            self.typed = self.typed[1:]


async def _dealt_with(pump: MessagePump) -> None:
    """Wait until `pump` has dealt with all that it was sent so far, or is closed."""
    done = asyncio.Event()
    if pump.is_running and pump.call_later(done.set):
        await done.wait()
