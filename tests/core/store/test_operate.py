"""What operators' commands do, and how they name what they mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.errors import FailureKind
from core.model import CommandKind, FileState, ListedFile, ListedProduct, Rejection
from core.store import evidence, files, filesets, operate, registry, screens
from core.store.commands import Target
from core.store.database import Database, IllegalTransition
from core.store.files import Failed
from core.store.operate import NothingMatches
from core.store.records import FilesetRow
from tests.core.store.seed import (
    NOW,
    add_mirror,
    counted,
    file_states,
    fileset,
    poll,
    publish,
    read_index,
    recounted,
    some_files,
    states,
    to_index,
    transferring,
)

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


async def names(db: Database, target: Target) -> list[str]:
    found = (await operate.matching(db, target, CommandKind.HOLD)).ids
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
        await operate.matching(db, target, CommandKind.HOLD)
    for words in told:
        assert words in str(refusal.value)


async def test_a_fileset_in_another_state_is_told(db: Database, product: int) -> None:
    await publish(db, "a")
    with pytest.raises(NothingMatches, match="'a' is published: nothing to hold"):
        await operate.matching(db, Target(filesets=("a",)), CommandKind.HOLD)


async def test_why_filesets_would_be_refused_is_known_before(db: Database, product: int) -> None:
    await publish(db, "a")
    b = await fileset(db, "b")
    assert await operate.refusals(db, ["a", "b"], CommandKind.CANCEL) == {
        "a": "fileset 'a' is published: nothing to cancel"
    }
    await filesets.failed(db, b, FailureKind.MISSING, "404", None, True, NOW)
    assert await operate.refusals(db, ["b"], CommandKind.NOW) == {"b": "fileset 'b' is in quarantine: retry it"}
    await operate.hold(db, [b.id])
    assert await operate.refusals(db, ["b"], CommandKind.NOW) == {"b": "fileset 'b' is held: release it first"}


async def test_hold_and_release(db: Database, product: int) -> None:
    fresh, begun = await fileset(db, "a"), await transferring(db, "b", some_files())
    await operate.hold(db, [fresh.id, begun.id])
    now = await states(db, product)
    assert (now["a"], now["b"]) == ("held", "held")
    await operate.release(db, [fresh.id, begun.id])
    now = await states(db, product)
    assert (now["a"], now["b"]) == ("discovered", "discovered"), "both indexes are read, what is staged stays"
    assert await files.unstaged(db, begun.id) == 3


@pytest.mark.parametrize("aside", ["retry_wait", "quarantined"])
async def test_what_is_released_goes_on_beside_a_file_in_trouble(db: Database, product: int, aside: str) -> None:
    row = await transferring(db, "a", some_files())
    [file, *_] = await files.all_of(db, row.id, 0, 10)
    await operate.hold(db, [row.id])
    await db.run("UPDATE files SET state = ?, next_try = ? WHERE id = ?", (aside, NOW + 999, file.id))
    await operate.release(db, [row.id])
    assert (await fileset(db, "a")).trouble
    assert "a" in await to_index(db, product)


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
    assert "b" in await to_index(db, product)


async def _with_quarantined(db: Database, kind: FailureKind = FailureKind.INTEGRITY, name: str = "a") -> FilesetRow:
    """Return a fileset with f0 staged, f1 in quarantine, f2 waiting after another kind of failure."""
    row = await transferring(db, name, some_files())
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, [(one, None, None) for one in ids[:1]])
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
    assert (await fileset(db, "a")).state == "discovered"
    assert "a" in await to_index(db, product)
    kept = await files.to_fetch(db, row.id, 0, NOW, 10)
    assert [(one.name, one.kept, one.tries, one.validator) for one in kept] == [
        (f"f{at}", 0, 0, None) for at in range(3)
    ]


async def test_retry_gives_what_failed_a_clean_start(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    found = (await operate.to_retry(db, Target(filesets=("a",)))).ids
    await operate.retry(db, found, None)
    after = await fileset(db, "a")
    assert (after.state, after.trouble, after.tries, after.attempts) == ("discovered", "", 0, 0)
    assert await file_states(db, row.id) == {"f0": "staged", "f1": "pending", "f2": "pending"}
    fresh = await files.to_fetch(db, row.id, 0, NOW, 10)
    assert [(one.kept, one.tries, one.seen_digest) for one in fresh] == [(0, 0, None)] * 2


async def test_retry_of_one_kind_leaves_the_others(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    assert (await operate.to_retry(db, Target(kind="missing"))).ids == []
    found = (await operate.to_retry(db, Target(kind="integrity"))).ids
    assert found == [row.id]
    await operate.retry(db, found, "integrity")
    assert await file_states(db, row.id) == {"f0": "staged", "f1": "pending", "f2": "retry_wait"}
    assert (await fileset(db, "a")).trouble == "failed"


async def test_retry_of_an_index_that_was_set_aside(db: Database, product: int) -> None:
    await filesets.failed(db, await fileset(db, "a"), FailureKind.MISSING, "404", None, True, NOW)
    assert "a" not in await to_index(db, product)
    await operate.retry(db, (await operate.to_retry(db, Target(kind="missing"))).ids, "missing")
    assert "a" in await to_index(db, product)


async def test_conflicting_rows_stay_aside_until_the_index_changes(db: Database, product: int) -> None:
    rows = [ListedFile("good", 5, None, "t"), ListedFile("twice", 7, None, "t")]
    row = await read_index(db, "a", rows, conflicts=["twice"])
    await operate.retry(db, (await operate.to_retry(db, Target(filesets=("a",)))).ids, None)
    await filesets.index_confirmed(db, await fileset(db, "a"), NOW)
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
    found = (await operate.to_retry(db, Target(kind="rejected"))).ids
    assert set(found) == {queued.id, done}
    await operate.retry(db, found, "rejected")
    assert {"a", "b"}.issubset(await to_index(db, product))
    assert (await fileset(db, "b")).state == "published"


async def test_retry_takes_what_is_published_if_it_is_named(db: Database, product: int) -> None:
    row = await publish(db, "a")
    assert (await operate.to_retry(db, Target())).ids == []
    assert (await operate.to_retry(db, Target(filesets=("a",), kind="missing"))).ids == []
    found = (await operate.to_retry(db, Target(filesets=("a",)))).ids
    assert found == [row.id]
    assert await operate.retry(db, found, None) == 1
    assert await to_index(db, product) == ["b", "same", "a"]
    assert (await fileset(db, "a")).state == "published"


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
    found = (await operate.matching(db, Target(), kind)).ids
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


async def test_of_several_names_those_that_fit_are_taken_and_the_others_told(db: Database, product: int) -> None:
    await publish(db, "a")
    whole = Target(filesets=("sky/raw/a", "sky/raw/b", "sky/warp/same", "c"))
    found = await operate.matching(db, whole, CommandKind.HOLD)
    assert found.ids == [(await fileset(db, "b")).id, *[row[0] for row in await db.rows(SAME_OF_WARP)], 7]
    assert found.left_out == ("fileset 'sky/raw/a' is published: nothing to hold",)
    with pytest.raises(NothingMatches, match="no fileset 'sky/raw/nope' is known"):
        await operate.matching(db, Target(filesets=("sky/raw/b", "sky/raw/nope")), CommandKind.HOLD)
    with pytest.raises(NothingMatches, match="is discovered: nothing of it is in quarantine, nor for 1 more"):
        await operate.matching(db, Target(filesets=("sky/raw/b", "sea/raw/c")), CommandKind.ACCEPT)


SAME_OF_WARP = """SELECT s.id FROM filesets s JOIN products p ON p.id = s.product_id
                  WHERE p.name = 'warp' AND s.name = 'same'"""


async def test_accepting_takes_what_was_seen_for_what_is_wanted(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    assert await evidence.accept(db, [row.id], "ada", NOW) == (1, 0)
    after = await fileset(db, "a")
    assert (after.trouble, after.bytes, row.bytes) == ("failed", 29, 30)
    (accepted,) = await db.rows("SELECT * FROM files WHERE accepted IS NOT NULL")
    assert (accepted["name"], accepted["state"], accepted["accepted"]) == ("f1", "pending", "ada")
    assert (accepted["size"], accepted["digest"], accepted["tries"], accepted["kept"]) == (9, "e" * 32, 0, 0)
    told = await db.value("SELECT detail FROM attempts ORDER BY id DESC LIMIT 1")
    assert told == f"accepted by ada: 9 bytes, MD5 {'e' * 32}, instead of 10 bytes, MD5 {1:032x} as listed"
    assert await counted(db) == await recounted(db)


async def _came(db: Database, file: int, digest: str) -> None:
    """Let a file fail, of which the whole content was seen."""
    failed = Failed(
        file, FileState.QUARANTINED, 2, 2, FailureKind.INTEGRITY, "wrong", None, 0, None, int(digest[0], 16), digest
    )
    await files.failed(db, [failed], NOW)


async def _wanted(db: Database, fileset: int) -> tuple[int, str | None, str | None]:
    one = (await files.all_of(db, fileset, 0, 10))[1]
    return one.size, one.digest, one.accepted


async def test_what_was_accepted_and_does_not_come_is_taken_back_by_retry(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    one = (await files.all_of(db, row.id, 0, 10))[1].id
    await evidence.accept(db, [row.id], "ada", NOW)
    await operate.retry(db, [row.id], None)
    assert await _wanted(db, row.id) == (9, "e" * 32, "ada"), "nothing speaks against it"
    for digest in ("c" * 32, "d" * 32):
        await _came(db, one, digest)
        await evidence.accept(db, [row.id], "bob", NOW)
    told = await db.value("SELECT detail FROM attempts ORDER BY id DESC LIMIT 1")
    assert told == f"accepted by bob: 13 bytes, MD5 {'d' * 32}, instead of 10 bytes, MD5 {1:032x} as listed"
    await _came(db, one, "b" * 32)
    [line] = [line for line in await screens.failures_of(db, row.id) if line.file == "f1"]
    assert (line.listed_size, line.listed_digest) == (10, f"{1:032x}"), "what was accepted is not what is listed"
    await operate.retry(db, [row.id], "missing")
    assert await _wanted(db, row.id) == (13, "d" * 32, "bob")
    await operate.retry(db, [row.id], None)
    assert await _wanted(db, row.id) == (10, f"{1:032x}", None)
    assert (await fileset(db, "a")).bytes == row.bytes
    assert await counted(db) == await recounted(db)


async def test_a_fileset_that_is_cancelled_and_requeued_is_wanted_as_listed(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    await evidence.accept(db, [row.id], "ada", NOW)
    await operate.cancel(db, [row.id])
    await operate.release(db, [row.id])
    assert await _wanted(db, row.id) == (10, f"{1:032x}", None)
    assert (await fileset(db, "a")).bytes == row.bytes


async def test_what_is_listed_counts_as_soon_as_it_comes_whatever_was_accepted(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    one = (await files.all_of(db, row.id, 0, 10))[1].id
    await evidence.accept(db, [row.id], "ada", NOW)
    await db.run("UPDATE files SET listed_size = 12, listed_digest = ? WHERE id = ?", ("c" * 32, one))
    await _came(db, one, "d" * 32)
    assert await _wanted(db, row.id) == (9, "e" * 32, "ada")
    await _came(db, one, "c" * 32)
    assert await _wanted(db, row.id) == (12, "c" * 32, None)
    assert (await fileset(db, "a")).bytes == row.bytes + 2
    assert await counted(db) == await recounted(db)


async def test_the_evidence_is_of_one_and_the_same_download(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    one = (await files.all_of(db, row.id, 0, 10))[1].id
    for size, digest in ((77, None), (None, None)):
        failed = Failed(one, FileState.RETRY_WAIT, 3, 3, FailureKind.INTEGRITY, "longer", NOW, 0, None, size, digest)
        await db.run("UPDATE files SET state = 'pending' WHERE id = ?", (one,))
        await files.failed(db, [failed], NOW)
    assert await db.rows("SELECT 1 FROM files WHERE id = ? AND seen_size = 9 AND seen_digest = ?", (one, "e" * 32))


@pytest.mark.parametrize("kind", [FailureKind.MISSING, FailureKind.CONFLICT])
async def test_only_wrong_content_can_be_accepted(db: Database, product: int, kind: FailureKind) -> None:
    row = await _with_quarantined(db, kind)
    assert await evidence.accept(db, [row.id], "ada", NOW) == (0, 1)
    assert (await fileset(db, "a")).trouble == "quarantined"


async def test_without_evidence_nothing_is_accepted(db: Database, product: int) -> None:
    row = await _with_quarantined(db)
    await db.run("UPDATE files SET seen_digest = NULL")
    assert await evidence.accept(db, [row.id], "ada", NOW) == (0, 1)
    assert await file_states(db, row.id) == {"f0": "staged", "f1": "quarantined", "f2": "retry_wait"}


async def selected(db: Database, mirror: int = 1) -> dict[str, str | None]:
    rows = await db.rows("SELECT name, wish FROM products WHERE mirror_id = ? AND selected ORDER BY name", (mirror,))
    return {row["name"]: row["wish"] for row in rows}


async def test_a_wish_is_above_the_configuration_until_that_agrees(db: Database, product: int) -> None:
    def configured(name: str) -> bool:
        return name == "raw"

    async def poll_root(choice: Callable[[str], bool]) -> None:
        listed = [ListedProduct(name) for name in ("raw", "warp", "new")]
        await registry.list_products(db, 1, listed, choice, NOW)
        await registry.choose_products(db, 1, [], [], choice, "")

    await poll_root(configured)
    assert await selected(db) == {"raw": None}
    new, _ = await operate.one_product(db, Target(mirror="sky", product="new"))
    await operate.wish(db, new, True, configured("new"))
    await operate.wish(db, product, False, configured("raw"))
    assert await operate.wishes(db, 1) == {"new": True, "raw": False}
    await poll_root(configured)
    assert await selected(db) == {"new": "mirror"}
    await poll_root(lambda name: name == "new")
    assert await selected(db) == {"new": None}
    assert await operate.wishes(db, 1) == {}
    await poll_root(configured)
    assert await selected(db) == {"raw": None}


async def test_a_product_is_named_exactly(db: Database, product: int) -> None:
    assert (await operate.one_product(db, Target(mirror="sky", product="raw")))[0] == product
    with pytest.raises(NothingMatches, match="'raw' is ambiguous: say of which mirror"):
        await operate.one_product(db, Target(product="raw"))
    with pytest.raises(NothingMatches, match="hidden_products"):
        await operate.one_product(db, Target(product="r*"))
