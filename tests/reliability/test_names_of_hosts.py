"""A host whose name is not known for a while."""

from __future__ import annotations

import json
from pathlib import Path

from tests.reliability.apart import apart, needs_namespaces

COMES_BACK = """
import json, sys
from pathlib import Path
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, wait_until
from tests.whole.site import Site, fill

with DataStore() as catalogue, DataStore() as files:
    expected = fill(catalogue, products=1, filesets=1, files=1)
    fill(files, products=1, filesets=1, files=1)
    [path] = expected
    catalogue.fault(path, Fault.redirect(f"http://files.example:{files.port}/ds/{path}"), times=None)
    site = Site(Path(sys.argv[1]), catalogue.url)
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM attempts"), "the name to be asked for in vain")
        with open("/etc/hosts", "a") as hosts:
            hosts.write("127.0.0.1 files.example\\n")
        wait_until(lambda: site.published() == expected, "the file to be published")
    print(json.dumps(seen(site, "SELECT kind, detail FROM attempts ORDER BY id LIMIT 1")))
"""

SILENT = """
import socket, subprocess, sys
from pathlib import Path
from tests.servers.datastore import DataStore
from tests.whole.service import seen, wait_until
from tests.whole.site import Site, fill

resolver = socket.socket(type=socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
settings = Path(sys.argv[1] + ".resolv.conf")
settings.write_text("nameserver 127.0.0.1\\noptions timeout:30\\n")
subprocess.run(["mount", "--bind", settings, "/etc/resolv.conf"], check=True)
mirror = '[[mirror]]\\nname = "m%d"\\nprotocol = "ipp"\\nurl = "http://m%d.example/ds"\\ndestination = "m%d"'
more = "\\n".join(mirror % (number, number, number) for number in range(4))
with DataStore() as store:
    expected = fill(store, products=2, filesets=4, files=1)
    site = Site(Path(sys.argv[1]), f"http://inside.example:{store.port}/ds", more=more)
    process = site.start("run")
    try:
        wait_until(lambda: site.published() == expected, "the mirror that has a name to be published")
        assert seen(site, "SELECT count(*) FROM mirrors WHERE name <> 'ps1' AND error IS NULL") == [(4,)]
    finally:
        process.kill()
        process.communicate()
"""


@needs_namespaces
def test_names_that_nobody_answers_for_keep_no_other_mirror_from_its_own(tmp_path: Path) -> None:
    ended = apart(SILENT, str(tmp_path / "site"))
    assert ended.returncode == 0, ended.stderr


@needs_namespaces
def test_a_name_that_is_not_known_for_a_while_is_asked_for_again(tmp_path: Path) -> None:
    ended = apart(COMES_BACK, str(tmp_path / "site"))
    assert ended.returncode == 0, ended.stderr
    [[kind, detail]] = json.loads(ended.stdout)
    assert kind == "transient"
    assert "files.example" in detail
