"""The dashboard goes to the background and comes back, as programs at a terminal do."""

from __future__ import annotations

import shlex

from tests.servers.datastore import DataStore
from tests.terminal import Terminal
from tests.whole.screen import PRODUCTS, assert_left_clean, end_engine, wait_for_row
from tests.whole.site import COMMAND, Site, fill

SUSPEND, SHELL = "\x1a", "shell> "


def test_the_shell_has_the_terminal_until_it_is_given_back(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    environment = {**site.environment, "XDG_STATE_HOME": str(site.folder / "screen"), "PS1": SHELL}
    command = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    with Terminal(command, 120, 40, environment, site.folder) as terminal:
        try:
            terminal.wait_for(SHELL.strip())
            terminal.send(f"{shlex.join(COMMAND)}\r")
            wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
            terminal.send(SUSPEND)
            terminal.wait_for("Stopped")
            terminal.send("echo $((41 + 1))\r")
            terminal.wait_for("42")
            terminal.send("fg\r")
            terminal.wait_until_gone(SHELL.strip())
            wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
            terminal.send("q")
            terminal.wait_for(SHELL.strip())
            terminal.send("exit\r")
            assert_left_clean(terminal)
        finally:
            end_engine(site)
