"""Where one scenario is played again and again: undisturbed once, then killed at one point after the other."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.crash import state
from tests.crash.points import Point, found
from tests.crash.tracer import CANNOT_TRACE
from tests.servers.datastore import DataStore
from tests.whole.site import COMMAND, SECONDS, Site

KILLED = 128 + 9
ALLOWED = {"mirrortui.toml", "mirrortui.log", "data", "mirror.db", "mirror.db.lock", "mirror.db.ballast"}
ALLOWED_MIDWAY = ALLOWED | {"mirror.db-wal", "mirror.db-shm", "mirror.db-journal"}

Prepare = Callable[[DataStore, Site], state.Tree]
"""Brings a site to where the scenario begins; returns the data files that a mirror has to hold in the end."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a run has to do. With `lead_in` it begins with what a kill at that point left behind.

    `arm` plans the faults of each run.
    """

    prepare: Prepare
    engine: str = ""
    mirror: str = ""
    arm: Callable[[DataStore], None] = lambda _: None
    lead_in: Point | None = None


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run that was to be killed at a point."""

    point: Point
    verdict: Verdict
    seconds: float
    why: str = ""


class Lab:
    """A Data Store, a site that mirrors it, and copies of the site from before the run."""

    def __init__(self, scenario: Scenario, folder: Path):
        self._scenario = scenario
        self._folder = folder
        self._store = DataStore()
        self._stack = ExitStack()
        self.points: list[Point] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self._store)
        try:
            self._prepare()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _prepare(self) -> None:
        """Bring the site to the scenario's beginning, trace an undisturbed run, and keep both ends."""
        scenario = self._scenario
        self._site = Site(self._folder / "site", self._store.url, engine=scenario.engine, mirror=scenario.mirror)
        wanted = scenario.prepare(self._store, self._site)
        self._site.data.mkdir(exist_ok=True)
        shutil.copytree(self._site.folder, self._folder / "before", symlinks=True)
        self._begin()
        code = self._run([])
        assert code == 0, f"the undisturbed run ended with {code}: {self._site.log()}"
        record = (self._folder / "record").read_text().splitlines()
        self.points = found(record)
        assert self.points, "nothing was changed"
        self._after = state.tree(self._site.data)
        self._records = state.records(self._site.folder / "mirror.db")
        self._demand_same({path: body for path, body in self._after.items() if not path.endswith("index.txt")}, wanted)
        self._aside = state.set_aside(self._site.data / state.PRIVATE)
        self._demand_done(self._after)

    def _begin(self) -> None:
        """Bring back the scenario's beginning."""
        shutil.rmtree(self._site.folder)
        shutil.copytree(self._folder / "before", self._site.folder, symlinks=True)
        self._store.heal()
        self._scenario.arm(self._store)
        if self._scenario.lead_in is not None:
            code = self._run(self._scenario.lead_in.arguments)
            assert code == KILLED, f"{self._scenario.lead_in} was not reached"
        self._before = state.tree(self._site.data)

    def _run(self, point: list[str]) -> int:
        """Run the program under the tracer; return its exit code."""
        record = self._folder / "record"
        tracer = [sys.executable, "-m", "tests.crash.tracer", str(self._site.folder), str(record), *point, "--"]
        ended = subprocess.run(
            [*tracer, *COMMAND, "--once", "--quiet"],
            cwd=self._site.folder,
            env=self._site.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.returncode != CANNOT_TRACE, ended.stderr
        return ended.returncode

    def play(self, point: Point) -> Outcome:
        """Kill a run at a point, look, let the next run go on, look again."""
        began = time.monotonic()
        verdict, why = Verdict.PASSED, ""
        try:
            self._begin()
            code = self._run(point.arguments)
            if code != KILLED:
                assert code == 0, f"not killed, but ended with {code}"
                verdict = Verdict.NOT_REACHED
            self._look_and_go_on(point)
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            verdict, why = Verdict.FAILED, f"{type(error).__name__}: {error}"
        return Outcome(point, verdict, time.monotonic() - began, why)

    def _look_and_go_on(self, point: Point) -> None:
        copy = state.copied(self._site, self._folder / "copy")
        self._demand_answer(copy, ("status", "failures")[point.number % 2])
        seen = state.tree(self._site.data)
        self._demand_nothing_half(seen)
        self._demand_nothing_elsewhere(ALLOWED_MIDWAY)
        database = copy.folder / "mirror.db"
        state.demand_sound(database)
        known = state.known_files(database)
        self._store.forget()
        result = self._site.once()
        assert result["exit_code"] == 0, f"the next run ended with {result['exit_code']}: {result['failures']}"
        self._demand_done(state.tree(self._site.data))
        self._demand_fetched_once(seen, known)

    def _demand_answer(self, copy: Site, command: str) -> None:
        """A command that only reads answers; before there is a state it says so."""
        database = copy.folder / "mirror.db"
        expected = 0 if state.has_schema(database) or not database.exists() else 2
        ended = copy.run(command, "--json")
        assert ended.code == expected, f"{command} ended with {ended.code}: {ended.err}"
        assert ended.code == 2 or ended.json, f"{command} says nothing"

    def _demand_nothing_half(self, seen: state.Tree) -> None:
        """Each fileset is there as it was, or as it will be; an index names only what is there."""
        now, before, after = (state.filesets(files) for files in (seen, self._before, self._after))
        for name in before.keys() | now.keys():
            assert now.get(name) in (before.get(name), after.get(name)), f"{name} is half visible"
        for path, body in seen.items():
            if path.endswith("index.txt") and path.count("/") < 2:
                parent = (self._site.data / path).parent
                missing = [name for name in state.listed(body) if not (parent / name).is_dir()]
                assert not missing, f"{path} names {missing}, which are not there"

    def _demand_nothing_elsewhere(self, allowed: set[str]) -> None:
        known = {path.split("/")[0] for path in self._after} | {state.PRIVATE}
        self._demand_only(allowed, self._site.folder)
        self._demand_only(known, self._site.data)

    def _demand_only(self, names: set[str], folder: Path) -> None:
        superfluous = sorted({path.name for path in folder.iterdir()} - names)
        assert not superfluous, f"what is {superfluous} in {folder.name}?"

    def _demand_done(self, seen: state.Tree) -> None:
        """Everything is as an undisturbed run leaves it, and nothing of the work is left over."""
        self._demand_same(seen, self._after)
        self._demand_nothing_elsewhere(ALLOWED)
        self._demand_tidy()
        database = self._site.folder / "mirror.db"
        state.demand_sound(database)
        said = state.records(database)
        assert said == self._records, f"the state says {said - self._records}, not {self._records - said}"
        assert not (left := state.unfinished(database)), f"not done: {left}"

    def _demand_same(self, seen: state.Tree, wanted: state.Tree) -> None:
        different = sorted(path for path in seen.keys() | wanted.keys() if seen.get(path) != wanted.get(path))
        assert not different, f"missing, superfluous or wrong: {different}"

    def _demand_tidy(self) -> None:
        private = self._site.data / state.PRIVATE
        self._demand_only({"lock", "marker", "staging", "replaced"}, private)
        assert not list((private / "staging").glob("*/*")), "something is left over in staging"
        assert state.set_aside(private) == self._aside, "what nobody listed is not set aside"

    def _demand_fetched_once(self, seen: state.Tree, known: list[state.KnownFile]) -> None:
        """What stood at its final place, or was known to be staged, is not asked for; what was begun is continued."""
        asked = {request.path: request.headers for request in reversed(self._store.requests)}
        after = state.filesets(self._after)
        standing = {
            f"{name}/{file}"
            for name, files in state.filesets(seen).items()
            if files == after.get(name)
            for file in files.keys() - {"index.txt"}
        }
        known = [file for file in known if file.digest == hashlib.md5(self._after.get(file.path, b"")).hexdigest()]
        staged = {file.path for file in known if file.state == "staged"}
        again = sorted((standing | staged) & asked.keys())
        assert not again, f"fetched again: {again}"
        begun = {file.path for file in known if file.state == "partial" and file.kept} & asked.keys()
        anew = sorted(path for path in begun if "range" not in asked[path])
        assert not anew, f"begun anew: {anew}"
