-- The first text of points that a list lacked without our doing: one that is listed again is judged by it, and not by
-- what a person has made of it meanwhile.
CREATE TABLE vanished (
    server      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    created_at  INTEGER NOT NULL,           -- a later point with the same id is another one
    first_text  TEXT NOT NULL,
    origin      TEXT NOT NULL,
    vanished_at INTEGER NOT NULL,
    PRIMARY KEY (server, kind, id, created_at)
) WITHOUT ROWID;
CREATE INDEX vanished_since ON vanished (vanished_at);

-- What a policy keeps is remembered for each kind: one that changes its kind begins anew there. What was remembered
-- without it may be of either.
CREATE TABLE retention_of_kind (
    server TEXT NOT NULL,
    kind   TEXT NOT NULL,
    policy TEXT NOT NULL,
    words  TEXT NOT NULL,
    PRIMARY KEY (server, kind, policy)
) WITHOUT ROWID;
INSERT INTO retention_of_kind (server, kind, policy, words)
    SELECT server, 'backup', policy, words FROM retention UNION ALL SELECT server, 'snapshot', policy, words FROM retention;
DROP TABLE retention;
ALTER TABLE retention_of_kind RENAME TO retention;
