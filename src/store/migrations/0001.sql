-- Times are nanoseconds since 1970 (UTC). Provider keys are JSON texts: 12345 or "7f0c…", so that their type is kept.

CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    server      TEXT NOT NULL,              -- the provider's key
    server_name TEXT NOT NULL,
    policy      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    due         INTEGER,                    -- NULL: by hand
    opened_at   INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT,
    UNIQUE (server, policy, due)
);
CREATE INDEX run_open ON run (ended_at) WHERE ended_at IS NULL;
CREATE INDEX run_of_policy ON run (server, policy, opened_at);

CREATE TABLE event (
    run  INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Every restore point that was listed, or made by us, and is not known to be gone: the last inventory, remembered.
CREATE TABLE point (
    server     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    created_at INTEGER,                     -- NULL until a list has shown it
    first_text TEXT,                        -- name and description as first listed
    origin     TEXT NOT NULL,
    policy     TEXT,                        -- whose it is, where it is ours
    status     TEXT,
    size_mb    INTEGER,
    automatic  INTEGER NOT NULL DEFAULT 0,
    deleting   INTEGER,                     -- when the provider accepted its delete
    seen_at    INTEGER,                     -- when a list last showed it
    made_at    INTEGER,                     -- when the provider accepted our create
    token      TEXT,                        -- the mark that we gave it
    PRIMARY KEY (server, kind, id)
) WITHOUT ROWID;

CREATE TABLE inventory (
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (server, kind)
) WITHOUT ROWID;

-- Every create that was sent or about to be.
CREATE TABLE token (
    token    TEXT PRIMARY KEY,
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    policy   TEXT NOT NULL,
    run      INTEGER NOT NULL,
    sent_at  INTEGER NOT NULL,
    state    TEXT NOT NULL                  -- open, made, not_made, undecided
) WITHOUT ROWID;
CREATE INDEX token_of_server ON token (server, kind);

CREATE TABLE evicted (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;

CREATE TABLE hold (
    id        INTEGER PRIMARY KEY,
    server    TEXT,                         -- a whole server
    kind      TEXT,                         -- or a point
    point     TEXT,
    name      TEXT NOT NULL,
    reason    TEXT NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER
);

CREATE TABLE due_time (
    server    TEXT NOT NULL,
    policy    TEXT NOT NULL,
    schedule  TEXT NOT NULL,                -- a change starts from now
    handled   INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    stale     INTEGER NOT NULL DEFAULT 0,   -- told
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;

CREATE TABLE server (
    id      TEXT PRIMARY KEY,
    body    TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    gone_at INTEGER
) WITHOUT ROWID;

CREATE TABLE lease (
    server TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE incident (
    id        INTEGER PRIMARY KEY,
    server    TEXT NOT NULL,                -- '' where there is none
    policy    TEXT NOT NULL,
    topic     TEXT NOT NULL,
    text      TEXT NOT NULL,
    name      TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
);
CREATE UNIQUE INDEX incident_open ON incident (server, policy, topic) WHERE closed_at IS NULL;

CREATE TABLE notice (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL,
    incident INTEGER REFERENCES incident (id),
    closed   INTEGER NOT NULL DEFAULT 0     -- every report has told it, or need not
);
CREATE INDEX notice_waiting ON notice (closed) WHERE closed = 0;

CREATE TABLE told (
    notice   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    report   TEXT NOT NULL,
    incident INTEGER,
    class    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (notice, report)
) WITHOUT ROWID;
CREATE INDEX told_incident ON told (incident, report, class);

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    report     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    sender     TEXT NOT NULL,
    recipients TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    first_at   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    sent_at    INTEGER,
    failed_at  INTEGER,
    error      TEXT
);
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE sent_at IS NULL AND failed_at IS NULL;

CREATE TABLE digest (
    report  TEXT PRIMARY KEY,
    handled INTEGER NOT NULL,
    facts   TEXT
) WITHOUT ROWID;

CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
