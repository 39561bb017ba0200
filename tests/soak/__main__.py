"""The long run: ``python -m tests.soak --minutes 30 [--seed N] [--folder FOLDER]``.

Thousands of small filesets appear, fail, heal, are withdrawn and registered anew; operators command; engines are killed
and started again; dashboards come and go; a second mirror copies the first one's published tree. In the second half the
engine of the first mirror is left alone, that of the second one always is: so it shows what grows. Then everything is
healed, has to come to rest, and is checked. Ctrl-C ends the turbulence early, a second one everything. Exits with 1 if
anything was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import randrange

from tests.model.upstream import Upstream
from tests.servers.datastore import DataStore
from tests.servers.recorded import serve_tree
from tests.soak import ending
from tests.soak.cast import Actor, Book, say
from tests.soak.figures import MEGA
from tests.soak.keeper import PATIENCE, Keeper
from tests.soak.onlooker import Onlooker
from tests.soak.operators import Operators
from tests.soak.place import Place
from tests.soak.weather import FILES, PRODUCTS, Weather
from tests.whole.service import seen

PROGRESS_SECONDS = 30.0
SAMPLE_SECONDS = 2.0
COUNTED = "SELECT sum(state = 'published'), sum(trouble <> '') FROM filesets"
TOLD_LIVES = 6


class Soak:
    """One long run."""

    def __init__(self, folder: Path, seconds: float, seed: int):
        self.book = Book()
        self._seconds = seconds
        self._seed = seed
        self._store = DataStore()
        self._upstream = Upstream(self._store, FILES)
        for product in PRODUCTS:
            self._upstream.add_product(product)
        self._tree = serve_tree(folder / "first/site/data")
        self._folder = folder

    def run(self) -> bool:
        """Play, heal, check, and print the figures; return whether all was well."""
        with self._store, self._tree:
            self._first = Place("first", self._folder, self._store.url)
            self._second = Place("second", self._folder, self._tree.url)
            self._places = (self._first, self._second)
            try:
                self._play()
                self._end()
            finally:
                for place in self._places:
                    place.end_engine(signal.SIGKILL)
        self._tell()
        return not self.book.complaints

    def _cast(self) -> list[Actor]:
        book, seed, calm = self.book, self._seed, self._seconds / 2
        return [
            Weather(book, seed, self._store, self._upstream),
            Operators(book, seed, self._first, (0.2, 2.0)),
            Operators(book, seed, self._second, (2.0, 10.0)),
            Onlooker(book, seed, self._places, calm),
            Keeper(book, seed, self._first, self._upstream, calm),
            Keeper(book, seed, self._second, self._upstream, 0.0),
        ]

    def _play(self) -> None:
        cast = self._cast()
        for actor in cast:
            actor.start()
        told = 0.0
        try:
            while self.book.elapsed < self._seconds:
                time.sleep(SAMPLE_SECONDS)
                self._look()
                if self.book.elapsed - told >= PROGRESS_SECONDS:
                    told = self.book.elapsed
                    self._progress()
        except KeyboardInterrupt:
            say("stopping early; what can be checked is checked all the same")
        self.book.stop.set()
        for actor in cast:
            actor.join(PATIENCE)

    def _look(self) -> None:
        """Take the figures of all processes that live, and of the folders."""
        for life in list(self.book.lives):
            life.look(self.book.elapsed)
        for place in self._places:
            place.sizes.look(place.site.folder)

    def _progress(self) -> None:
        counts = self.book.counts
        words = [f"{self.book.elapsed / 60:5.1f} min: {counts['filesets registered']:,} filesets registered"]
        for place in self._places:
            published, trouble = (seen(place.site, COUNTED) or [(0, 0)])[0]
            words.append(f"{place.name} published {published or 0:,}, in trouble {trouble or 0:,}")
        lives = [life for life in self.book.lives if life.samples and self.book.elapsed - life.samples[-1].at < 5]
        words += [f"{life.name} {life.samples[-1].rss / MEGA:.0f} MB" for life in lives]
        say("; ".join([*words, f"{len(self.book.complaints)} wrong"]))

    def _end(self) -> None:
        """Heal everything, and check it."""
        self._upstream.heal()
        for place in self._places:
            place.end_engine(signal.SIGTERM)
        for place, store in ((self._first, self._store), (self._second, self._tree)):
            self._await_end(place)
            if code := ending.come_to_rest(place):
                self.book.complain(f"{place.name} does not come to rest: its last run ended with {code}")
            ending.check(self.book, place, self._upstream)
            ending.check_idle(self.book, place, store)
        ending.check_copy(self.book, self._first, self._second)
        for life in self.book.lives:
            for complaint in life.complaints():
                self.book.complain(complaint)

    def _await_end(self, place: Place) -> None:
        until = time.monotonic() + PATIENCE
        while place.engine() is not None and time.monotonic() < until:
            time.sleep(0.1)

    def _tell(self) -> None:
        """Print all figures."""
        say(
            f"\n{time.strftime('%Y-%m-%d')}, {self._seconds / 60:g} min wanted, {self.book.elapsed / 60:.1f} min in all"
        )
        for what, number in sorted(self.book.counts.items()):
            say(f"{number:>8,}  {what}")
        for life in sorted(self.book.lives, key=lambda life: -life.seconds)[:TOLD_LIVES]:
            say(str(life))
        for place in self._places:
            say(f"{place.name}: {place.figures(max(1, ending.filesets(place)))}")
        say(f"{len(self.book.complaints)} wrong")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play for as long as is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of turbulence, before all is checked")
    parser.add_argument("--seed", type=int, default=randrange(1_000_000), help="of all that is left to chance")
    parser.add_argument(
        "--folder", type=Path, help="where to work; stays. Else a temporary one, which stays on failure"
    )
    options = parser.parse_args(arguments)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="mirrortui-soak-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {options.seed}, in {folder}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        well = Soak(folder, options.minutes * 60, options.seed).run()
    except KeyboardInterrupt:
        say("stopped; nothing more is checked")
        return 130
    if well and options.folder is None:
        with suppress(OSError):
            shutil.rmtree(folder)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
