"""Links that were planted, names that are traps, and disks that take no more."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.destinations.base import Place, Sealed
from core.destinations.posix import PosixDestination
from core.errors import DiskError
from core.model import Durability
from tests.core.destinations.conftest import OWNER, PLACE, content, expected, fill, publish, stage, staging

FILES = {"x.fits": b"x" * 1000}
TRAPS = ["", ".", "..", "a/b", "../outside", "/etc", ".mirrortui", "index.txt", "-rf", "a\nb", "n" * 256]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder that no destination may touch; it holds what the links want overwritten."""
    folder = tmp_path / "outside"
    fill(folder, {"x.fits": b"precious", "index.txt": b"precious"})
    fill(folder / "a.1", {"x.fits": b"precious"})
    return folder


@pytest.fixture(autouse=True)
def untouched(outside: Path) -> object:
    """Check at the end that nothing outside has changed."""
    yield
    assert {path.name for path in outside.iterdir()} == {"x.fits", "index.txt", "a.1"}
    assert (outside / "x.fits").read_bytes() == (outside / "index.txt").read_bytes() == b"precious"
    assert content(outside / "a.1") == {"x.fits": b"precious"}


def attempt(destination: PosixDestination, place: Place = PLACE) -> None:
    """Go all the way, staging files where the engine would."""
    destination.stage(place)
    area = destination.area(place.fileset_id)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open("x.fits", flags, 0o644, dir_fd=area), "wb") as file:
            file.write(FILES["x.fits"])
    finally:
        os.close(area)
    found = destination.inspect(place, expected(FILES))
    sealed = destination.seal(place, [b"index\n"], 1, found.in_place)
    destination.flush([sealed])
    destination.publish(sealed)
    destination.clear(place)


def test_a_link_in_the_place_of_a_product_is_not_followed(
    destination: PosixDestination, root: Path, outside: Path
) -> None:
    (root / "raw").symlink_to(outside)
    with pytest.raises(DiskError) as refusal:
        attempt(destination)
    assert not refusal.value.whole
    stage(destination, FILES)
    with pytest.raises(DiskError):
        destination.publish(destination.seal(PLACE, [b"index\n"], len(FILES), in_place=False))
    with pytest.raises(DiskError):
        destination.write_index("raw", [b"index\n"])


def test_a_link_in_the_place_of_a_fileset_is_not_followed(
    destination: PosixDestination, root: Path, outside: Path
) -> None:
    (root / "raw").mkdir()
    (root / "raw" / "a.1").symlink_to(outside)
    with pytest.raises(DiskError):
        destination.seal(PLACE, [b"index\n"], len(FILES), in_place=True)
    attempt(destination)
    assert content(root / "raw" / "a.1").keys() == {*FILES, "index.txt"}
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert kept.readlink() == outside


def test_a_link_among_published_files_is_not_adopted(destination: PosixDestination, root: Path, outside: Path) -> None:
    fill(outside.parent / "elsewhere", FILES)
    fill(root / "raw" / "a.1", {})
    (root / "raw" / "a.1" / "x.fits").symlink_to(outside.parent / "elsewhere" / "x.fits")
    destination.stage(PLACE)
    found = destination.inspect(PLACE, expected(FILES))
    assert (list(found.adopted), found.in_place) == ([], False)


def test_a_link_in_the_place_of_a_staging_area_is_not_followed(
    destination: PosixDestination, root: Path, outside: Path
) -> None:
    staging(root).symlink_to(outside)
    with pytest.raises(DiskError):
        attempt(destination)
    with pytest.raises(DiskError):
        destination.inspect(PLACE, expected(FILES))
    with pytest.raises(DiskError):
        destination.seal(PLACE, [b"index\n"], len(FILES), in_place=False)
    destination.drop(PLACE.fileset_id)
    attempt(destination)
    assert (root / "raw" / "a.1" / "x.fits").read_bytes() == FILES["x.fits"]


@pytest.mark.parametrize("believed", [True, False])
def test_links_among_staged_files_are_dropped(
    destination: PosixDestination, root: Path, outside: Path, believed: bool
) -> None:
    destination.stage(PLACE)
    (staging(root) / "x.fits").symlink_to(outside / "x.fits")
    (staging(root) / "extra").symlink_to(outside / "a.1")
    found = destination.inspect(PLACE, expected(FILES, staged=believed))
    assert (list(found.adopted), found.lost) == ([], [1] if believed else [])
    assert content(staging(root)) == {}


def test_a_link_in_the_place_of_the_index_is_not_followed(
    destination: PosixDestination, root: Path, outside: Path
) -> None:
    stage(destination, FILES)
    (staging(root) / "index.txt").symlink_to(outside / "index.txt")
    destination.seal(PLACE, [b"index\n"], len(FILES), in_place=False)
    assert not (staging(root) / "index.txt").is_symlink()
    publish(destination, FILES, Place(8, "raw", "b"))
    (root / "raw" / "index.txt").symlink_to(outside / "index.txt")
    destination.write_index("raw", [b"ours\n"])
    assert not (root / "raw" / "index.txt").is_symlink()


def test_what_is_planted_under_our_own_names_is_never_written_through(
    destination: PosixDestination, root: Path, outside: Path
) -> None:
    publish(destination, FILES)
    (root / ".mirrortui" / "index-new").hardlink_to(outside / "index.txt")
    destination.write_index("raw", [b"ours\n"])
    assert (root / "raw" / "index.txt").read_bytes() == b"ours\n"
    os.mkfifo(root / ".mirrortui" / "index-new")
    destination.write_index("raw", [b"ours again\n"])
    assert (root / "raw" / "index.txt").read_bytes() == b"ours again\n"


@pytest.mark.parametrize("where", [".mirrortui", ".mirrortui/staging", ".mirrortui/lock"])
def test_links_among_our_own_areas_are_refused_at_the_start(root: Path, outside: Path, where: str) -> None:
    path = root / where
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    with pytest.raises(DiskError, match="cannot be used"):
        PosixDestination(root, Durability.NONE, OWNER).open()


def test_a_link_among_old_staging_areas_is_removed_not_followed(root: Path, outside: Path) -> None:
    areas = root / ".mirrortui" / "staging"
    areas.mkdir(parents=True)
    (areas / "gone").symlink_to(outside)
    one = PosixDestination(root, Durability.NONE, OWNER)
    one.open()
    one.drop_others()
    one.close()
    assert [path.name for path in areas.iterdir()] == [OWNER]


@pytest.mark.parametrize("name", TRAPS)
def test_names_that_lead_elsewhere_are_refused(destination: PosixDestination, root: Path, name: str) -> None:
    for place in (replace(PLACE, product=name), replace(PLACE, fileset=name)):
        with pytest.raises(DiskError, match="refused"):
            destination.stage(place)
        fill(staging(root), FILES)
        with pytest.raises(DiskError, match="refused"):
            destination.inspect(place, expected(FILES))
        for in_place in (True, False):
            with pytest.raises(DiskError, match="refused"):
                destination.publish(Sealed(place, "1:2", in_place))
        with pytest.raises(DiskError, match="refused"):
            destination.is_published(place, "1:2")
        destination.drop(place.fileset_id)
    with pytest.raises(DiskError, match="refused"):
        destination.write_index(name, [b"index\n"])
    destination.stage(PLACE)
    with pytest.raises(DiskError, match="refused"):
        destination.inspect(PLACE, [replace(one, name=name) for one in expected(FILES)])
    assert [path.name for path in root.iterdir()] == [".mirrortui"]


def test_a_refusal_shows_no_control_bytes(destination: PosixDestination) -> None:
    with pytest.raises(DiskError) as refusal:
        destination.stage(replace(PLACE, fileset="a\x1b]52;c;x\x07"))
    assert str(refusal.value).isprintable()


def test_a_root_that_the_system_refuses_stops_the_whole_mirror() -> None:
    with pytest.raises(DiskError) as refusal:
        PosixDestination(Path("/sys/kernel/mirror"), Durability.NONE, OWNER).open()
    assert refusal.value.whole


@pytest.mark.parametrize("where", ["product", "product/fileset", ".mirrortui/staging/below", "link"])
def test_a_root_within_the_tree_of_another_mirror_is_refused(
    destination: PosixDestination, root: Path, tmp_path: Path, where: str
) -> None:
    (root / "product").mkdir()
    (tmp_path / "link").symlink_to(root / "product")
    destination.mark("its own")
    inner = tmp_path / "link" if where == "link" else root / where
    with pytest.raises(DiskError, match="is the tree of another mirror; choose a folder apart from it") as refused:
        PosixDestination(inner, Durability.NONE, "other").open()
    assert refused.value.whole
    assert not (inner / ".mirrortui").exists()


def test_a_root_whose_parent_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="mount its disk, or make it"):
        PosixDestination(tmp_path / "not mounted" / "data", Durability.NONE, OWNER).open()
    assert not (tmp_path / "not mounted").exists()


ON_A_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from core.errors import DiskError
from core.model import Durability
from tests.core.destinations.conftest import PLACE, OWNER, fill, stage, staging
from core.destinations.posix import PosixDestination

root = Path(sys.argv[1])
def mount(*options):
    subprocess.run(["mount", *options, root], check=True)

def refused(act):
    try:
        act()
    except DiskError as error:
        return error.whole
    return None

mount("-t", "tmpfs", "-o", "size=256k", "tmpfs")
one = PosixDestination(root, Durability.FILESET, OWNER)
one.open()
stage(one, {"x.fits": b"x" * 1000})
free, total = one.space()
assert 0 < free < total == 256 * 1024, (free, total)
try:
    fill(root, {"ballast": b"b" * 300_000})
except OSError:
    pass
assert one.space()[0] == 0
assert refused(lambda: one.seal(PLACE, [b"i" * 10_000], 1, in_place=False)) is True
assert refused(lambda: one.write_index(None, [b"i" * 10_000])) is True
assert not (root / "index.txt").exists()
(root / "ballast").unlink()
sealed = one.seal(PLACE, [b"index"], 1, in_place=False)
one.close()
mount("-o", "remount,ro")
assert refused(one.open) is True
mount("-o", "remount,rw")
one.open()
one.publish(sealed)
assert {path.name for path in (root / PLACE.product / PLACE.fileset).iterdir()} == {"x.fits", "index.txt"}
print("done")
"""


def test_a_full_and_a_read_only_disk_stop_the_whole_mirror_and_lose_nothing(tmp_path: Path) -> None:
    """In a mount namespace of its own, so that a small file system can be mounted by anybody."""
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
