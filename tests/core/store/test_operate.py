"""What operators' commands do, and how they name what they mean."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.model import CommandKind, FileState, ListedFile, Rejection
from core.store import files, filesets, operate, registry
from core.store.commands import Target
from core.store.database import Database, IllegalTransition
from core.store.files import Failed
from core.store.operate import FITTING, NothingMatches
from core.store.records import FilesetRow
from tests.core.store.seed import (
    NOW,
    add_mirror,
    file_states,
    fileset,
    poll,
    publish,
    read_index,
    some_files,
    states,
    transferring,
)

IS_OPEN = FITTING[CommandKind.HOLD]
SIX = ("ra", "rb", "wa", "same", "same", "same")


@pytest.fixture
async def product(db: Database) -> int:
    """Two mirrors: sky with raw (a, b, same) and warp (a2, same), sea with raw (same, c)."""
    sky = await add_mirror(db, "sky", ["raw", "warp"])
    sea = await add_mirror(db, "sea", ["raw"])
    await poll(db, sky["raw"], [("a", 1), ("b", 2), ("same", 3)])
    await poll(db, sky["warp"], [("a2", 1), ("same", 3)])
    await poll(db, sea["raw"], [("same", 3), ("c", 4)])
    return sky["raw"]


async def names(db: Database, target: Target, condition: str = IS_OPEN) -> list[str]:
    found = await operate.matching(db, target, condition)
    whole = "SELECT m.name || '/' || p.name || '/' || s.name FROM filesets s, products p, mirrors m"
    return [
        await db.value(f"{whole} WHERE p.id = s.product_id AND m.id = p.mirror_id AND s.id = ?", (one,))
        for one in found
    ]


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Target(filesets=("a",)), ["sky/raw/a"]),
        (Target(filesets=("warp/same",)), ["sky/warp/same"]),
        (Target(filesets=("sea/raw/same", "sky/raw/same")), ["sea/raw/same", "sky/raw/same"]),
        (Target(filesets=("same",), mirror="sea"), ["sea/raw/same"]),
        (Target(filesets=("same",), mirror="sky", product="w*"), ["sky/warp/same"]),
        (Target(filesets=("a", "a")), ["sky/raw/a"]),
        (Target(mirror="sea"), ["sea/raw/same", "sea/raw/c"]),
        (Target(product="w*"), ["sky/warp/a2", "sky/warp/same"]),
    ],
)
async def test_filesets_are_named_as_exactly_as_needed(
    db: Database, product: int, target: Target, wanted: list[str]
) -> None:
    assert sorted(await names(db, target)) == sorted(wanted)


async def test_no_names_mean_all(db: Database, product: int) -> None:
    assert len(await names(db, Target())) == 7


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (Target(filesets=("nope",)), ["no fileset 'nope' is known"]),
        (Target(filesets=("warp/a",)), ["no fileset 'warp/a' is known"]),
        (Target(filesets=("a",), mirror="sea"), ["no fileset 'a' is known"]),
        (Target(filesets=("raw/same",)), ["ambiguous", "sky/raw/same", "sea/raw/same"]),
        (Target(filesets=("same",)), ["ambiguous", "sky/warp/same"]),
        (Target(product="x*"), ["no product 'x*'"]),
        (Target(mirror="moon"), ["mirror 'moon'"]),
    ],
)
async def test_what_is_not_there_is_told(db: Database, product: int, target: Target, told: list[str]) -> None:
    with pytest.raises(NothingMatches) as refusal:
        await operate.matching(db, target, IS_OPEN)
    for words in told:
        assert words in str(refusal.value)


async def test_a_fileset_in_another_state_is_told(db: Database, product: int) -> None:
    await publish(db, "a")
    with pytest.raises(NothingMatches, match="'a' is published: nothing to do"):
        await operate.matching(db, Target(filesets=("a",)), IS_OPEN)


async def test_hold_and_release(db: Database, product: int) -> None:
    fresh, begun = await fileset(db, "a"), await transferring(db, "b", some_files())
    await operate.hold(db, [fresh.id, begun.id])
    now = await states(db, product)
    assert (now["a"], now["b"]) == ("held", "held")
    await operate.release(db, [fresh.id, begun.id])
    now = await states(db, product)
    assert (now["a"], now["b"]) == ("discovered", "queued")


async def test_holding_what_is_published_is_refused(db: Database, product: int) -> None:
    row = await publish(db, "a")
    with pytest.raises(IllegalTransition):
        await operate.hold(db, [row.id])


async def test_a_release_goes_on_at_once_with_the_trouble_that_is_left(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.TRANSIENT, "timeout", NOW + 999, True, NOW)
    late = await fileset(db, "b")
    await operate.hold(db, [row.id, late.id])
    assert (await fileset(db, "a")).trouble == ""
    await operate.release(db, [row.id, late.id])
    assert (await fileset(db, "a")).trouble == "quarantined"
    assert "b" in {one.name for one in await filesets.to_index(db, product, NOW, 10)}


async def _with_quarantined(db: Database, kind: FailureKind = FailureKind.INTEGRITY, name: str = "a") -> FilesetRow:
    """Return a fileset with f0 staged, f1 in quarantine, f2 waiting after another kind of failure."""
    row = await transferring(db, name, some_files())
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, ids[:1])
    failed = [
        Failed(ids[1], FileState.QUARANTINED, 2, 2, kind, "wrong", None, 3, '"v"', 9, "e" * 32),
        Failed(ids[2], FileState.RETRY_WAIT, 1, 1, FailureKind.TRANSIENT, "reset", NOW + 99, 3, '"v"', None, None),
    ]
    await files.failed(db, failed, NOW)
    return await fileset(db, name)


async def test_cancel_drops_everything_and_requeue_brings_it_back(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    await operate.cancel(db, [row.id])
    after = await fileset(db, "a")
    assert (after.state, after.trouble) == ("cancelled", "")
    assert set((await file_states(db, row.id)).values()) == {"pending"}
    await operate.release(db, [row.id])
    assert (await fileset(db, "a")).state == "queued"
    kept = await files.to_fetch(db, row.id, 0, NOW, 10)
    assert [(one.name, one.kept, one.tries, one.validator) for one in kept] == [
        (f"f{at}", 0, 0, None) for at in range(3)
    ]


async def test_retry_gives_what_failed_a_clean_start(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    found = await operate.to_retry(db, Target(filesets=("a",)))
    await operate.retry(db, found, None)
    after = await fileset(db, "a")
    assert (after.state, after.trouble, after.tries, after.attempts) == ("discovered", "", 0, 0)
    assert await file_states(db, row.id) == {"f0": "staged", "f1": "pending", "f2": "pending"}
    fresh = await files.to_fetch(db, row.id, 0, NOW, 10)
    assert [(one.kept, one.tries, one.seen_digest) for one in fresh] == [(0, 0, None)] * 2


async def test_retry_of_one_kind_leaves_the_others(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    assert await operate.to_retry(db, Target(kind="missing")) == []
    found = await operate.to_retry(db, Target(kind="integrity"))
    assert found == [row.id]
    await operate.retry(db, found, "integrity")
    assert await file_states(db, row.id) == {"f0": "staged", "f1": "pending", "f2": "retry_wait"}
    assert (await fileset(db, "a")).trouble == "failed"


async def test_retry_of_an_index_that_was_set_aside(db: Database, product: int) -> None:
    await filesets.failed(db, await fileset(db, "a"), FailureKind.MISSING, "404", None, True, NOW)
    assert "a" not in {one.name for one in await filesets.to_index(db, product, NOW, 10)}
    await operate.retry(db, await operate.to_retry(db, Target(kind="missing")), "missing")
    assert "a" in {one.name for one in await filesets.to_index(db, product, NOW, 10)}


async def test_conflicting_rows_stay_aside_until_the_index_changes(db: Database, product: int) -> None:
    rows = [ListedFile("good", 5, None, "t"), ListedFile("twice", 7, None, "t")]
    row = await read_index(db, "a", rows, conflicts=["twice"])
    await operate.retry(db, await operate.to_retry(db, Target(filesets=("a",))), None)
    await filesets.index_confirmed(db, row.id, NOW)
    after = await fileset(db, "a")
    assert (after.state, after.trouble) == ("queued", "quarantined")
    await operate.cancel(db, [row.id])
    await operate.release(db, [row.id])
    assert (await fileset(db, "a")).trouble == "quarantined"
    assert await file_states(db, row.id) == {"good": "pending", "twice": "quarantined"}
    await operate.retry(db, [row.id], None)
    assert (await read_index(db, "a", rows)).trouble == ""


async def test_retry_of_refused_rows_reads_indexes_again(db: Database, product: int) -> None:
    queued = await read_index(db, "a", some_files(), [Rejection(2, "..", "reserved")])
    await read_index(db, "b", some_files(), [Rejection(2, "..", "reserved")])
    await db.run("UPDATE files SET state = 'staged'")
    await filesets.admit(db, [(await fileset(db, "b")).id], 1)
    done = (await fileset(db, "b")).id
    assert await filesets.intend(db, [(done, "1:2")]) == [done]
    await filesets.published(db, [done], NOW)
    found = await operate.to_retry(db, Target(kind="rejected"))
    assert set(found) == {queued.id, done}
    await operate.retry(db, found, "rejected")
    assert {one.name for one in await filesets.to_index(db, product, NOW, 10)} >= {"a", "b"}
    assert (await fileset(db, "b")).state == "published"


async def test_retry_lists_products_with_refused_rows_as_a_whole(db: Database, product: int) -> None:
    await poll(db, product, [Rejection(1, "x", "bad time")], cursor="same")
    await registry.stop_mirror(db, 1, FailureKind.DENIED, "401")
    assert await operate.relist(db, Target()) == 1
    due = await db.rows("SELECT id FROM products WHERE full_list_due")
    assert [row["id"] for row in due] == [product]
    assert await db.value("SELECT stopped FROM mirrors WHERE id = 1") is None


async def test_pause_and_resume_of_products(db: Database, product: int) -> None:
    assert await operate.pause(db, Target(product="raw", mirror="sky"), "by me") == 1
    assert [row.name for row in await registry.selected_products(db, 1)] == ["warp"]
    assert await operate.pause(db, Target(product="*"), None) == 3
    assert len(await registry.selected_products(db, 1)) == 2
    with pytest.raises(NothingMatches, match="no product 'x'"):
        await operate.pause(db, Target(product="x"), "by me")


async def test_pause_and_resume_of_mirrors(db: Database, product: int) -> None:
    async def paused() -> dict[str, str | None]:
        return {row["name"]: row["paused"] for row in await db.rows("SELECT name, paused FROM mirrors")}

    assert await operate.pause(db, Target(mirror="sea"), "by me") == 1
    assert await paused() == {"sky": None, "sea": "by me"}
    assert await operate.pause(db, Target(), "by all") == 2
    await registry.stop_mirror(db, 1, FailureKind.DISK, "full")
    assert await operate.pause(db, Target(), None) == 2
    assert await paused() == {"sky": None, "sea": None}
    assert await db.value("SELECT count(*) FROM mirrors WHERE stopped IS NOT NULL") == 0
    with pytest.raises(NothingMatches, match="no mirror 'moon' is configured"):
        await operate.pause(db, Target(mirror="moon"), "by me")


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        (CommandKind.HOLD, {"open"}),
        (CommandKind.RELEASE, {"held"}),
        (CommandKind.CANCEL, {"open", "held"}),
        (CommandKind.REQUEUE, {"cancelled"}),
    ],
)
async def test_each_command_applies_to_filesets_in_fitting_states(
    db: Database, kind: CommandKind, fitting: set[str]
) -> None:
    products = await add_mirror(db)
    await poll(db, products["raw"], [(name, 1) for name in ("open", "held", "cancelled", "done")])
    await operate.hold(db, [(await fileset(db, "held")).id])
    await operate.cancel(db, [(await fileset(db, "cancelled")).id])
    await publish(db, "done")
    found = await operate.matching(db, Target(), FITTING[kind])
    assert {(await fileset(db, name)).id for name in fitting} == set(found)


async def test_retry_starts_the_count_of_attempts_anew(db: Database, product: int) -> None:
    for _ in range(3):
        await filesets.failed(db, await fileset(db, "a"), FailureKind.TRANSIENT, "timeout", NOW, True, NOW)
    assert (await fileset(db, "a")).attempts == 3
    row = await _with_quarantined(db, name="b")
    await operate.retry(db, [(await fileset(db, "a")).id, row.id], None)
    assert (await fileset(db, "a")).attempts == 0
    assert {one.attempts for one in await files.all_of(db, row.id, 0, 10)} == {0}


async def test_a_mirror_that_is_paused_or_stopped_is_told_apart(db: Database, product: int) -> None:
    assert await registry.mirror_flags(db, 1) == (False, False)
    await operate.pause(db, Target(mirror="sky"), "by me")
    assert await registry.mirror_flags(db, 1) == (True, False)
    await registry.stop_mirror(db, 1, FailureKind.DISK, "full")
    assert await registry.mirror_flags(db, 1) == (True, True)
    await operate.pause(db, Target(mirror="sky"), None)
    assert await registry.mirror_flags(db, 1) == (False, False)
    assert await registry.product_name(db, product) == "raw"
