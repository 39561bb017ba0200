"""The schema of the state file, as an ordered list of migrations.

Times are seconds since the epoch. Counters per product are kept by triggers, in the transaction that changes a
state: a screen costs the same at ten million files as at ten thousand. Triggers also refuse illegal transitions.
"""

from __future__ import annotations

from core.store.ids import POSITION_BITS, sql_fileset_of, sql_in_range
from core.store.transitions import LEAVES

APPLICATION_ID = 0x4D525455
"""Marks a SQLite file as a state file of mirrortui (PRAGMA application_id)."""

Migration = tuple[str, ...]


def _counted(table: str, product: str, files: str, size: str, trouble: str, watched: str) -> Migration:
    """Return the triggers that keep the counters of one table."""
    scope = table.removesuffix("s")

    def count(row: str, sign: str) -> str:
        values = [part.replace("@", row) for part in (product, trouble, files, size)]
        return f"""
            INSERT INTO counters (product_id, scope, state, trouble, n, files, bytes)
            VALUES ({values[0]}, '{scope}', {row}.state, {values[1]}, {sign}1, {sign}({values[2]}), {sign}({values[3]}))
            ON CONFLICT DO UPDATE SET n = n + excluded.n, files = files + excluded.files,
                                      bytes = bytes + excluded.bytes;"""

    return (
        f"CREATE TRIGGER {table}_count_insert AFTER INSERT ON {table} BEGIN {count('NEW', '+')} END",
        f"CREATE TRIGGER {table}_count_delete AFTER DELETE ON {table} BEGIN {count('OLD', '-')} END",
        f"CREATE TRIGGER {table}_count_update AFTER UPDATE OF {watched} ON {table} "
        f"BEGIN {count('OLD', '-')} {count('NEW', '+')} END",
    )


def _guarded(table: str) -> str:
    """Return the trigger that refuses a change of state which transitions.py does not list."""
    noun = table.removesuffix("s")
    return f"""
        CREATE TRIGGER {table}_transition BEFORE UPDATE OF state ON {table}
        WHEN OLD.state <> NEW.state AND NOT EXISTS (
            SELECT 1 FROM transitions WHERE noun = '{noun}' AND old = OLD.state AND new = NEW.state)
        BEGIN SELECT RAISE(ABORT, 'illegal transition of a {noun}'); END"""


INITIAL: Migration = (
    """
    CREATE TABLE settings (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID""",
    """
    CREATE TABLE transitions (
        noun TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
        PRIMARY KEY (noun, old, new)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE mirrors (
        id            INTEGER PRIMARY KEY,
        name          TEXT NOT NULL UNIQUE,
        protocol      TEXT NOT NULL,
        url           TEXT NOT NULL,
        destination   TEXT NOT NULL,
        marker        TEXT,             -- of the place where its filesets were published
        configured    INTEGER NOT NULL DEFAULT 1,
        paused        TEXT,             -- an operator's reason
        stopped_kind  TEXT,             -- our own: denied, tls, disk
        stopped       TEXT,
        polled_at     REAL,             -- the last poll that succeeded
        tried_at      REAL,
        error_kind    TEXT,
        error         TEXT
    )""",
    """
    CREATE TABLE products (
        id            INTEGER PRIMARY KEY,
        mirror_id     INTEGER NOT NULL REFERENCES mirrors,
        name          TEXT NOT NULL,
        type          TEXT NOT NULL DEFAULT '',
        description   TEXT NOT NULL DEFAULT '',
        selected      INTEGER NOT NULL DEFAULT 0,
        wish          TEXT,             -- an operator's, above the configuration: mirror | ignore
        hidden        INTEGER NOT NULL DEFAULT 0,
        filter        TEXT NOT NULL DEFAULT '',     -- which filesets are wanted, as configured
        paused        TEXT,
        priority      INTEGER NOT NULL DEFAULT 0,
        cursor        TEXT,             -- the last fileset seen in a listing
        newest_at     INTEGER,          -- when the newest was registered, as the root told last
        polled_at     REAL,
        tried_at      REAL,
        reconciled_at REAL,
        error_kind    TEXT,
        error         TEXT,
        alarm         TEXT,             -- upstream does something that nobody should act on
        full_list_due INTEGER NOT NULL DEFAULT 0,
        index_due     INTEGER NOT NULL DEFAULT 1,   -- our published index is older than what is published
        index_error   TEXT,             -- why our published index could not be written
        UNIQUE (mirror_id, name)
    )""",
    """
    CREATE TABLE filesets (
        id            INTEGER PRIMARY KEY,
        product_id    INTEGER NOT NULL REFERENCES products,
        seq           INTEGER NOT NULL, -- order of registration, as listed
        place         REAL NOT NULL,    -- order in the queue among equal priorities: seq, unless an operator moved it
        revision      INTEGER NOT NULL DEFAULT 1,
        name          TEXT NOT NULL,
        registered    INTEGER NOT NULL,
        type          TEXT NOT NULL,
        columns       TEXT,             -- JSON
        state         TEXT NOT NULL,
        trouble       TEXT NOT NULL DEFAULT '',
        priority      INTEGER NOT NULL DEFAULT 0,
        files         INTEGER NOT NULL DEFAULT 0,
        bytes         INTEGER NOT NULL DEFAULT 0,
        rejected      INTEGER NOT NULL DEFAULT 0,   -- rows of its index that were refused
        index_sha256  TEXT,
        reread        INTEGER NOT NULL DEFAULT 0,   -- its index has to be read again before anything else; 2: looked at
        discovered_at REAL NOT NULL,
        queued_at     REAL,
        published_at  REAL,
        verified_at   REAL,             -- when what is published was last read again and compared
        attempts      INTEGER NOT NULL DEFAULT 0,   -- of reading its index or publishing it
        tries         INTEGER NOT NULL DEFAULT 0,   -- the same, since the kind of failure last changed
        failure_kind  TEXT,
        failure       TEXT,
        next_try      REAL,
        lease         INTEGER,
        inode         TEXT              -- device:inode:mtime of the directory at its place, or about to be there
    )""",
    "CREATE UNIQUE INDEX filesets_current ON filesets (product_id, name) WHERE state <> 'superseded'",
    "CREATE INDEX filesets_queue ON filesets (product_id, state, priority DESC, place)",
    "CREATE INDEX filesets_lag ON filesets (product_id, state, registered)",
    "CREATE INDEX filesets_seq ON filesets (product_id, seq)",
    """CREATE INDEX filesets_verified ON filesets (product_id, ifnull(verified_at, published_at))
       WHERE state = 'published'""",
    "CREATE INDEX filesets_trouble ON filesets (trouble, product_id) WHERE trouble <> ''",
    f"""
    CREATE TABLE files (
        id            INTEGER PRIMARY KEY,  -- fileset id << {POSITION_BITS} | position in the index
        name          TEXT NOT NULL,
        size          INTEGER NOT NULL,
        digest        TEXT,             -- MD5; NULL: only the size can be checked
        blake3        TEXT,             -- of what is published, taken while it came; NULL: not taken yet
        type          TEXT NOT NULL,
        columns       TEXT,
        state         TEXT NOT NULL,
        attempts      INTEGER NOT NULL DEFAULT 0,
        tries         INTEGER NOT NULL DEFAULT 0,
        failure_kind  TEXT,
        failure       TEXT,
        next_try      REAL,
        kept          INTEGER NOT NULL DEFAULT 0,   -- bytes in staging that can be continued ...
        validator     TEXT,                         -- ... if the server still has this version
        seen_size     INTEGER,          -- evidence: what came instead
        seen_digest   TEXT,
        accepted      TEXT              -- who took what was seen for what is wanted, against the catalogue
    )""",
    "CREATE INDEX files_retry ON files (next_try) WHERE state = 'retry_wait'",
    "CREATE INDEX files_aside ON files (id) WHERE state IN ('retry_wait', 'quarantined')",
    """
    CREATE TABLE transfers (
        file_id    INTEGER PRIMARY KEY,
        host       TEXT NOT NULL,
        started_at REAL NOT NULL,
        received   INTEGER NOT NULL,
        rate       REAL NOT NULL,
        lease      INTEGER NOT NULL
    )""",
    """
    CREATE TABLE meters (               -- files that were verified, and bytes that came, since the state file began
        product_id INTEGER PRIMARY KEY,
        files      INTEGER NOT NULL,
        bytes      INTEGER NOT NULL
    )""",
    """
    CREATE TABLE history (              -- what was fetched in the ten seconds from `at` on
        at         INTEGER NOT NULL,
        product_id INTEGER NOT NULL,
        files      INTEGER NOT NULL,
        bytes      INTEGER NOT NULL,
        PRIMARY KEY (at, product_id)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE disks (
        mirror_id  INTEGER NOT NULL,
        at         INTEGER NOT NULL,
        free       INTEGER NOT NULL,
        total      INTEGER NOT NULL,
        PRIMARY KEY (mirror_id, at)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE hosts (                -- which hosts are left alone at the moment
        host       TEXT PRIMARY KEY,
        until      REAL NOT NULL,
        reason     TEXT NOT NULL
    ) WITHOUT ROWID""",
    """
    CREATE TABLE attempts (
        id         INTEGER PRIMARY KEY,
        fileset_id INTEGER NOT NULL,
        file_id    INTEGER,             -- NULL: the fileset's own index, or its publication
        at         REAL NOT NULL,
        number     INTEGER NOT NULL,
        kind       TEXT,                -- NULL: it succeeded
        detail     TEXT NOT NULL,
        size       INTEGER,
        digest     TEXT
    )""",
    "CREATE INDEX attempts_of ON attempts (fileset_id, file_id)",
    """
    CREATE TABLE rejections (
        id         INTEGER PRIMARY KEY,
        product_id INTEGER,             -- NULL: a row of the root index
        mirror_id  INTEGER NOT NULL,
        fileset_id INTEGER,             -- NULL: a row of the product's index
        line       INTEGER NOT NULL,
        name       TEXT NOT NULL,
        reason     TEXT NOT NULL,
        seen_at    REAL NOT NULL
    )""",
    """CREATE UNIQUE INDEX rejections_once
       ON rejections (mirror_id, ifnull(product_id, 0), ifnull(fileset_id, 0), name, reason)""",
    """
    CREATE TABLE verifications (        -- of published filesets, as operators asked for them; the newest are kept
        command_id    INTEGER PRIMARY KEY,
        filesets      INTEGER NOT NULL, -- to verify
        bytes         INTEGER NOT NULL,
        done_filesets INTEGER NOT NULL DEFAULT 0,
        done_files    INTEGER NOT NULL DEFAULT 0,
        done_bytes    INTEGER NOT NULL DEFAULT 0,
        ended_at      REAL,
        stopped       TEXT,             -- why it ended early ...
        failed        INTEGER NOT NULL DEFAULT 0    -- ... and whether that was an error
    )""",
    """
    CREATE TABLE findings (             -- what a verification found wrong
        id         INTEGER PRIMARY KEY,
        command_id INTEGER NOT NULL,
        mirror     TEXT NOT NULL,
        product    TEXT NOT NULL,
        fileset    TEXT NOT NULL,
        fileset_id INTEGER,             -- NULL: something beside the filesets, that nobody listed
        file       TEXT,                -- NULL: the fileset as a whole
        damage     TEXT NOT NULL,       -- missing | changed | extra | unreadable
        detail     TEXT NOT NULL
    )""",
    "CREATE INDEX findings_of ON findings (command_id)",
    """
    CREATE TABLE commands (
        id      INTEGER PRIMARY KEY,
        kind    TEXT NOT NULL,
        target  TEXT NOT NULL,          -- JSON
        who     TEXT NOT NULL,
        host    TEXT NOT NULL,
        at      REAL NOT NULL,
        state   TEXT NOT NULL DEFAULT 'new',
        result  TEXT,
        done_at REAL
    )""",
    "CREATE INDEX commands_new ON commands (id) WHERE state = 'new'",
    """
    CREATE TABLE events (
        id      INTEGER PRIMARY KEY,
        at      REAL NOT NULL,
        level   TEXT NOT NULL,
        mirror  TEXT,
        product TEXT,
        fileset TEXT,
        message TEXT NOT NULL
    )""",
    """
    CREATE TABLE counters (
        product_id INTEGER NOT NULL,
        scope      TEXT NOT NULL,       -- fileset | file
        state      TEXT NOT NULL,
        trouble    TEXT NOT NULL,
        n          INTEGER NOT NULL,
        files      INTEGER NOT NULL,
        bytes      INTEGER NOT NULL,
        PRIMARY KEY (product_id, scope, state, trouble)
    ) WITHOUT ROWID""",
    *_counted("filesets", "@.product_id", "@.files", "@.bytes", "@.trouble", "state, trouble, files, bytes"),
    *_counted(
        "files",
        f"(SELECT product_id FROM filesets WHERE id = {sql_fileset_of('@.id')})",
        "1",
        "@.size",
        "''",
        "state, size",
    ),
    _guarded("filesets"),
    _guarded("files"),
)

FLOW: Migration = ("ALTER TABLE history DROP COLUMN files",)
"""History tells the bytes that came in each ten seconds, as they came, whether their files are complete or not."""

WISHES: Migration = ("ALTER TABLE filesets ADD COLUMN wish TEXT",)
"""Where an operator had sent a fileset (held, cancelled) that upstream does not list at the moment."""

CHANGES: Migration = ("ALTER TABLE files ADD COLUMN ctime INTEGER",)
"""When the inode of a staged file was last changed, in ns; NULL: not known, and its bytes have to be proven."""

STAMPS: Migration = (
    "ALTER TABLE products ADD COLUMN index_stamp TEXT",
    "ALTER TABLE mirrors ADD COLUMN index_stamp TEXT",
)
"""How our published index was left when it was written: size and time of the last change; NULL: not known."""

LISTED: Migration = (
    "ALTER TABLE files ADD COLUMN listed_size INTEGER",
    "ALTER TABLE files ADD COLUMN listed_digest TEXT",
)
"""What the catalogue lists of a file of which something else was accepted."""

REREAD: Migration = ("CREATE INDEX filesets_reread ON filesets (product_id, state) WHERE reread",)
"""When a source has moved, all of its indexes are to be read again: those still to be read are found at once."""

BASES: Migration = ("ALTER TABLE transfers ADD COLUMN base INTEGER NOT NULL DEFAULT 0",)
"""How much of what a transfer has received was kept from an earlier one: that has been counted."""

_ASIDE = f"state IN ({', '.join(repr(str(state)) for state in LEAVES)})"


def _files_counted(row: str, sign: str) -> str:
    """Return the SQL that counts a file: staged ones of filesets that were taken out of the queue apart."""
    return f"""
        INSERT INTO counters (product_id, scope, state, trouble, n, files, bytes)
        SELECT product_id, 'file', {row}.state, iif({row}.state = 'staged' AND {_ASIDE}, 'aside', ''),
               {sign}1, {sign}1, {sign}{row}.size
        FROM filesets WHERE id = {sql_fileset_of(f"{row}.id")}
        ON CONFLICT DO UPDATE SET n = n + excluded.n, files = files + excluded.files, bytes = bytes + excluded.bytes;"""


def _staged_counted(trouble: str, sign: str) -> str:
    """Return the SQL that counts all staged files of a fileset."""
    return f"""
        INSERT INTO counters (product_id, scope, state, trouble, n, files, bytes)
        SELECT NEW.product_id, 'file', 'staged', {trouble}, {sign}count(*), {sign}count(*), {sign}ifnull(sum(size), 0)
        FROM files WHERE {sql_in_range("id", "NEW.id")} AND state = 'staged'
        ON CONFLICT DO UPDATE SET n = n + excluded.n, files = files + excluded.files, bytes = bytes + excluded.bytes;"""


_BEFORE, _AFTER = (f"iif({row}.{_ASIDE}, 'aside', '')" for row in ("OLD", "NEW"))

STAGED: Migration = (
    "DROP TRIGGER files_count_insert",
    "DROP TRIGGER files_count_delete",
    "DROP TRIGGER files_count_update",
    f"CREATE TRIGGER files_count_insert AFTER INSERT ON files BEGIN {_files_counted('NEW', '+')} END",
    f"CREATE TRIGGER files_count_delete AFTER DELETE ON files BEGIN {_files_counted('OLD', '-')} END",
    "CREATE TRIGGER files_count_update AFTER UPDATE OF state, size ON files "
    f"BEGIN {_files_counted('OLD', '-')} {_files_counted('NEW', '+')} END",
    f"""CREATE TRIGGER filesets_count_staged AFTER UPDATE OF state ON filesets
        WHEN (OLD.{_ASIDE}) <> (NEW.{_ASIDE})
        BEGIN {_staged_counted(_BEFORE, "-")} {_staged_counted(_AFTER, "+")} END""",
    "DELETE FROM counters WHERE scope = 'file'",
    f"""INSERT INTO counters (product_id, scope, state, trouble, n, files, bytes)
        SELECT s.product_id, 'file', f.state, iif(f.state = 'staged' AND s.{_ASIDE}, 'aside', ''),
               count(*), count(*), sum(f.size)
        FROM files f JOIN filesets s ON s.id = {sql_fileset_of("f.id")} GROUP BY 1, 3, 4""",
)
"""What is staged of filesets that are held, or gone, is no part of what the others wait for."""

AGAIN: Migration = (
    "CREATE INDEX filesets_again ON filesets (product_id) WHERE state = 'discovered' AND trouble <> ''",
)
"""Indexes that are to be tried again are found at once, however many filesets are in trouble."""

PRESENCE: Migration = ("ALTER TABLE products ADD COLUMN folder_stamp TEXT",)
"""How the folder of a product was left (inode:mtime) when all that is published of it was seen to stand."""

MIGRATIONS: tuple[Migration, ...] = (
    INITIAL,
    FLOW,
    WISHES,
    CHANGES,
    STAMPS,
    REREAD,
    LISTED,
    BASES,
    STAGED,
    AGAIN,
    PRESENCE,
)
"""Migration n brings a state file from version n to n + 1 (PRAGMA user_version)."""
