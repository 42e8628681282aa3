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

-- For the queries that run often, once there are 400 days of runs.

-- `history`, newest first, of all servers and of one.
CREATE INDEX run_opened ON run (opened_at);
CREATE INDEX run_of_server ON run (server, opened_at);
-- How long the last points of a policy took: the newest of these, by the row's own id.
CREATE INDEX run_succeeded ON run (server, policy) WHERE outcome = 'succeeded';
-- What is old enough to be forgotten.
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX token_sent ON token (sent_at);
CREATE INDEX token_open ON token (server, kind) WHERE state IN ('open', 'undecided');
CREATE INDEX notice_closed ON notice (at) WHERE closed = 1;
CREATE INDEX notice_open ON notice (at) WHERE closed = 0;
CREATE INDEX notice_of_incident ON notice (incident) WHERE incident IS NOT NULL;
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX outbox_done ON outbox (coalesce(sent_at, failed_at)) WHERE coalesce(sent_at, failed_at) IS NOT NULL;
CREATE INDEX outbox_failed ON outbox (failed_at) WHERE failed_at IS NOT NULL;
