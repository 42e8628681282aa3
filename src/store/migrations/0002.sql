-- Signs that something is wrong with a server's points: its deletes wait for a person.
CREATE TABLE brake (
    id          INTEGER PRIMARY KEY,
    server      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    policy      TEXT NOT NULL,              -- '' where it is every policy's
    body        TEXT NOT NULL,
    since       INTEGER NOT NULL,
    accepted_at INTEGER,                    -- a person has looked; it is kept for as long as what it is about lasts
    UNIQUE (server, kind, cause, policy)
);

-- What a policy kept when it last looked at a server, so that a changed file is seen before it drops anything.
CREATE TABLE retention (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    words  TEXT NOT NULL,
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;

-- When we meant to delete the point, so that it is not missed when it is gone.
ALTER TABLE point ADD COLUMN asked_gone INTEGER;
UPDATE point SET asked_gone = deleting;
