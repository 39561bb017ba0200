"""A Data Store that speaks the IPP protocol as the real server does, and misbehaves on command."""

from __future__ import annotations

import base64
import ssl
import threading
from dataclasses import dataclass

from tests.servers.answers import Answer, Request, Resource, answer
from tests.servers.catalogue import Catalogue, ServedFile
from tests.servers.faults import Fault
from tests.servers.script import play
from tests.servers.server import Server, matches
from tests.servers.wire import Wire

__all__ = ["DataStore", "Fault", "Request", "ServedFile"]


@dataclass(slots=True)
class _Planned:
    path_glob: str
    fault: Fault
    left: int | None


class DataStore(Server, Catalogue):
    """A store on loopback; ``with`` or `start` starts it.

    With `username` and `password`, or with `bearer`, it demands them.
    """

    def __init__(
        self,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str = "",
        bearer: str | None = None,
    ) -> None:
        Server.__init__(self, port, tls)
        Catalogue.__init__(self)
        self._demanded = _authorization(username, password, bearer)
        self._plan: list[_Planned] = []
        self._planning = threading.Lock()

    def fault(self, path_glob: str, fault: Fault, times: int | None = 1) -> None:
        """Plan a fault for the next `times` requests of matching paths (None: for ever).

        Of several faults for a path the one that was planned first has its turns first. The glob may
        include the query: ``gpc1/index.txt?*``.
        """
        with self._planning:
            self._plan.append(_Planned(path_glob, fault, times))

    def heal(self, path_glob: str = "*") -> None:
        """Drop the faults that were planned for `path_glob`, or all."""
        with self._planning:
            self._plan = [planned for planned in self._plan if path_glob not in {"*", planned.path_glob}]

    async def respond(self, request: Request, wire: Wire) -> None:
        """Answer as the real server does, or as the fault whose turn it is wants."""
        if self._demanded and request.headers.get("authorization") != self._demanded:
            await wire.send(Answer(401, headers={"WWW-Authenticate": 'Basic realm="ds"'}))
            return
        fault = self._next_fault(request) or Fault("none")
        found = self.find(request.segments, request.query)
        if isinstance(found, int):
            honest = Answer(found)
        else:
            honest = answer(request, fault.change_resource(found) if isinstance(found, Resource) else None)
        await play(fault.steps, wire, fault.change_answer(honest))

    def _next_fault(self, request: Request) -> Fault | None:
        with self._planning:
            for planned in self._plan:
                if planned.left != 0 and matches(request, planned.path_glob):
                    if planned.left is not None:
                        planned.left -= 1
                    return planned.fault
        return None


def _authorization(username: str | None, password: str, bearer: str | None) -> str | None:
    if bearer is not None:
        return f"Bearer {bearer}"
    if username is not None:
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    return None
