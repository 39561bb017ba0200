"""`mirrortui verify`: what is published is read again; damage is found, told, and mended by fetching again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import Ended, Site, counts, fill, register

CHANGED = "prod0/o470.chip.1/o470.chip.1.2.fits"
MISSING = "prod0/o470.chip.2/o470.chip.2.0.fits"


@pytest.fixture(name="mirrored")
def mirrored_tree(site: Site, datastore: DataStore) -> dict[str, bytes]:
    expected = fill(datastore)
    assert site.once()["exit_code"] == 0
    datastore.forget()
    return expected


TWO = '[[mirror]]\nname = "two"\nprotocol = "ipp"\nurl = "{}"\ndestination = "data2"\n'
OF_TWO = "data2/prod0/o470.chip.0/o470.chip.0.0.fits"


@pytest.fixture(name="two_mirrored")
def mirrored_from_two(site: Site, datastore: DataStore) -> Iterator[DataStore]:
    with DataStore() as other:
        for store in (datastore, other):
            fill(store, products=1, filesets=1, files=1)
        site.configure(datastore.url, more=TWO.format(other.url))
        assert site.once()["exit_code"] == 0
        yield other


def flip(file: Path) -> None:
    """Change one bit, and nothing else that could be noticed."""
    status = file.stat()
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def serving_damaged(site: Site, datastore: DataStore, retry_after: int) -> Iterator[None]:
    """Run a service where five filesets are damaged, and the host asks at the first file to be left alone."""
    for fileset in range(5):
        flip(site.data / f"prod0/o470.chip.{fileset}/o470.chip.{fileset}.0.fits")
    site.configure(datastore.url, engine="transfers = 2\ntransfers_per_host = 1")
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM settings WHERE key = 'phase'"), "the service")
        datastore.fault("*.fits", Fault.status(503, retry_after=retry_after), times=None)
        yield


def verify(site: Site, *arguments: str) -> Any:
    ended = site.run("verify", "--json", *arguments)
    assert ended.json["exit_code"] == ended.code, ended
    return ended.json


def found(outcome: Any) -> set[tuple[str, str]]:
    return {
        (one["damage"], "/".join(filter(None, (one["product"], one["fileset"], one["file"]))))
        for one in outcome["findings"]
    }


def fetched(datastore: DataStore) -> list[str]:
    return sorted(request.path for request in datastore.requested("*.fits"))


def test_what_is_right_is_found_right(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    outcome = verify(site)
    assert (outcome["exit_code"], outcome["filesets"], outcome["files"]) == (0, 10, 40)
    assert outcome["bytes"] == sum(map(len, mirrored.values()))
    assert outcome["findings"] == []
    assert datastore.requests == [], "nothing is asked of the source"
    ended = site.run("verify")
    assert (ended.code, ended.out) == (0, "verified 10 filesets, 40 files, 120.1 kB: no damage\n")


def test_our_own_digest_is_taken_while_files_come(site: Site, mirrored: dict[str, bytes]) -> None:
    rows = seen(
        site,
        """SELECT p.name, s.name, f.name, f.blake3 FROM files f JOIN filesets s ON s.id = f.id >> 24
           JOIN products p ON p.id = product_id""",
    )
    assert {f"{p}/{s}/{f}": own for p, s, f, own in rows} == {
        path: blake3(body).hexdigest() for path, body in mirrored.items()
    }


def test_damage_is_found_told_and_mended(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    flip(site.data / CHANGED)
    (site.data / MISSING).unlink()
    (site.data / "prod1/o471.chip.0/planted").write_bytes(b"?")
    (site.data / "prod1/o471.chip.3/index.txt").write_bytes(b"nonsense\n")
    outcome = verify(site)
    assert outcome["exit_code"] == 3
    assert found(outcome) == {
        ("changed", CHANGED),
        ("missing", MISSING),
        ("extra", "prod1/o471.chip.0/planted"),
        ("changed", "prod1/o471.chip.3/index.txt"),
    }
    assert (outcome["damaged"], outcome["mended"]) == (4, 0)
    told = site.run("failures").out
    assert "damaged         ps1/prod0/o470.chip.1" in told
    assert "o470.chip.1.2.fits: changed: MD5 is " in told
    assert site.run("--once").code == 3, "what is damaged is not what is wanted"
    assert fetched(datastore) == []
    assert len(verify(site)["findings"]) == 4, "what was found before is still told"

    mended = verify(site, "--repair")
    assert mended["exit_code"] == 0, mended
    assert fetched(datastore) == [CHANGED, MISSING], "what is right is not fetched"
    assert site.published() == mirrored
    kept = [path for path in (site.data / ".mirrortui/replaced").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["planted"], "what nobody listed is kept aside"
    assert verify(site)["exit_code"] == 0
    assert site.once()["exit_code"] == 0


def test_retry_mends_too(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    flip(site.data / CHANGED)
    verify(site)
    assert site.run("retry", "--kind", "damaged").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == mirrored


def test_what_cannot_be_fetched_again_stays_damaged(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    (site.data / MISSING).unlink()
    datastore.fault(MISSING, Fault.status(404), times=None)
    outcome = verify(site, "--repair")
    assert (outcome["exit_code"], outcome["mended"]) == (3, 0)
    datastore.heal()
    site.run("retry", "--all")
    assert site.once()["exit_code"] == 0
    assert site.published() == mirrored


def test_a_repair_that_failed_is_told_by_each_verify_and_goes_on_with_the_next(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    flip(site.data / CHANGED)
    datastore.fault(CHANGED, Fault.status(404), times=None)
    assert verify(site, "--repair")["exit_code"] == 3
    assert states(site)["o470.chip.1"] == "transferring"
    outcome = verify(site, "o470.chip.1")
    assert (outcome["exit_code"], outcome["damaged"], outcome["mended"]) == (3, 1, 0)
    assert found(outcome) == {("changed", "prod0/o470.chip.1")}
    assert "found before, not mended yet, transferring: o470.chip.1.2.fits: " in outcome["findings"][0]["detail"]
    datastore.heal()
    datastore.forget()
    outcome = verify(site, "--repair")
    assert (outcome["exit_code"], outcome["damaged"], outcome["mended"]) == (0, 1, 1)
    assert fetched(datastore) == [CHANGED], "what is right is not fetched"
    assert site.published() == mirrored


def test_what_stands_damaged_is_told_whatever_an_operator_wishes(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    flip(site.data / CHANGED)
    verify(site)
    site.run("hold", "o470.chip.1")
    outcome = verify(site, "--repair")
    assert (outcome["exit_code"], fetched(datastore)) == (3, []), "it is held"
    assert outcome["findings"][0]["detail"].startswith("found before, not mended yet, held")
    assert site.run("release", "o470.chip.1").code == 0
    assert verify(site, "--repair")["exit_code"] == 0, "by the index that is known"
    assert site.published() == mirrored
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert datastore.requested("prod0/o470.chip.1/index.txt"), "which is read again"


def test_a_fileset_that_is_gone_is_fetched_again(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    shutil.rmtree(site.data / "prod0/o470.chip.4")
    outcome = verify(site)
    assert found(outcome) == {("missing", "prod0/o470.chip.4")}
    assert verify(site, "--repair")["exit_code"] == 0
    assert site.published() == mirrored


def test_a_fileset_that_is_held_while_damaged_comes_back_whole(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    flip(site.data / CHANGED)
    verify(site)
    site.run("hold", "o470.chip.1")
    shutil.rmtree(site.data / "prod0/o470.chip.1")
    site.run("release", "o470.chip.1")
    assert site.once()["exit_code"] == 0
    assert site.published() == mirrored


def test_a_disk_that_is_not_mounted_damages_nothing(site: Site, mirrored: dict[str, bytes]) -> None:
    shutil.move(site.data, site.folder / "elsewhere")
    site.data.mkdir()
    for command in (["verify"], ["--once"]):
        ended = site.run(*command)
        assert ended.code == 5
        assert "mount the right disk" in ended.out + ended.err
    assert set(states(site).values()) == {"published"}
    assert site.published() == {}
    shutil.rmtree(site.data)
    shutil.move(site.folder / "elsewhere", site.data)
    assert site.once()["exit_code"] == 0
    assert verify(site)["exit_code"] == 0


def test_a_new_place_is_filled_when_that_is_meant(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    shutil.rmtree(site.data)
    outcome = verify(site, "--repair", "--mirror", "ps1")
    assert (outcome["exit_code"], outcome["damaged"], outcome["mended"]) == (0, 10, 10)
    assert site.published() == mirrored
    assert site.once()["exit_code"] == 0


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_blocks_the_marker_is_told_with_a_remedy_that_helps(
    site: Site, mirrored: dict[str, bytes], what: str
) -> None:
    marker = site.data / ".mirrortui/marker"
    marker.unlink()
    marker.mkdir() if what == "folder" else marker.symlink_to(site.config)
    for command in (["--once"], ["verify", "--repair"], ["verify"]):
        ended = site.run(*command)
        assert ended.code == 5
        assert f"{marker}: it is no regular file; remove it. Then" in ended.out
        assert "`mirrortui verify --repair` makes it anew" in ended.out
    marker.rmdir() if what == "folder" else marker.unlink()
    assert site.run("verify", "--repair").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == mirrored


def test_a_link_in_place_of_a_file_is_damage(site: Site, mirrored: dict[str, bytes]) -> None:
    file = site.data / CHANGED
    file.rename(site.folder / "moved.fits")
    file.symlink_to(site.folder / "moved.fits")
    outcome = verify(site)
    assert found(outcome) == {("changed", CHANGED)}
    assert "not a regular file" in outcome["findings"][0]["detail"]
    assert verify(site, "--repair")["exit_code"] == 0
    assert site.published() == mirrored
    assert not file.is_symlink()


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_stands_in_the_place_of_a_fileset_is_damage_of_that_one(
    site: Site, mirrored: dict[str, bytes], what: str
) -> None:
    fileset, replaced = site.data / "prod0/o470.chip.0", site.data / ".mirrortui/replaced"
    shutil.rmtree(fileset)
    if what == "link":
        fileset.symlink_to(site.folder)
    else:
        fileset.write_bytes(b"mine")
    flip(site.data / CHANGED)
    outcome = verify(site, "--repair")
    assert found(outcome) == {("changed", "prod0/o470.chip.0"), ("changed", CHANGED)}, "the others are read"
    assert (outcome["exit_code"], outcome["mended"]) == (0, 2)
    assert site.published() == mirrored
    [kept] = replaced.iterdir()
    assert kept.readlink() == site.folder if what == "link" else kept.read_bytes() == b"mine"


def test_what_cannot_be_set_aside_is_put_off_alone_and_once(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    blocked, index = site.data / ".mirrortui/replaced", site.data / "prod0/o470.chip.0/index.txt"
    blocked.write_bytes(b"in the way")
    index.unlink()
    index.mkdir()
    flip(site.data / CHANGED)
    outcome = verify(site, "--repair")
    assert (outcome["exit_code"], outcome["damaged"], outcome["mended"]) == (5, 2, 1)
    [(told,)] = seen(site, "SELECT detail FROM attempts WHERE kind = 'disk'")
    assert "replaced exists and is not a directory; move it away" in told
    expected = mirrored | register(datastore, "prod0", "new")
    assert site.once()["exit_code"] == 5
    assert site.published() == expected
    blocked.unlink()
    assert site.once()["exit_code"] == 0
    assert index.is_file()
    assert [path.is_dir() for path in blocked.iterdir()] == [True]


def test_a_publication_stands_though_what_it_replaced_cannot_be_cleared_away(
    site: Site, mirrored: dict[str, bytes]
) -> None:
    blocked = site.data / ".mirrortui/replaced"
    blocked.write_bytes(b"in the way")
    (site.data / "prod0/o470.chip.0/planted").write_bytes(b"an operator's")
    assert verify(site, "--repair")["exit_code"] == 0
    assert site.published() == mirrored
    assert "WARN  ps1/prod0/o470.chip.0: " in site.log()
    blocked.unlink()
    assert site.once()["exit_code"] == 0
    [kept] = blocked.iterdir()
    assert (kept / "planted").read_bytes() == b"an operator's"


def test_strangers_beside_filesets_are_told(site: Site, mirrored: dict[str, bytes]) -> None:
    (site.data / "prod0/\x1b[2Jplanted").mkdir()
    outcome = verify(site)
    assert outcome["exit_code"] == 3
    assert [one["stranger"] for one in outcome["findings"]] == [True]
    ended = site.run("verify", "--product", "prod0")
    assert "\x1b" not in ended.out + ended.err
    assert r"ps1/prod0/\x1b[2Jplanted" in ended.out
    assert verify(site, "--product", "prod1")["exit_code"] == 0


def test_a_sample_takes_what_was_not_read_for_longest(site: Site, mirrored: dict[str, bytes]) -> None:
    read = [verify(site, "--sample", "20%")["filesets"] for _ in range(5)]
    assert read == [2] * 5
    assert seen(site, "SELECT count(*) FROM filesets WHERE verified_at IS NOT NULL") == [(10,)]


def test_files_without_a_digest_are_proven_by_our_own(site: Site, datastore: DataStore) -> None:
    datastore.add_product("prod0")
    datastore.add_fileset("prod0", "bare", {"a.fits": ServedFile(b"a" * 100, md5="")})
    assert site.once()["exit_code"] == 0
    assert verify(site)["exit_code"] == 0
    flip(site.data / "prod0/bare/a.fits")
    outcome = verify(site, "--repair")
    assert found(outcome) == {("changed", "prod0/bare/a.fits")}
    assert outcome["exit_code"] == 0
    assert site.published() == {"prod0/bare/a.fits": b"a" * 100}


def test_the_engine_that_runs_verifies(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    flip(site.data / CHANGED)
    with serving(site) as service:
        wait_until(lambda: seen(site, "SELECT 1 FROM settings WHERE key = 'phase'"), "the service")
        outcome = verify(site, "--repair")
        assert outcome["exit_code"] == 0
        assert found(outcome) == {("changed", CHANGED)}
        assert service.poll() is None
    assert site.published() == mirrored


@pytest.mark.parametrize("service_runs", [True, False])
def test_a_verification_can_be_stopped(site: Site, mirrored: dict[str, bytes], service_runs: bool) -> None:
    def stopped() -> Ended:
        process = site.start("verify", "--rate-limit", "1 kB/s", "--json")
        wait_until(lambda: seen(site, "SELECT 1 FROM verifications WHERE ended_at IS NULL"), "the verification")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return Ended(process.returncode, out, err)

    if service_runs:
        with serving(site):
            wait_until(lambda: seen(site, "SELECT 1 FROM settings WHERE key = 'phase'"), "the service")
            ended = stopped()
    else:
        ended = stopped()
    assert ended.json["stopped"]
    assert ended.code in (7, 130)
    assert set(states(site).values()) == {"published"}


def test_a_mirror_that_is_not_at_work_is_not_passed_over(
    site: Site, datastore: DataStore, two_mirrored: DataStore
) -> None:
    flip(site.folder / OF_TWO)
    register(datastore, "prod0", "slow", files=1)
    datastore.fault("prod0/slow/*.fits", Fault.drip(200), times=None)
    process = site.start("--once", "--mirror", "ps1", "--quiet")
    wait_until(lambda: states(site).get("slow") == "transferring", "a run for one mirror alone")
    words = "mirror two is not at work in the engine that runs; verify when that has ended, or restart it"
    outcome = verify(site)
    assert (outcome["exit_code"], outcome["filesets"], outcome["stopped"]) == (7, 1, words), "the other one is read"
    ended = site.run("verify", "--repair", "--mirror", "two")
    assert ended.code == 7
    assert f"ended early: {words}; 1 fileset not read" in ended.out
    process.kill()
    process.communicate()
    outcome = verify(site, "--mirror", "two")
    assert (outcome["exit_code"], outcome["stopped"], outcome["damaged"]) == (3, None, 1)


def test_what_of_an_absent_mirror_is_known_to_be_damaged_is_not_waited_for(
    site: Site, datastore: DataStore, two_mirrored: DataStore
) -> None:
    flip(site.folder / OF_TWO)
    assert verify(site)["exit_code"] == 3
    full = site.config.read_text()
    site.configure(datastore.url)
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM settings WHERE key = 'phase'"), "the service")
        site.config.write_text(full)
        outcome = verify(site, "--repair", "--mirror", "two")
    assert (outcome["exit_code"], outcome["damaged"], outcome["mending"]) == (7, 1, 0)
    assert outcome["stopped"] == "mirror two is not in the configuration that the engine has read; verify when it is"
    assert verify(site, "--repair")["exit_code"] == 0


def test_what_belongs_to_no_configured_mirror_is_read_only_by_name(
    site: Site, datastore: DataStore, two_mirrored: DataStore
) -> None:
    site.configure(datastore.url)
    flip(site.folder / OF_TWO)
    outcome = verify(site)
    assert (outcome["exit_code"], outcome["filesets"], outcome["stopped"]) == (0, 1, None)
    outcome = verify(site, "two/prod0/o470.chip.0")
    assert (outcome["exit_code"], outcome["filesets"]) == (7, 0)
    assert outcome["stopped"] == "mirror two is not in the configuration that the engine has read; verify when it is"


def test_a_host_that_is_left_alone_for_long_is_not_waited_for(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    with serving_damaged(site, datastore, retry_after=900):
        ended = site.run("verify", "--repair")
    assert ended.code == 3
    assert "5 filesets damaged, 0 of them right again" in ended.out
    assert "the engine that runs goes on with 4 filesets; see `mirrortui status`\n" in ended.out, "the fifth has failed"


def test_one_signal_ends_the_wait_for_what_a_service_fetches_again(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    with serving_damaged(site, datastore, retry_after=45):
        process = site.start("verify", "--repair", "--json")
        wait_until(lambda: seen(site, "SELECT 1 FROM hosts"), "the host's rest")
        wait_until(lambda: seen(site, "SELECT 1 FROM verifications WHERE ended_at > 0"), "the end of the reading")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    ended = Ended(process.returncode, out, err)
    assert (ended.code, ended.json["damaged"], ended.json["mending"], ended.json["stopped"]) == (143, 5, 4, None)


def test_scrubs_find_damage_by_themselves(site: Site, datastore: DataStore, mirrored: dict[str, bytes]) -> None:
    site.configure(datastore.url, mirror='scrub = "1s"')
    flip(site.data / CHANGED)
    with serving(site):
        wait_until(lambda: states(site)["o470.chip.1"] == "damaged", "the scrub")
        wait_until(
            lambda: seen(site, "SELECT count(*) FROM filesets WHERE verified_at IS NOT NULL") == [(10,)], "all of them"
        )


def test_a_scrub_makes_room_for_what_an_operator_asks_for(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    site.configure(datastore.url, mirror='scrub = "1s"\nscrub_rate = "10 B/s"')
    datastore.forget()
    with serving(site):
        wait_until(lambda: datastore.requests, "the first poll")
        ended = site.run("verify")  # it would have to wait for a quarter of an hour
    assert (ended.code, "no damage" in ended.out) == (0, True), ended


def test_a_fileset_that_is_none_any_more_keeps_no_scrub_from_the_others(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    site.configure(datastore.url, mirror='scrub = "1s"')
    rows = seen(site, "SELECT name FROM filesets WHERE product_id = 1 ORDER BY published_at, id")
    first, last = site.data / "prod0" / rows[0][0], site.data / "prod0" / rows[-1][0]
    datastore.forget()
    with serving(site):
        wait_until(lambda: datastore.requests, "the first poll")  # until then, what is gone is fetched again
        shutil.rmtree(first)
        first.symlink_to(site.folder)
        flip(last / f"{last.name}.0.fits")
        wait_until(lambda: states(site)[first.name] == states(site)[last.name] == "damaged", "the scrub of both")


def test_nothing_to_verify_is_said(site: Site, datastore: DataStore) -> None:
    ended = site.run("verify")
    assert (ended.code, ended.out) == (2, "")
    assert "no state yet" in ended.err
    fill(datastore, products=1)
    site.once()
    ended = site.run("verify", "no-such")
    assert ended.code == 2
    assert "no fileset 'no-such' is known" in ended.err
    assert site.run("verify", "--sample", "lots").code == 2


def test_what_is_damaged_is_still_listed_for_the_next_mirror(
    site: Site, datastore: DataStore, mirrored: dict[str, bytes]
) -> None:
    flip(site.data / CHANGED)
    verify(site)
    register(datastore, "prod0", "new")
    assert site.once()["exit_code"] == 3
    assert b"o470.chip.1|" in (site.data / "prod0/index.txt").read_bytes()
    assert counts(site.once(), "prod0")["published"] == 5
