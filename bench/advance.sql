-- pgbench script: the statement of a batch of refreshes (crates/store/src/postgres/steps.rs), for :batch grants at random. Any generation
-- passes the guard, so that nothing has to be read before.
WITH s AS MATERIALIZED (
    SELECT application, id, nextval('grant_order') AS place
    FROM (SELECT 1 + floor(random() * :applications)::int4 AS application, 1 + floor(random() * :grants_each)::int8 AS id
          FROM generate_series(1, :batch) ORDER BY 1, 2) AS random
)
UPDATE grants AS g SET generation = g.generation + 1, refreshed_at = g.refreshed_at + 1, expires_at = g.expires_at + 1, place = s.place
FROM s WHERE g.application = s.application AND g.id = s.id AND g.generation >= 0
RETURNING g.application, g.id;
