"""Commands about products and their sources: look now, mirror another product, mirror one no more."""

from __future__ import annotations

from collections.abc import Sequence

from core.config import matches
from core.engine.admission import Admission
from core.engine.context import Context, MirrorRun
from core.engine.effects import effect
from core.engine.poller import Poller
from core.engine.rests import asked_rests
from core.model import CommandKind
from core.store import operate, registry
from core.store.commands import Command
from core.store.database import Database
from core.store.operate import NothingMatches
from core.units import counted


class Choosing:
    """Changes which products are mirrored, beside the configuration, and when they are looked at."""

    def __init__(self, context: Context, admission: Admission, pollers: Sequence[Poller]):
        self._context = context
        self._admission = admission
        self._pollers = pollers

    async def poll(self, command: Command) -> str:
        """Look at sources, or at some of their products, now."""
        if self._context.draining.is_set():
            raise NothingMatches("the engine is ending; the next one looks at once")
        target = command.target
        named = [poller for poller in self._pollers if target.mirror in (None, poller.mirror.config.name)]
        working = [poller for poller in named if poller.mirror.working and not poller.ended]
        if not working:
            raise NothingMatches(_why_not(named))
        if target.product is None:
            for poller in working:
                poller.look()
            return await self._looked(counted(len(working), "source"), working)
        found = {poller: _products(poller.mirror, target.product) for poller in working}
        if not any(found.values()):
            raise NothingMatches(f"no product {target.product!r} is mirrored and not paused")
        for poller, products in found.items():
            if products:
                poller.look(products)
        looking = [poller for poller, products in found.items() if products]
        return await self._looked(counted(sum(map(len, found.values())), "product"), looking)

    async def _looked(self, what: str, pollers: Sequence[Poller]) -> str:
        rests = await asked_rests(self._context, [poller.mirror.id for poller in pollers])
        return f"{what} looked at as soon as may be: {rests}" if rests else f"{what} looked at now"

    async def choose(self, command: Command) -> str:
        """Begin or end the mirroring of one product; what is published of it stays."""
        mirrored = command.kind is CommandKind.MIRROR
        product, number = await operate.one_product(self._context.db, command.target)
        mirror = self._context.mirrors.get(number)
        if mirror is None:
            raise NothingMatches("this run is about another mirror; the next one can see to it")
        choice, name = mirror.config.choice, await registry.product_name(self._context.db, product)
        configured = choice.selects(name)
        what = "is mirrored now" if mirrored else "is not mirrored any more; what is published stays"

        async def write(db: Database) -> str:
            await operate.wish(db, product, mirrored, configured)
            if mirrored == configured:
                return f"{mirror.config.name}/{name} {what}, as configured"
            lines = choice.lines(await operate.wishes(db, number), await registry.product_names(db, number))
            return f"{mirror.config.name}/{name} {what}; to make it permanent: {lines}"

        done = await effect(self._context, command, write, str)
        await self._context.refresh()
        await self._admission.drop_unwanted()
        if mirrored:
            self._look(mirror, product)
        return done

    def _look(self, mirror: MirrorRun, product: int) -> None:
        for poller in self._pollers:
            if poller.mirror is mirror:
                poller.look([product])


def _products(mirror: MirrorRun, glob: str) -> list[int]:
    return [number for number, name in mirror.products.items() if matches(name, (glob,))]


def _why_not(pollers: Sequence[Poller]) -> str:
    """Say why none of these can look at its source."""
    for poller in pollers:
        name, stop = poller.mirror.config.name, poller.mirror.stop
        if poller.mirror.paused or stop is not None:
            reason = "paused" if stop is None else f"stopped ({stop.reason})"
            return f"mirror {name} is {reason}: resume it first"
    return "this run has looked at its sources already" if pollers else "no such mirror is at work here"
