-- How long it took from a run's plan to its accepted create, in milliseconds: what may end in another hour or day.
ALTER TABLE run ADD COLUMN lead_ms INTEGER;

-- A policy of the same name and another kind is another policy. NULL: from before this column, so of the kind that the
-- policy has.
ALTER TABLE due_time ADD COLUMN kind TEXT;
ALTER TABLE retention ADD COLUMN kind TEXT;
ALTER TABLE evicted ADD COLUMN kind TEXT;
