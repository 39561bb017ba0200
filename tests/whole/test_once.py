"""``mirrortui --once`` on a well-behaved source: what is fetched, what is not, and what is said."""

from __future__ import annotations

from pathlib import Path

from tests.servers.datastore import DataStore, ServedFile
from tests.servers.recorded import serve_recorded, serve_tree
from tests.whole.site import Site, counts, fill, register


def test_a_mirror_holds_what_the_source_holds_byte_for_byte(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    found = site.once()
    assert found["exit_code"] == 0
    assert site.published() == expected
    assert found["files"] == len(expected)
    assert found["bytes"] == sum(map(len, expected.values()))
    assert found["failures"] == []
    product = found["mirrors"][0]["products"][0]
    assert product["filesets"] == {
        "published": 5, "queued": 0, "failed": 0, "quarantined": 0, "excluded": 0, "held": 0
    }  # fmt: skip
    assert (product["lag_seconds"], product["backlog_files"], product["backlog_bytes"]) == (0, 0, 0)


def test_a_second_run_asks_only_for_what_is_newer(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    datastore.forget()
    found = site.once()
    assert found["exit_code"] == 0
    assert found["files"] == 0
    asked = sorted((request.path, request.query) for request in datastore.requests)
    assert asked == [
        ("index.txt", ""),
        ("prod0/index.txt", "o470.chip.4"),
        ("prod1/index.txt", "o471.chip.4"),
    ]


def test_a_new_fileset_costs_one_listing_one_index_and_its_files(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    site.once()
    expected |= register(datastore, "prod1", "o471.new")
    datastore.forget()
    found = site.once()
    assert found["files"] == 4
    assert site.published() == expected
    asked = sorted(request.path for request in datastore.requests)
    assert asked == [
        "index.txt",
        "prod0/index.txt",
        "prod1/index.txt",
        *(f"prod1/o471.new/{name}" for name in ["index.txt", *(f"o471.new.{n}.fits" for n in range(4))]),
    ]


def test_files_that_are_there_already_are_adopted(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    site.once()
    (site.folder / "mirror.db").unlink()
    for name in ("mirror.db-wal", "mirror.db-shm"):
        (site.folder / name).unlink(missing_ok=True)
    damaged = site.data / "prod0/o470.chip.1/o470.chip.1.2.fits"
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    found = site.once()
    assert found["exit_code"] == 0
    assert found["files"] == 1
    assert site.published() == expected


def test_a_file_without_digest_is_fetched_and_checked_by_size(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": ServedFile(b"abc", md5="")})
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/a.dat": b"abc"}


def test_only_the_chosen_product_is_brought_up_to_date(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    found = site.once("--product", "prod1*")
    assert [product["name"] for product in found["mirrors"][0]["products"]] == ["prod1"]
    assert site.published() == {path: body for path, body in expected.items() if path.startswith("prod1/")}
    assert site.run("--once", "--mirror", "nope").code == 2


def test_hidden_products_and_a_choice_of_filesets(tmp_path: Path, datastore: DataStore) -> None:
    datastore.add_product("seen")
    datastore.add_product("secret", hidden=True)
    expected = register(datastore, "secret", "s.camera.1")
    register(datastore, "secret", "s.chip.1")
    site = Site(
        tmp_path, datastore.url, mirror='products = []\nhidden_products = ["secret"]\nfilesets = ["*.camera.*"]'
    )
    found = site.once()
    assert found["exit_code"] == 0
    assert site.published() == expected
    assert counts(found, "secret")["excluded"] == 1
    site.configure(datastore.url, mirror='products = []\nhidden_products = ["secret"]')
    found = site.once()
    assert counts(found, "secret") == {
        "published": 2, "queued": 0, "failed": 0, "quarantined": 0, "excluded": 0, "held": 0
    }  # fmt: skip


def test_a_dry_run_says_what_would_be_fetched_and_changes_nothing(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    ended = site.run("--once", "--dry-run")
    assert ended.code == 0
    assert "ps1/prod0: 5 filesets, 20 files, 60.0 kB to fetch" in ended.out
    assert not site.data.exists()
    assert not (site.folder / "mirror.db").exists()
    assert not datastore.requested("*.fits")


def test_the_recorded_tree_of_a_real_server_is_mirrored(tmp_path: Path) -> None:
    with serve_recorded() as store:
        site = Site(tmp_path, store.url)
        found = site.once()
        assert found["exit_code"] == 0, found
        assert counts(found, "dist-200904")["published"] == 3
        assert counts(found, "md-all-rel-200907")["published"] == 3
        assert counts(found, "threepi-all-200908")["published"] == 0
        assert site.once()["files"] == 0


def test_a_mirror_feeds_the_next_mirror(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore)
    datastore.add_product("typed")
    datastore.add_fileset(
        "typed",
        "f",
        {
            "a.fits": ServedFile(b"a" * 10, type="chip", columns={"chipname": "XY01"}),
            "b.tgz": ServedFile(b"b" * 20, type="tgz", columns={"component": None}),
        },
        columns={"stage": "chip", "exp_name": None},
    )
    first = Site(tmp_path / "first", datastore.url)
    first.once()
    with serve_tree(first.data) as chain:
        second = Site(tmp_path / "second", chain.url)
        found = second.once()
        assert found["exit_code"] == 0, found
        assert (
            second.published()
            == first.published()
            == expected | {"typed/f/a.fits": b"a" * 10, "typed/f/b.tgz": b"b" * 20}
        )
        for index in ("index.txt", "typed/index.txt", "typed/f/index.txt", "prod0/o470.chip.1/index.txt"):
            assert (second.data / index).read_bytes() == (first.data / index).read_bytes()
