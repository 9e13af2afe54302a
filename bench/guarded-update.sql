-- pgbench script: what the database does for a refresh, one at a time: a guarded update of one row by its key, in a table
-- of the same shape, committed. Any row passes the guard, so that nothing has to be read before.
\set application random(1, :applications)
\set id random(1, :grants_each)
UPDATE yardstick SET generation = generation + 1, refreshed_at = refreshed_at + 1, expires_at = expires_at + 1
WHERE application = :application AND id = :id AND generation >= 0
RETURNING application, id;
