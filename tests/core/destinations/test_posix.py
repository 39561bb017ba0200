"""Staging, adopting and publishing in a real directory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.destinations import linux
from core.destinations.base import Place
from core.destinations.posix import SYNC_EACH, PosixDestination
from core.errors import DiskError, LeaseHeld
from core.model import Durability
from tests.core.destinations.conftest import OWNER, PLACE, content, expected, fill, publish, recorded, stage, staging

FILES = {"x.fits": b"x" * 1000, "y.fits": b"y" * 2000, "empty": b""}
NEWER = {"x.fits": b"X" * 1000, "z.fits": b"z" * 10}


def other(root: Path, owner: str, durability: Durability = Durability.FILESET) -> PosixDestination:
    """Return another destination object at the same place."""
    return PosixDestination(root, durability, owner)


def test_opening_makes_the_root_and_private_areas(destination: PosixDestination, root: Path) -> None:
    assert [path.name for path in root.iterdir()] == [".mirrortui"]
    assert (root / ".mirrortui" / "staging" / OWNER).is_dir()
    free, total = destination.space()
    assert 0 < free <= total


@pytest.mark.parametrize("owner", [OWNER, "another"])
def test_only_one_engine_may_publish_here(destination: PosixDestination, root: Path, owner: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    second = other(root, owner)
    with pytest.raises(LeaseHeld, match="another engine"):
        second.open()
    assert len(os.listdir("/proc/self/fd")) == before
    destination.close()
    second.open()
    second.close()


def test_staging_areas_of_other_state_files_are_told_and_dropped(root: Path) -> None:
    areas = root / ".mirrortui" / "staging"
    fill(areas / "gone" / "3", FILES)
    fill(areas / OWNER / "4", FILES)
    (areas / "stray").write_bytes(b"x")
    one = other(root, OWNER)
    one.open()
    assert one.others() == ["gone", "stray"]
    one.drop_others()
    one.close()
    assert {path.name for path in areas.iterdir()} == {OWNER}
    assert content(areas / OWNER / "4") == FILES


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("count", [3, SYNC_EACH + 10])
def test_a_fileset_appears_whole_and_only_when_published(root: Path, durability: Durability, count: int) -> None:
    files = {f"f{number}": bytes([number]) * number for number in range(count)}
    one = other(root, OWNER, durability)
    one.open()
    assert one.stage(PLACE)
    assert not one.stage(PLACE)
    area = one.area(PLACE.fileset_id)
    assert os.stat(area).st_ino == staging(root).stat().st_ino
    os.close(area)
    fill(staging(root), files)
    found = one.inspect(PLACE, expected(files))
    assert (sorted(found.adopted), found.lost, found.kept, found.in_place) == (
        [*range(1, count + 1)],
        [],
        {},
        False,
    )
    sealed = one.seal(PLACE, [b"index\n"], count, in_place=False)
    one.flush([sealed])
    assert not (root / PLACE.product).exists()
    assert not one.is_published(PLACE, sealed.inode)
    one.publish(sealed)
    one.settle([PLACE.product])
    assert content(root / "raw" / "a.1") == {**files, "index.txt": b"index\n"}
    assert one.is_published(PLACE, sealed.inode)
    assert not staging(root).exists()
    one.close()


def test_several_filesets_share_a_product(destination: PosixDestination, root: Path) -> None:
    publish(destination, FILES)
    publish(destination, NEWER, Place(8, "raw", "b"))
    assert {path.name for path in (root / "raw").iterdir()} == {"a.1", "b"}


def test_indexes_are_replaced_in_one_step(destination: PosixDestination, root: Path) -> None:
    publish(destination, FILES)
    destination.write_index("raw", [b"# filesetID|\n", b"a.1|\n"])
    destination.write_index(None, [b"# productID|\n"])
    held = (root / "raw" / "index.txt").open("rb")
    destination.write_index("raw", [b"new\n"])
    with held:
        assert held.read() == b"# filesetID|\na.1|\n"
    assert (root / "raw" / "index.txt").read_bytes() == b"new\n"
    assert (root / "index.txt").read_bytes() == b"# productID|\n"


def test_indexes_written_at_the_same_time_do_not_mix(destination: PosixDestination, root: Path) -> None:
    def write(number: int) -> None:
        destination.write_index(f"p{number % 4}", [b"%d\n" % (number % 4)] * 20_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    for number in range(4):
        assert (root / f"p{number}" / "index.txt").read_bytes() == b"%d\n" % number * 20_000


def test_what_stands_at_the_final_place_is_adopted_as_a_whole(destination: PosixDestination, root: Path) -> None:
    fill(root / "raw" / "a.1", {**FILES, "notes": b"mine"})
    before = (root / "raw" / "a.1").stat().st_ino
    assert not destination.stage(PLACE)
    found = destination.inspect(PLACE, expected(FILES))
    assert (found.in_place, list(found.adopted)) == (True, [1, 2, 3])
    sealed = destination.seal(PLACE, [b"index\n"], 3, in_place=True)
    destination.flush([sealed])
    destination.publish(sealed)
    destination.settle(["raw"])
    assert (root / "raw" / "a.1").stat().st_ino == before
    assert destination.is_published(PLACE, sealed.inode)
    assert content(root / "raw" / "a.1") == {**FILES, "notes": b"mine", "index.txt": b"index\n"}
    assert not staging(root).exists()


def test_a_part_that_stands_is_adopted_and_what_nobody_listed_is_kept_aside(
    destination: PosixDestination, root: Path
) -> None:
    fill(root / "raw" / "a.1", {"x.fits": FILES["x.fits"], "y.fits": b"wrong" * 400, "notes": b"mine"})
    assert not destination.stage(PLACE)
    found = destination.inspect(PLACE, expected(FILES))
    assert (found.in_place, list(found.adopted)) == (False, [1])
    linked, standing = staging(root) / "x.fits", root / "raw" / "a.1" / "x.fits"
    assert linked.stat().st_ino == standing.stat().st_ino
    fill(staging(root), {"y.fits": FILES["y.fits"], "empty": b""})
    sealed = destination.seal(PLACE, [b"index\n"], 3, in_place=False)
    destination.flush([sealed])
    destination.publish(sealed)
    destination.clear(PLACE)
    assert content(root / "raw" / "a.1") == {**FILES, "index.txt": b"index\n"}
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert kept.name.startswith("a.1.")
    assert content(kept) == {"notes": b"mine"}


def test_bytes_that_are_not_proven_right_are_not_adopted(destination: PosixDestination, root: Path) -> None:
    fill(root / "raw" / "a.1", {"x.fits": b"?" * 1000, "y.fits": FILES["y.fits"][:-1]})
    destination.stage(PLACE)
    assert destination.inspect(PLACE, expected(FILES)).adopted == {}
    fill(root / "raw" / "a.1", FILES)
    without_digest = [replace(one, digest=None) for one in expected(FILES)]
    found = destination.inspect(PLACE, without_digest)
    assert (list(found.adopted), found.in_place) == ([], False)
    fill(staging(root), FILES)
    assert destination.inspect(PLACE, without_digest).adopted == {}


def test_staged_files_that_are_gone_are_reported(destination: PosixDestination, root: Path) -> None:
    stage(destination, {"x.fits": FILES["x.fits"], "y.fits": b"short"})
    found = destination.inspect(PLACE, recorded(root, FILES))
    assert (found.lost, list(found.adopted), found.kept) == ([2, 3], [], {})
    assert content(staging(root)) == {"x.fits": FILES["x.fits"]}


def test_a_lost_file_that_stands_at_the_final_place_is_adopted_again(destination: PosixDestination, root: Path) -> None:
    fill(root / "raw" / "a.1", {"y.fits": FILES["y.fits"]})
    stage(destination, {"x.fits": FILES["x.fits"], "empty": b""})
    found = destination.inspect(PLACE, recorded(root, FILES))
    assert (found.lost, list(found.adopted)) == ([2], [2])


@pytest.mark.parametrize(("there", "kept", "continued"), [(600, 400, 400), (300, 400, 300), (600, 0, None)])
def test_partial_files_are_continued_from_what_is_there_and_known(
    destination: PosixDestination, root: Path, there: int, kept: int, continued: int | None
) -> None:
    stage(destination, {"x.fits": b"x" * there})
    found = destination.inspect(PLACE, expected({"x.fits": FILES["x.fits"]}, kept=kept))
    assert found.kept == ({} if continued is None else {1: continued})
    assert (staging(root) / "x.fits").exists() is (continued is not None)


def test_what_the_index_does_not_list_leaves_the_staging_area(destination: PosixDestination, root: Path) -> None:
    stage(destination, {**FILES, "of an older index": b"!", "index.txt": b"of an earlier try"})
    (staging(root) / "folder").mkdir()
    (staging(root) / "folder" / "deep").write_bytes(b"!")
    assert sorted(destination.inspect(PLACE, expected(FILES)).adopted) == [1, 2, 3]
    assert content(staging(root)) == FILES


@pytest.mark.parametrize("swap", [True, False])
def test_a_new_revision_replaces_the_old_one(
    destination: PosixDestination, root: Path, swap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swap:  # as on a file system that can't exchange two directories
        monkeypatch.setattr(linux, "_RENAME_EXCHANGE", 0x4000)
    publish(destination, FILES)
    publish(destination, NEWER, Place(9, "raw", "a.1"))
    assert content(root / "raw" / "a.1") == {**NEWER, "index.txt": b"index\n"}
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert content(kept) == {name: FILES[name] for name in ("y.fits", "empty")}
    publish(destination, {**NEWER, "more": b"!"}, Place(10, "raw", "a.1"))
    assert len(list((root / ".mirrortui" / "replaced").iterdir())) == 1
    assert list((root / ".mirrortui" / "staging" / OWNER).iterdir()) == []


def test_the_longest_name_can_be_replaced(destination: PosixDestination, root: Path) -> None:
    name = "é" * 127
    publish(destination, FILES, Place(1, "raw", name))
    publish(destination, NEWER, Place(2, "raw", name))
    assert content(root / "raw" / name) == {**NEWER, "index.txt": b"index\n"}


def test_after_a_crash_before_the_rename_nothing_is_taken_for_published(
    destination: PosixDestination, root: Path
) -> None:
    publish(destination, NEWER)
    place = Place(8, "raw", "a.1")
    stage(destination, FILES, place)
    sealed = destination.seal(place, [b"index\n"], 3, in_place=False)
    destination.close()
    again = other(root, OWNER)
    again.open()
    assert not again.is_published(place, sealed.inode)
    assert not again.is_published(Place(8, "raw", "b"), sealed.inode)
    assert not again.is_published(Place(8, "nowhere", "b"), sealed.inode)
    assert not again.stage(place)
    assert sorted(again.inspect(place, expected(FILES)).adopted) == [1, 2, 3]
    again.publish(again.seal(place, [b"index\n"], 3, in_place=False))
    assert content(root / "raw" / "a.1") == {**FILES, "index.txt": b"index\n"}
    again.close()


def test_after_a_crash_between_the_swap_and_the_clearing_the_old_revision_goes(
    destination: PosixDestination, root: Path
) -> None:
    publish(destination, NEWER)
    place = Place(8, "raw", "a.1")
    stage(destination, FILES, place)
    sealed = destination.seal(place, [b"index\n"], 3, in_place=False)
    final, swapped = root / "raw" / "a.1", staging(root, place)
    final.rename(root / "third")
    swapped.rename(final)
    (root / "third").rename(swapped)
    destination.close()
    again = other(root, OWNER)
    again.open()
    assert again.is_published(place, sealed.inode)
    assert again.replaced() == [place.fileset_id]
    again.clear(place)
    assert content(final) == {**FILES, "index.txt": b"index\n"}
    assert not swapped.exists()
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert content(kept) == {"z.fits": NEWER["z.fits"]}
    again.close()


def test_what_nobody_listed_is_kept_though_clearing_away_failed_at_first(
    destination: PosixDestination, root: Path
) -> None:
    publish(destination, FILES)
    fill(root / "raw" / "a.1", {"notes": b"an operator's"})
    blocked = root / ".mirrortui" / "replaced"
    blocked.write_bytes(b"in the way")
    place = Place(9, "raw", "a.1")
    with pytest.raises(DiskError, match="replaced exists and is not a directory; move it away"):
        publish(destination, NEWER, place)
    assert content(root / "raw" / "a.1") == {**NEWER, "index.txt": b"index\n"}
    assert destination.replaced() == [place.fileset_id]
    (root / "raw" / "a.1" / "z.fits").unlink()
    with pytest.raises(DiskError, match="replaced exists and is not a directory; move it away"):
        publish(destination, NEWER, place)
    assert not (root / "raw" / "a.1" / "z.fits").exists(), "one thing at a time is set aside"
    blocked.unlink()
    publish(destination, NEWER, place)
    assert content(root / "raw" / "a.1") == {**NEWER, "index.txt": b"index\n"}
    [kept] = blocked.iterdir()
    assert content(kept)["notes"] == b"an operator's"
    assert list((root / ".mirrortui" / "staging" / OWNER).iterdir()) == []


@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("what", ["file", "link"])
def test_what_is_no_directory_is_set_aside_for_a_fileset(
    destination: PosixDestination, root: Path, swap: bool, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swap:
        monkeypatch.setattr(linux, "_RENAME_EXCHANGE", 0x4000)
    final = root / "raw" / "a.1"
    final.parent.mkdir()
    if what == "link":
        final.symlink_to(root)
    else:
        final.write_bytes(b"mine")
    assert not destination.stage(PLACE)
    assert destination.inspect(PLACE, expected(FILES)).adopted == {}
    publish(destination, FILES)
    assert not final.is_symlink()
    assert content(final) == {**FILES, "index.txt": b"index\n"}
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert kept.readlink() == root if what == "link" else kept.read_bytes() == b"mine"
    assert list((root / ".mirrortui" / "staging" / OWNER).iterdir()) == []


def test_what_is_no_file_is_set_aside_for_an_index(destination: PosixDestination, root: Path) -> None:
    publish(destination, FILES)
    for folder in (root / "raw" / "a.1", root / "raw", root):
        (folder / "index.txt").unlink(missing_ok=True)
        fill(folder / "index.txt", {"deep": b"mine"})
    destination.stage(PLACE)
    assert destination.inspect(PLACE, expected(FILES)).in_place
    destination.seal(PLACE, [b"of files\n"], 3, in_place=True)
    destination.write_index("raw", [b"of filesets\n"])
    destination.write_index(None, [b"of products\n"])
    written = [(folder / "index.txt").read_bytes() for folder in (root / "raw" / "a.1", root / "raw", root)]
    assert written == [b"of files\n", b"of filesets\n", b"of products\n"]
    aside = sorted((root / ".mirrortui" / "replaced").iterdir())
    assert [path.name.rpartition(".")[0] for path in aside] == ["a.1.index.txt", "raw.index.txt", "root.index.txt"]
    assert [content(path) for path in aside] == [{"deep": b"mine"}] * 3


def test_a_disk_with_another_number_after_a_crash_is_the_same_disk(destination: PosixDestination, root: Path) -> None:
    publish(destination, FILES)
    fill(root / "raw" / "a.1", {"notes": b"an operator's"})
    place = Place(8, "raw", "a.1")
    stage(destination, NEWER, place)
    sealed = destination.seal(place, [b"index\n"], len(NEWER), in_place=False)
    final, swapped = root / "raw" / "a.1", staging(root, place)
    final.rename(root / "third")
    swapped.rename(final)
    (root / "third").rename(swapped)
    device, _, number = sealed.inode.partition(":")
    assert destination.is_published(place, f"{int(device) + 1}:{number}")
    destination.clear(place)
    [kept] = (root / ".mirrortui" / "replaced").iterdir()
    assert content(kept)["notes"] == b"an operator's"


def test_dropping_a_staging_area_is_final_and_repeatable(destination: PosixDestination, root: Path) -> None:
    stage(destination, FILES)
    destination.drop(PLACE.fileset_id)
    destination.drop(PLACE.fileset_id)
    assert not staging(root).exists()
    assert destination.stage(PLACE)


@pytest.mark.parametrize("digest", [True, False])
def test_staged_bytes_are_trusted_until_their_inode_is_changed(
    destination: PosixDestination, root: Path, digest: bool
) -> None:
    files = {**FILES, "x.fits": b"\0" * 1000}
    stage(destination, files)
    known = [one if digest else replace(one, digest=None) for one in recorded(root, FILES)]
    found = destination.inspect(PLACE, known)
    assert (found.lost, found.adopted) == ([], {}), "none is read"
    for path in staging(root).iterdir():
        path.chmod(0o600)
    found = destination.inspect(PLACE, known)
    assert (found.lost, sorted(found.adopted)) == (([1], [2, 3]) if digest else ([1, 2, 3], []))
    assert content(staging(root)) == ({name: FILES[name] for name in ("y.fits", "empty")} if digest else {})
    again = [replace(one, ctime=found.adopted[one.id].ctime) for one in known if one.id in found.adopted]
    assert destination.inspect(PLACE, again).adopted == {}


def test_staged_bytes_of_which_nothing_is_known_are_read(destination: PosixDestination, root: Path) -> None:
    stage(destination, {**FILES, "x.fits": b"\0" * 1000})
    found = destination.inspect(PLACE, expected(FILES, staged=True))
    assert (found.lost, sorted(found.adopted)) == ([1], [2, 3])


def test_staging_areas_are_listed(destination: PosixDestination) -> None:
    assert destination.areas() == []
    stage(destination, FILES)
    destination.stage(Place(12, "warp", "b"))
    assert sorted(destination.areas()) == [7, 12]
    destination.drop(7)
    assert destination.areas() == [12]


def test_opening_twice_is_harmless(destination: PosixDestination, root: Path) -> None:
    stage(destination, FILES)
    before = len(os.listdir("/proc/self/fd"))
    destination.open()
    assert len(os.listdir("/proc/self/fd")) == before
    assert content(staging(root)) == FILES
    with pytest.raises(LeaseHeld):
        other(root, OWNER).open()


def test_a_fileset_with_a_file_too_few_does_not_appear(destination: PosixDestination, root: Path) -> None:
    stage(destination, FILES)
    (staging(root) / "x.fits").unlink()
    with pytest.raises(DiskError, match="2 of 3 files are in staging"):
        destination.seal(PLACE, [b"index\n"], 3, in_place=False)


def test_a_place_is_known_by_its_marker(destination: PosixDestination, root: Path) -> None:
    assert destination.marker() is None
    destination.mark("0123abcd")
    assert destination.marker() == "0123abcd"
    (root / ".mirrortui" / "marker").write_bytes(b"\xff" * 1000)
    assert len(destination.marker() or "") <= 64


def test_a_place_that_was_displaced_is_refused_until_it_is_opened_anew(
    destination: PosixDestination, root: Path
) -> None:
    destination.mark("0123abcd")
    destination.demand_in_place()
    moved = root.rename(root.with_name("moved"))
    assert destination.marker() is None, "it is the path that counts"
    assert not root.exists()
    with pytest.raises(DiskError, match="moved, replaced or unmounted") as refusal:
        destination.demand_in_place()
    assert refusal.value.whole
    moved.rename(root)
    assert destination.marker() == "0123abcd"
    with pytest.raises(DiskError, match="moved, replaced or unmounted"):
        destination.demand_in_place()
    destination.open()
    destination.demand_in_place()
