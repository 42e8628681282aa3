-- What must still happen to a server, whatever becomes of the run that brought it about.
CREATE TABLE debt (
    server         TEXT NOT NULL,              -- the provider's key
    what           TEXT NOT NULL,              -- start
    which          TEXT NOT NULL DEFAULT '',   -- which one, where a server may be owed several of a kind
    name           TEXT NOT NULL,              -- the server's name then
    since          INTEGER NOT NULL,
    run            INTEGER,                    -- the run and its step that opened it
    step           INTEGER,
    policy         TEXT,
    kind           TEXT,
    round          INTEGER NOT NULL DEFAULT 1, -- counts the stops: what was seen before the last one proves nothing
    in_charge      INTEGER,                    -- the open run that keeps the server stopped and will start it
    seen_down      INTEGER NOT NULL DEFAULT 0,
    start          TEXT NOT NULL DEFAULT 'not_sent', -- not_sent, sent, accepted, runs_already
    missing_millis INTEGER NOT NULL DEFAULT 0, -- for how long complete lists have lacked it
    PRIMARY KEY (server, what, which)
) WITHOUT ROWID;

-- Open runs that have stopped their server, as far as their events tell: the last stop was not certainly refused, and
-- the server was not seen running since. An event that is no JSON tells nothing.
WITH told AS (
    SELECT event.run, event.seq, event.at, CASE WHEN json_valid(event.body) THEN event.body ELSE 'null' END AS body
    FROM event JOIN run ON run.id = event.run WHERE run.ended_at IS NULL
),
last AS (
    SELECT run, max(seq) AS seq FROM told WHERE json_extract(body, '$.intended.act') = 'stop_server' GROUP BY run
),
stop AS (
    SELECT last.run, last.seq, json_extract(told.body, '$.intended.step') AS step,
        (SELECT min(first.at) FROM told AS first
         WHERE first.run = last.run AND json_extract(first.body, '$.intended.act') = 'stop_server') AS since
    FROM last JOIN told ON told.run = last.run AND told.seq = last.seq
)
INSERT INTO debt (server, what, name, since, run, step, policy, kind, in_charge, seen_down, start)
SELECT run.server, 'start', run.server_name, stop.since, run.id, stop.step, run.policy, run.kind,
    -- A run that takes its stop for not carried out will not start the server.
    CASE WHEN EXISTS (SELECT 1 FROM told WHERE told.run = stop.run AND told.seq > stop.seq
                      AND json_extract(told.body, '$.settled.step') = stop.step
                      AND json_extract(told.body, '$.settled.found') = 'not_done') THEN NULL ELSE run.id END,
    EXISTS (SELECT 1 FROM told WHERE told.run = stop.run AND told.seq > stop.seq
            AND json_extract(told.body, '$.seen') = 'server_stopped'),
    CASE WHEN EXISTS (SELECT 1 FROM told WHERE told.run = stop.run AND told.seq > stop.seq
                      AND json_extract(told.body, '$.intended.act') = 'start_server') THEN 'accepted' ELSE 'not_sent' END
FROM stop JOIN run ON run.id = stop.run
WHERE NOT EXISTS (
    SELECT 1 FROM told WHERE told.run = stop.run AND told.seq > stop.seq AND (
        json_extract(told.body, '$.seen') IN ('server_running', 'server_gone')
        OR (json_extract(told.body, '$.answered.step') = stop.step
            AND json_type(told.body, '$.answered.answer.refused') IS NOT NULL)))
ORDER BY run.id
ON CONFLICT (server, what, which) DO NOTHING;

-- Since when the account's lists lack a server that is not taken to be gone yet, and how many they were.
ALTER TABLE server ADD COLUMN missing_since INTEGER;
ALTER TABLE server ADD COLUMN missing_lists INTEGER NOT NULL DEFAULT 0;

-- How long it took from a run's plan to its accepted create, in milliseconds: what may end in another hour or day.
ALTER TABLE run ADD COLUMN lead_ms INTEGER;
CREATE INDEX run_lead ON run (server, opened_at, lead_ms) WHERE lead_ms IS NOT NULL;

-- How long the point took from its create to completed. Runs of before say nothing.
ALTER TABLE run ADD COLUMN creation_ms INTEGER;

-- How long after its create a look last showed the point in progress.
ALTER TABLE run ADD COLUMN in_progress_ms INTEGER;

-- A policy of the same name and another kind is another policy. NULL where no run tells: the kind that it is next seen with.
ALTER TABLE due_time ADD COLUMN kind TEXT;
ALTER TABLE evicted ADD COLUMN kind TEXT;
UPDATE due_time SET kind = (SELECT kind FROM run WHERE run.server = due_time.server AND run.policy = due_time.policy
                            ORDER BY id DESC LIMIT 1);
UPDATE evicted SET kind = (SELECT kind FROM run WHERE run.server = evicted.server AND run.policy = evicted.policy
                           ORDER BY id DESC LIMIT 1);

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

-- What a policy keeps is remembered for each kind: one that changes its kind begins anew there. Where no run tells the
-- kind, it may be either.
CREATE TABLE retention_of_kind (
    server TEXT NOT NULL,
    kind   TEXT NOT NULL,
    policy TEXT NOT NULL,
    rules  TEXT NOT NULL,                      -- JSON; earlier versions wrote words, which store::earlier_rules reads
    PRIMARY KEY (server, kind, policy)
) WITHOUT ROWID;
INSERT INTO retention_of_kind (server, kind, policy, rules)
    SELECT server, either.kind, policy, words FROM retention
    JOIN (SELECT 'backup' AS kind UNION ALL SELECT 'snapshot') AS either
    WHERE either.kind = coalesce((SELECT kind FROM run WHERE run.server = retention.server
                                  AND run.policy = retention.policy ORDER BY id DESC LIMIT 1), either.kind);
DROP TABLE retention;
ALTER TABLE retention_of_kind RENAME TO retention;

-- The creates that were given up since one was last made, without a look at all that a server ever had.
DROP INDEX token_of_server;
CREATE INDEX token_of_policy ON token (server, kind, policy, state, sent_at);

-- What else decided what a policy gave up beside held and protected points when it last looked: the slots, the reserve
-- and the policies that share them. NULL where an earlier version looked.
ALTER TABLE retention ADD COLUMN conditions TEXT;
-- How a message leaves, and what its bytes are: all messages so far are mails.
ALTER TABLE outbox ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail';
ALTER TABLE outbox ADD COLUMN payload TEXT NOT NULL DEFAULT 'rfc5322';

-- When we intended to delete the point.
ALTER TABLE point RENAME COLUMN asked_gone TO delete_intended_at;

-- Who has a lease is a name, and what a command does is JSON. Until now both were one text: `restore backup 7 (accepted)
-- #beside-0123`, before that without a name. A key of digits is a number unless the last list shows a text.
CREATE TABLE lease_with_errand (
    server TEXT PRIMARY KEY,
    holder TEXT NOT NULL,                      -- the name by which its process shows that it lives
    errand TEXT,                               -- NULL: the owner's
    until  INTEGER NOT NULL
) WITHOUT ROWID;
WITH split AS (
    SELECT server, until, holder, instr(holder, ' #beside-') AS name_from FROM lease
),
named AS (
    SELECT server, until, CASE WHEN name_from > 0 THEN substr(holder, name_from + 2) ELSE holder END AS name,
        CASE WHEN name_from > 0 THEN substr(holder, 1, name_from - 1) ELSE holder END AS words
    FROM split
),
said AS (
    SELECT server, until, name, words LIKE '% (accepted)' AS accepted,
        CASE WHEN words LIKE '% (accepted)' THEN substr(words, 1, length(words) - 11) ELSE words END AS words
    FROM named
),
parts AS (
    SELECT *, CASE WHEN words GLOB 'delete *' THEN 'delete' WHEN words GLOB 'restore *' THEN 'restore' END AS verb,
        CASE WHEN words GLOB '* backup ?*' THEN 'backup' WHEN words GLOB '* snapshot ?*' THEN 'snapshot' END AS kind
    FROM said
),
keyed AS (
    SELECT *, substr(words, length(verb) + length(kind) + 3) AS id FROM parts
)
INSERT INTO lease_with_errand (server, holder, errand, until)
SELECT server, name, CASE WHEN name = 'owner' THEN NULL ELSE json_object('command', CASE
        WHEN verb IS NOT NULL AND kind IS NOT NULL AND words = verb || ' ' || kind || ' ' || id
            THEN json_object(verb, json_object('kind', kind, 'id', CASE
                WHEN id GLOB '*[^0-9]*' OR id GLOB '0?*' OR length(id) > 18 OR EXISTS
                    (SELECT 1 FROM point WHERE point.kind = keyed.kind AND point.id = json_quote(keyed.id)) THEN id
                ELSE CAST(id AS INTEGER) END))
        WHEN words GLOB 'accept --server ?*' THEN json_object('accept', json_object('server', json(server)))
        ELSE json_object('other', json_object('words', words)) END,
    'accepted', json(CASE WHEN accepted THEN 'true' ELSE 'false' END)) END, until
FROM keyed;
DROP TABLE lease;
ALTER TABLE lease_with_errand RENAME TO lease;

-- The last errand on each server that was cut off and whose lease was ended for it.
CREATE TABLE cut_off (
    server TEXT PRIMARY KEY,
    errand TEXT NOT NULL,
    until  INTEGER NOT NULL                    -- how long it had its lease
) WITHOUT ROWID;

-- What is counted over months. Pruning history leaves it alone.
CREATE TABLE counter (
    name    TEXT NOT NULL,                     -- runs, points_created, points_deleted, due_times_missed, messages
    subject TEXT NOT NULL,                     -- the policy, or the channel of a message
    detail  TEXT NOT NULL,                     -- the outcome, the cause or the result; empty where there is none
    value   INTEGER NOT NULL,
    PRIMARY KEY (name, subject, detail)
) WITHOUT ROWID;
