"""What a run may have to do when it is killed: each scenario begins another kind of work."""

from __future__ import annotations

from tests.crash.lab import Scenario
from tests.crash.points import Point
from tests.crash.state import Tree, filesets
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, wait_until
from tests.whole.site import SECONDS, Site, fill, register

LARGE = 5 << 19
"""Bytes of a file that is written in blocks: two and a half of them."""
AT_ONCE = 'drain_timeout = "0s"'
LATER = "2026-11-02T00:00:00Z"


def small(store: DataStore, site: Site) -> Tree:
    """Register two products: small files, a file of several blocks, an empty one."""
    return fill(store, products=1, filesets=2, files=3) | _with_large(store, "prod1")


def _with_large(store: DataStore, product: str) -> Tree:
    store.add_product(product)
    files = {"large.fits": bytes(range(256)) * (LARGE // 256), "empty.fits": b"", "small.fits": b"small" * 100}
    store.add_fileset(product, "large", dict(files))
    return {f"{product}/large/{name}": body for name, body in files.items()}


def many(store: DataStore, site: Site) -> Tree:
    """Register so many files that a group of filesets is flushed with its file system."""
    return fill(store, products=1, filesets=4, files=12)


def broken_off(store: DataStore, site: Site) -> Tree:
    """A file of several blocks, of which the first are there; its siblings wait."""
    wanted = _with_large(store, "prod0") | _with_large(store, "prod1")
    store.fault("prod?/large/large.fits", Fault.stall(after=LARGE - 1000), times=None)
    process = site.start("--once", "--quiet")
    wait_until(lambda: len(seen(site, "SELECT 1 FROM transfers WHERE received > 2000000")) == 2, "bytes on disk")
    process.terminate()
    process.communicate(timeout=SECONDS)
    assert len(seen(site, "SELECT 1 FROM files WHERE state = 'partial' AND kept > 2000000")) == 2, site.log()
    return wanted


def grown(store: DataStore, site: Site) -> Tree:
    """A mirror whose source has new filesets and a new product."""
    wanted = fill(store, products=2, filesets=2, files=3)
    site.once()
    wanted |= register(store, "prod0", "o470.new") | register(store, "prod1", "o471.new")
    store.add_product("prod2")
    return wanted | register(store, "prod2", "o472.new")


def registered_again(store: DataStore, site: Site) -> Tree:
    """Filesets of other content, of the same content, and one beside whose files somebody has put a note."""
    wanted = fill(store, products=2, filesets=3, files=3)
    site.once()
    for product, fileset in (("prod0", "o470.chip.1"), ("prod1", "o471.chip.1")):
        changed, gone = (f"{product}/{fileset}/{fileset}.{n}.fits" for n in (1, 2))
        del wanted[gone]
        wanted |= {changed: b"corrected", f"{product}/{fileset}/added.fits": b"added"}
    for product, fileset in (("prod0", "o470.chip.1"), ("prod1", "o471.chip.1"), ("prod1", "o471.chip.0")):
        store.register_again(product, fileset, filesets(wanted)[f"{product}/{fileset}"], registered=LATER)
    (site.data / "prod0/o470.chip.1/NOTE").write_bytes(b"written by hand")
    return wanted


def tree_without_state(store: DataStore, site: Site) -> Tree:
    """A published tree without a state file; of one fileset a file is damaged, of another one is missing."""
    wanted = fill(store, products=2, filesets=3, files=3)
    site.once()
    for path in site.folder.glob("mirror.db*"):
        path.unlink()
    damaged = site.data / "prod0/o470.chip.1/o470.chip.1.2.fits"
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    (site.data / "prod1/o471.chip.0/o471.chip.0.0.fits").unlink()
    return wanted


def withdrawn(store: DataStore, site: Site) -> Tree:
    """A source that no longer lists two of its filesets, and has a new one."""
    wanted = fill(store, products=2, filesets=4, files=2)
    site.once()
    store.withdraw("prod0", "o470.chip.1")
    store.hide("prod1", "o471.chip.2")
    return wanted | register(store, "prod0", "o470.new", files=2)


def failed(store: DataStore, site: Site) -> Tree:
    """Files that wait for another try or are in quarantine, and an operator who asks to try all of them again."""
    wanted = fill(store, products=2, filesets=3, files=3)
    store.fault("prod0/o470.chip.0/*.1.fits", Fault.status(404))
    store.fault("prod0/o470.chip.1/*.2.fits", Fault.flip(5), times=None)
    assert (ended := site.once())["exit_code"] == 3, ended["failures"]
    assert site.run("retry", "--all").code == 0
    return wanted | register(store, "prod1", "o471.new", files=3)


def one_wrong_answer(store: DataStore) -> None:
    """Serve one file wrong, once: it is fetched again at once."""
    store.fault("prod1/o471.new/*.2.fits", Fault.flip(7))


def damaged(store: DataStore, site: Site) -> Tree:
    """A published tree in which a file was changed and another one is missing: both found, and to be tried again."""
    wanted = fill(store, products=2, filesets=2, files=3)
    site.once()
    changed = site.data / "prod0/o470.chip.1/o470.chip.1.2.fits"
    changed.write_bytes(b"x" * changed.stat().st_size)
    (site.data / "prod1/o471.chip.0/o471.chip.0.0.fits").unlink()
    assert site.run("verify", "--quiet").code == 3
    assert site.run("retry", "--all").code == 0
    return wanted


def given_up(store: DataStore, site: Site) -> Tree:
    """Filesets under way of which an operator cancels one; the other goes on."""
    wanted = broken_off(store, site)
    assert site.run("cancel", "prod0/large").code == 0
    return {path: body for path, body in wanted.items() if not path.startswith("prod0/")}


SCENARIOS = {
    "first, each file flushed": Scenario(small, engine='durability = "full"'),
    "first, many files": Scenario(many),
    "resumed": Scenario(broken_off, engine='durability = "full"\n' + AT_ONCE),
    "grown": Scenario(grown),
    "replaced": Scenario(registered_again),
    "adopted": Scenario(tree_without_state),
    "withdrawn": Scenario(withdrawn, mirror='reconcile_interval = "0.1s"'),
    "tried again": Scenario(failed, arm=one_wrong_answer),
    "repaired": Scenario(damaged),
    "given up": Scenario(given_up, engine=AT_ONCE),
    "killed while it published": Scenario(
        small, engine='durability = "full"', lead_in=Point("rename published", 2, "after")
    ),
    "killed while it replaced": Scenario(registered_again, lead_in=Point("exchange published", 1, "after")),
    "killed while it fetched": Scenario(small, lead_in=Point("write staging", 5, "midway")),
}
"""By name; the last ones kill a run that goes on after a kill."""
