"""Operators, upstream, faults and crashes in any order: the mirror does what the model says, and never anything wrong.

`make test` plays a few games, always the same; ``make test-model`` plays many new ones. How many, and how long each:
MIRRORTUI_GAMES, MIRRORTUI_STEPS.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from core.model import CommandKind as Kind
from core.store.commands import Target
from tests.model import expectations, invariants
from tests.model.expectations import after_wishes, exit_code, outcomes
from tests.model.mirror import Mirror, Name, Seen, Wish
from tests.model.program import running
from tests.model.semantics import OPEN, PASSED
from tests.model.upstream import FAULTS, FILES, PASSING, Upstream
from tests.servers.datastore import DataStore

GAMES = int(os.environ.get("MIRRORTUI_GAMES", "0"))
STEPS = int(os.environ.get("MIRRORTUI_STEPS", "30"))
SETTINGS = settings(
    max_examples=GAMES or 6,
    stateful_step_count=STEPS,
    derandomize=not GAMES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink) if GAMES else (Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

PRODUCTS, FILESETS = st.sampled_from(["p", "q"]), st.sampled_from(["f1", "f2"])
NAMES = st.sampled_from(sorted(FILES))
ON_FILESETS = {
    Kind.HOLD: None,
    Kind.RELEASE: None,
    Kind.CANCEL: None,
    Kind.REQUEUE: None,
    Kind.RETRY: None,
    Kind.NOW: None,
    Kind.ACCEPT: None,
    Kind.PRIORITY: "+1",
    Kind.MOVE: "top",
}
ALL = Target()
MOMENTS = st.integers(1, 25)
"""After how many requests something happens to a run."""
LEASE_HELD = 6


def one_fileset(product: str, fileset: str, value: str | None = None) -> Target:
    return Target(filesets=(f"ps1/{product}/{fileset}",), value=value)


def wait_for_requests(store: DataStore, number: int, process: BaseProcess) -> None:
    """Wait until there were so many requests, or until the process has ended."""
    while process.is_alive() and len(store.requests) < number:
        time.sleep(0.001)


class MirrorGame(RuleBasedStateMachine):
    """Whoever changes something makes a move; a run follows, and is compared with what the model expects."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = DataStore().start()
        self.upstream = Upstream(self.store)
        self.mirror = Mirror(Path(self.folder.name), self.store.url)
        for product, fileset in (("p", "f1"), ("p", "f2"), ("q", "f1")):
            self.upstream.register(product, fileset)
        self.accepted: set[Name] = set()
        """Filesets of which evidence may have been accepted."""

    @initialize()
    def begin(self) -> None:
        """One fileset is published, one is in quarantine, one fails: there is something to do for everybody."""
        self.upstream.break_("p/f2/a.fits", "flipped")
        self.upstream.break_("q/f1/b.fits", "missing")
        after = self.run_to_the_end(whole=True)
        assert {name: one.trouble for name, one in after.filesets.items()} == {
            ("p", "f1"): "",
            ("p", "f2"): "quarantined",
            ("q", "f1"): "failed",
        }

    # Upstream.

    @rule(product=PRODUCTS, fileset=FILESETS)
    def register(self, product: str, fileset: str) -> None:
        self.upstream.register(product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def withdraw(self, product: str, fileset: str) -> None:
        self.upstream.withdraw(product, fileset)

    @rule(product=PRODUCTS)
    def empty(self, product: str) -> None:
        self.upstream.empty(product)

    @rule(product=PRODUCTS, fileset=FILESETS, hidden=st.booleans())
    def hide_or_show(self, product: str, fileset: str, hidden: bool) -> None:
        self.upstream.hide(product, fileset, hidden)

    @rule(product=PRODUCTS, fileset=FILESETS, file=NAMES, told=st.booleans())
    def change_a_file(self, product: str, fileset: str, file: str, told: bool) -> None:
        self.upstream.change(product, fileset, file, told)

    # Faults.

    @rule(product=PRODUCTS, fileset=FILESETS, file=NAMES, fault=st.sampled_from(sorted(FAULTS)))
    def break_a_file(self, product: str, fileset: str, file: str, fault: str) -> None:
        self.upstream.break_(f"{product}/{fileset}/{file}", fault)

    @rule(product=PRODUCTS, fileset=FILESETS, file=NAMES, fault=st.sampled_from(PASSING))
    def break_a_file_once(self, product: str, fileset: str, file: str, fault: str) -> None:
        self.upstream.break_once(f"{product}/{fileset}/{file}", fault)

    @rule(product=PRODUCTS, fileset=FILESETS, fault=st.sampled_from(["missing", "failing"]))
    def break_an_index(self, product: str, fileset: str, fault: str) -> None:
        self.upstream.break_(f"{product}/{fileset}/index.txt", fault)

    @rule(product=PRODUCTS)
    def break_a_list(self, product: str) -> None:
        self.upstream.break_(f"{product}/index.txt", "failing")

    @rule()
    def heal(self) -> None:
        self.upstream.heal()

    # Operators.

    @rule(product=PRODUCTS, fileset=FILESETS)
    def hold(self, product: str, fileset: str) -> None:
        self.wish(Kind.HOLD, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def release(self, product: str, fileset: str) -> None:
        self.wish(Kind.RELEASE, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def cancel(self, product: str, fileset: str) -> None:
        self.wish(Kind.CANCEL, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def requeue(self, product: str, fileset: str) -> None:
        self.wish(Kind.REQUEUE, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def retry(self, product: str, fileset: str) -> None:
        self.wish(Kind.RETRY, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def now(self, product: str, fileset: str) -> None:
        self.wish(Kind.NOW, product, fileset)

    @rule(product=PRODUCTS, fileset=FILESETS)
    def accept(self, product: str, fileset: str) -> None:
        self.wish(Kind.ACCEPT, product, fileset)

    @rule(kind=st.sampled_from([Kind.PRIORITY, Kind.MOVE]), product=PRODUCTS, fileset=FILESETS)
    def order(self, kind: Kind, product: str, fileset: str) -> None:
        self.wish(kind, product, fileset)

    def wish(self, kind: Kind, product: str, fileset: str) -> Wish:
        target = one_fileset(product, fileset, ON_FILESETS[kind])
        self.mirror.wish(kind, target)
        if kind is Kind.ACCEPT:
            self.accepted.add((product, fileset))
        return kind, target

    @rule(kind=st.sampled_from([Kind.PAUSE, Kind.RESUME]), product=st.none() | PRODUCTS)
    def pause_or_resume(self, kind: Kind, product: str | None) -> None:
        self.mirror.wish(kind, Target(product=product))

    @rule(kind=st.sampled_from([Kind.MIRROR, Kind.IGNORE]), product=PRODUCTS)
    def mirror_or_ignore(self, kind: Kind, product: str) -> None:
        self.mirror.wish(kind, Target(product=product))

    @rule(limit=st.sampled_from(["transfers=1", "transfers=", "bandwidth=50 MB/s", "bandwidth="]))
    def limit(self, limit: str) -> None:
        self.mirror.wish(Kind.LIMIT, Target(value=limit))

    @rule()
    def retry_all(self) -> None:
        self.mirror.wish(Kind.RETRY, ALL)

    # Runs.

    @rule(whole=st.booleans())
    def run(self, whole: bool) -> None:
        self.run_to_the_end(whole)

    def run_to_the_end(self, whole: bool) -> Seen:
        """Nobody disturbs the run: its outcome is the one that the model expects."""
        before = self.mirror.seen()
        start = after_wishes(before, before.pending.values())
        expected = outcomes(start, self.upstream, whole=whole, there=self.mirror.digests())
        self.mirror.list_all(whole)
        ended = self.mirror.once()
        after = self.checked()
        for name, allowed in expected.items():
            fileset = after.filesets.get(name)
            outcome = (fileset.state, fileset.trouble) if fileset else None
            assert outcome in allowed, f"{name}: {outcome}, not {allowed}; before: {before.filesets.get(name)}"
        self.check_products(start, after, whole)
        self.check_wishes(before)
        invariants.check_lists(self.mirror, after)
        assert ended.code == ended.result["exit_code"] == exit_code(after), ended
        told = {(one["product"], one["fileset"]) for one in ended.result["failures"]}
        selected = {name for name, product in after.products.items() if product.selected}
        assert told == {name for name, one in after.filesets.items() if one.trouble and name[0] in selected}
        return after

    @rule(moment=MOMENTS, number=st.sampled_from([signal.SIGKILL, signal.SIGTERM]), again=st.booleans())
    def run_and_stop(self, moment: int, number: signal.Signals, again: bool) -> None:
        """The run is killed, told to stop, or told so twice: nothing is lost, nothing wrong is published."""
        before, so_far = self.mirror.seen(), len(self.store.requests)
        with running(self.mirror.site.folder, "--once", "--json") as process:
            wait_for_requests(self.store, so_far + moment, process)
            for _ in range(2 if again else 1):
                if process.is_alive() and process.pid:
                    os.kill(process.pid, number)
        self.mirror.ended(process.exitcode)
        self.check_nothing_lost(before, [])

    @rule(moment=MOMENTS, kind=st.sampled_from(sorted(ON_FILESETS)), product=PRODUCTS, fileset=FILESETS)
    def run_and_wish(self, moment: int, kind: Kind, product: str, fileset: str) -> None:
        """An operator wishes something while the engine is at work."""
        before, so_far = self.mirror.seen(), len(self.store.requests)
        with running(self.mirror.site.folder, "--once", "--json") as process:
            wait_for_requests(self.store, so_far + moment, process)
            wish = self.wish(kind, product, fileset)
        assert process.exitcode in {0, 3, 4, 7}
        self.check_nothing_lost(before, [wish])

    @rule()
    def run_twice(self) -> None:
        """Two engines are started: one of them works, or one after the other."""
        before = self.mirror.seen()
        folder = self.mirror.site.folder
        with running(folder, "--once", "--json") as one, running(folder, "--once", "--json") as other:
            pass
        assert {one.exitcode, other.exitcode} <= {0, 3, 4, 7, LEASE_HELD}
        assert {one.exitcode, other.exitcode} != {LEASE_HELD}
        self.check_nothing_lost(before, [])

    @rule()
    def reboot(self) -> None:
        self.mirror.reboot()

    # What is checked.

    def checked(self) -> Seen:
        seen = self.mirror.seen()
        invariants.check(self.mirror, self.upstream, seen)
        return seen

    def check_products(self, start: Seen, after: Seen, whole: bool) -> None:
        for name, product in after.products.items():
            known = start.products.get(name)
            assert known is None or (product.selected, product.paused) == (known.selected, known.paused)
            if not expectations.at_work(start, name):
                continue
            assert product.failing == (not self.upstream.lists(name))
            if self.upstream.lists(name) and whole:
                assert product.alarmed == expectations.alarming(start, self.upstream, name)

    def check_wishes(self, before: Seen) -> None:
        """Each wish was carried out, or refused, as the state was when its turn came."""
        for number, wish in before.pending.items():
            applies = expectations.applies(before, *wish)
            result = self.mirror.result_of(number)
            assert result == "done" if applies else applies is None or result == "refused", (wish, result)
            before = after_wishes(before, [wish])

    def check_nothing_lost(self, before: Seen, wishes: list[Wish]) -> None:
        """A run that was disturbed leaves each fileset somewhere between its start and its end."""
        stages = [before]
        for wish in [*before.pending.values(), *wishes]:
            stages.append(after_wishes(stages[-1], [wish]))
        after = self.checked()
        for name, fileset in before.filesets.items():
            offer = self.upstream.offer(*name)
            gone = offer is None or offer.hidden or offer.registered != fileset.registered
            ways = OPEN | PASSED | {"published", fileset.wish} | ({"withdrawn"} if gone else set())
            assert after.filesets[name].state in ways | {stage.filesets[name].state for stage in stages}

    def teardown(self) -> None:
        try:
            self.converge()
        finally:
            self.store.close()
            self.folder.cleanup()

    def converge(self) -> None:
        """Healed, released and tried again, the mirror has exactly what upstream lists."""
        self.upstream.heal()
        self.upstream.tell()
        for product in self.upstream.products:
            self.mirror.wish(Kind.MIRROR, Target(product=product))
            self.mirror.wish(Kind.RESUME, Target(product=product))
        for kind in (Kind.RESUME, Kind.RELEASE, Kind.REQUEUE, Kind.RETRY):
            self.mirror.wish(kind, ALL)
        after = self.run_to_the_end(whole=True)
        stuck = [name for name, one in after.filesets.items() if one.trouble and self.upstream.offer(*name)]
        if accepted := [(of, name) for of, name in stuck if name in self.upstream.listed(of)]:
            # what was accepted is not what upstream serves now: that has to be accepted in its turn
            assert set(accepted) <= self.accepted
            for name in accepted:
                self.mirror.wish(Kind.ACCEPT, one_fileset(*name))
            after = self.run_to_the_end(whole=True)
        if any(
            one.state == "published" and name not in self.upstream.listed(of)
            for (of, name), one in after.filesets.items()
        ):
            after = self.run_to_the_end(whole=True)
        self.check_converged(after)

    def check_converged(self, after: Seen) -> None:
        for product in after.products:
            if expectations.alarming(after, self.upstream, product):
                continue
            listed = self.upstream.listed(product)
            current = {name for (of, name), one in after.filesets.items() if (of, one.state) == (product, "published")}
            assert current == set(listed)
            for name, offer in listed.items():
                if (product, name) not in self.upstream.changed | self.accepted:
                    stands = {file: (self.mirror.data / product / name / file).read_bytes() for file in FILES}
                    assert stands == offer.files


TestMirror = MirrorGame.TestCase
TestMirror.settings = SETTINGS
TestMirror = pytest.mark.timeout(0)(TestMirror)
