-- How long it took from a run's plan to its accepted create, in milliseconds: what may end in another hour or day.
ALTER TABLE run ADD COLUMN lead_ms INTEGER;

-- A policy of the same name and another kind is another policy. NULL where no run tells: the kind that it is next seen with.
ALTER TABLE due_time ADD COLUMN kind TEXT;
ALTER TABLE retention ADD COLUMN kind TEXT;
ALTER TABLE evicted ADD COLUMN kind TEXT;
UPDATE due_time SET kind = (SELECT kind FROM run WHERE run.server = due_time.server AND run.policy = due_time.policy
                            ORDER BY id DESC LIMIT 1);
UPDATE retention SET kind = (SELECT kind FROM run WHERE run.server = retention.server AND run.policy = retention.policy
                             ORDER BY id DESC LIMIT 1);
UPDATE evicted SET kind = (SELECT kind FROM run WHERE run.server = evicted.server AND run.policy = evicted.policy
                           ORDER BY id DESC LIMIT 1);
