"""Transfers in this process."""

from __future__ import annotations

import os
from collections.abc import Iterable

from core.destinations.base import Destination
from core.executors.base import Work
from core.transfer.base import Job, OutcomeSink, Progress, Transport


class LocalExecutor:
    """Runs works on one transport; holds the staging directory of each fileset open while it is under way."""

    def __init__(self, transport: Transport, sync_files: bool):
        self._transport = transport
        self._sync = sync_files
        self._areas: dict[int, int] = {}

    def start(self, deliver: OutcomeSink) -> None:
        """Begin."""
        self._transport.start(deliver)

    def begin(self, fileset: int, destination: Destination) -> None:
        """Open the staging directory of a fileset."""
        if fileset not in self._areas:
            self._areas[fileset] = destination.area(fileset)

    def end(self, fileset: int) -> None:
        """Close the staging directory of a fileset."""
        descriptor = self._areas.pop(fileset, None)
        if descriptor is not None:
            os.close(descriptor)

    def submit(self, works: Iterable[Work]) -> None:
        """Hand works to the transport."""
        self._transport.submit([self._job(work) for work in works])

    def _job(self, work: Work) -> Job:
        return Job(
            id=work.id,
            url=work.url,
            directory=self._areas[work.fileset],
            name=work.name,
            size=work.size,
            digest=work.digest,
            access=work.access,
            offset=work.offset,
            validator=work.validator,
            sync=self._sync,
            plain=work.plain,
            fresh=work.fresh,
            stuck=work.stuck,
            accepted=work.accepted,
        )

    def cancel(self, ids: Iterable[int]) -> None:
        """Stop works."""
        self._transport.cancel(ids)

    def progress(self) -> list[Progress]:
        """Return how far the works under way have come."""
        return self._transport.progress()

    def limit(self, bytes_per_second: int) -> None:
        """Bound the sum of all rates."""
        self._transport.limit(bytes_per_second)

    def close(self) -> None:
        """Stop the transport and close all staging directories."""
        self._transport.close()
        for fileset in list(self._areas):
            self.end(fileset)
