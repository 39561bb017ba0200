"""The long run itself is ``make soak``; here is what it judges by, and that it notices what is wrong."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.model.upstream import Upstream
from tests.servers.datastore import DataStore
from tests.soak import ending
from tests.soak.cast import Actor, Book
from tests.soak.figures import MEGA, Life, Sample, Sizes, growth, sample, slope
from tests.soak.keeper import expected
from tests.soak.place import Place
from tests.soak.weather import FILES


def life(*samples: tuple[float, int, int, int]) -> Life:
    return Life("run", 1, [Sample(*one) for one in samples])


def test_the_slope_is_that_of_the_line_which_fits_best() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 0), (1, 5), (2, 0), (3, 5)]) == pytest.approx(1)
    assert slope([(0, 7)]) == slope([]) == slope([(1, 2), (1, 3)]) == 0


def test_what_goes_up_and_down_with_the_work_does_not_grow_and_what_leaks_does() -> None:
    assert growth([10, 30, 12, 10, 44, 31, 10, 11, 25]) == 0
    assert growth([10, 30, 12, 15, 44, 31, 20, 22, 25]) == 5
    assert growth([1, 2]) == 0


def test_a_life_that_grows_in_every_way_is_complained_about() -> None:
    growing = life(*((n * 2.0, 70 * MEGA + n * MEGA // 10, 30 + n // 50, 6 + n // 60) for n in range(900)))
    assert growing.slope == pytest.approx(180, rel=0.01)
    memory, descriptors, threads = growing.complaints()
    assert "memory grows by 180" in memory
    assert "6 descriptors more" in descriptors
    assert "5 threads more" in threads


def test_a_life_that_only_warms_up_or_is_short_is_left_in_peace() -> None:
    warming = life(*((n * 2.0, min(70 + n, 90) * MEGA, min(10 + n, 40) + n % 7, 6) for n in range(900)))
    assert warming.complaints() == []
    short = life(*((n * 2.0, 70 * MEGA + n * MEGA, 10 + n, 6 + n) for n in range(100)))
    assert short.complaints() == []


def test_a_process_is_looked_at_from_outside_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(), input()"], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = sample(process.pid, 4.0)
        assert found is not None
        assert (found.at, found.threads) == (4.0, 1)
        assert found.rss > MEGA
        assert found.descriptors >= 3
    assert sample(process.pid, 5.0) is None


def test_the_most_that_was_ever_taken_is_kept(tmp_path: Path) -> None:
    staging = tmp_path / "data/.mirrortui/staging/1/2"
    staging.mkdir(parents=True)
    sizes = Sizes()
    (staging / "a").write_bytes(b"x" * 100)
    (tmp_path / "mirror.db-wal").write_bytes(b"x" * 10)
    sizes.look(tmp_path)
    (staging / "a").unlink()
    sizes.look(tmp_path)
    assert (sizes.staging, sizes.log_of_state) == (100, 10)


def test_a_service_may_end_only_when_it_is_told_to_and_in_the_way_that_it_is_told() -> None:
    assert expected(False, ()) == set()
    assert expected(False, (signal.SIGHUP,)) == {0}
    assert expected(False, (signal.SIGKILL,)) == {-9}
    assert expected(False, (signal.SIGTERM, signal.SIGTERM)) == {0, 143, -15}
    assert 1 not in expected(True, ())
    assert {-9, 0} <= expected(True, (signal.SIGKILL,))


class Stumbling(Actor):
    def __init__(self, book: Book):
        super().__init__("one who stumbles", book, 1, (0.0, 0.0))
        self.acts = 0
        self.enough = threading.Event()

    def act(self) -> None:
        self.acts += 1
        if self.acts == 2:
            self.enough.set()
        raise ValueError("a stone")


def test_who_stumbles_is_told_of_and_plays_on(capsys: pytest.CaptureFixture[str]) -> None:
    book = Book()
    actor = Stumbling(book)
    actor.start()
    assert actor.enough.wait(30)
    book.stop.set()
    actor.join(30)
    assert len(book.complaints) == actor.acts
    assert "one who stumbles: ValueError: a stone" in capsys.readouterr().out


def test_what_no_program_may_say_is_found_in_logs_and_outputs(tmp_path: Path) -> None:
    place = Place("first", tmp_path, "http://127.0.0.1:9/ds")
    assert place.start("status").wait() == 0
    assert list(place.unsound()) == []
    (place.site.folder / "mirrortui.log.1").write_text("well\nRuntimeWarning: coroutine 'x' was never awaited\n")
    assert [line.partition(":")[0] for line in place.unsound()] == ["mirrortui.log.1"]


def test_a_place_at_rest_is_right_until_something_is_wrong_and_all_of_that_is_found(
    tmp_path: Path, datastore: DataStore, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream = Upstream(datastore, FILES)
    for fileset in ("f1", "f2"):
        upstream.register("p0", fileset)
    place = Place("first", tmp_path, datastore.url)
    assert place.start("--once").wait() == 0
    book = Book()
    ending.check(book, place, upstream)
    assert book.complaints == []
    upstream.register("p0", "f3")
    do_harm(place)
    ending.check(book, place, upstream)
    ending.check_idle(book, place, datastore)
    assert {complaint.removeprefix("first: ").partition(":")[0] for complaint in book.complaints} == {
        "what is published",
        "what upstream offers",
        "the state file",
        "what is left over",
        "what was said",
        "verify",
        "a run with nothing to do ended with 3, and fetched 2 files",
    }


def do_harm(place: Place) -> None:
    """Change a file, leave something behind, count wrong, and say what must not be said."""
    changed = place.mirror.data / "p0/f1/a.fits"
    changed.write_bytes(b"x" * changed.stat().st_size)
    (place.mirror.data / ".mirrortui/replaced/p0").mkdir(parents=True)
    with closing(sqlite3.connect(place.mirror.state)) as db, db:
        db.execute("UPDATE counters SET n = n + 1")
    with (place.site.folder / "mirrortui.log").open("a") as log:
        log.write("Traceback (most recent call last):\n")
