"""What went wrong with files, in one line for each product and kind: 2,000 failures are not 2,000 lines."""

from __future__ import annotations

from dataclasses import dataclass

from core.engine.context import Context
from core.engine.runs import Run
from core.errors import Answer, FailureKind
from core.text import display
from core.units import counted


@dataclass(slots=True)
class _Heap:
    files: int
    example: str


class TroubleLog:
    """Gathers failures until `tell` is called."""

    def __init__(self, context: Context):
        self._context = context
        self._heaps: dict[tuple[str, str, FailureKind, bool], _Heap] = {}

    def note(self, run: Run, file: str, kind: FailureKind, detail: str, answer: Answer) -> None:
        """Note that a try to fetch `file` failed, and what is done about it."""
        key = (run.mirror.config.name, run.place.product, kind, answer is Answer.QUARANTINE)
        example = f"{display(run.place.fileset)}/{display(file)}: {detail}"
        self._heaps.setdefault(key, _Heap(0, example)).files += 1

    async def tell(self) -> None:
        """Say what has been noted since the last time."""
        heaps, self._heaps = self._heaps, {}
        for (mirror, product, kind, aside), heap in heaps.items():
            fate = "set aside; `mirrortui failures` tells more" if aside else "tried again later"
            which = heap.example if heap.files == 1 else f"{counted(heap.files, 'file')}, first {heap.example}"
            level = "error" if aside else "warning"
            await self._context.tell(level, f"{kind}: {which}; {fate}", mirror=mirror, product=product)
