-- For the queries that run often, once there are 400 days of runs.

-- `history`, newest first, of all servers and of one.
CREATE INDEX run_opened ON run (opened_at);
CREATE INDEX run_of_server ON run (server, opened_at);
-- How long the last points of a policy took: the newest of these, by the row's own id.
CREATE INDEX run_succeeded ON run (server, policy) WHERE outcome = 'succeeded';
-- What is old enough to be forgotten.
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX token_sent ON token (sent_at);
CREATE INDEX notice_closed ON notice (at) WHERE closed = 1;
CREATE INDEX notice_open ON notice (at) WHERE closed = 0;
CREATE INDEX notice_of_incident ON notice (incident) WHERE incident IS NOT NULL;
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX outbox_done ON outbox (coalesce(sent_at, failed_at)) WHERE coalesce(sent_at, failed_at) IS NOT NULL;
CREATE INDEX outbox_failed ON outbox (failed_at) WHERE failed_at IS NOT NULL;
