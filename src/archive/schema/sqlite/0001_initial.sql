-- What happened, for people and for restarts.
--
-- Every time stands twice: as ISO-8601 UTC text for people, and as seconds since the epoch for arithmetic and
-- for Grafana, whose SQLite source takes a number in a time column as seconds. `number` is the order in which
-- rows were first recorded; no clock can disturb it.

CREATE TABLE hosts (
    host                 TEXT NOT NULL PRIMARY KEY,
    first_incident_at    TEXT NOT NULL,
    first_incident_epoch REAL NOT NULL,
    last_incident_at     TEXT NOT NULL,
    last_incident_epoch  REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    number           INTEGER NOT NULL PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    host             TEXT    NOT NULL REFERENCES hosts (host),
    state            TEXT    NOT NULL, -- SUSPECTED, OPEN, REMEDIATING, VERIFYING, RESOLVED, ESCALATED
    trigger          TEXT    NOT NULL, -- forest, failsafe
    rule             TEXT    NOT NULL,
    why              TEXT    NOT NULL, -- leading features with value and usual range
    first_seen_at    TEXT    NOT NULL, -- timestamp of the first anomalous sample
    first_seen_epoch REAL    NOT NULL,
    opened_at        TEXT    NOT NULL, -- when it was suspected
    opened_epoch     REAL    NOT NULL,
    entered_at       TEXT    NOT NULL, -- when this state began
    entered_epoch    REAL    NOT NULL,
    closed_at        TEXT,             -- NULL until RESOLVED
    closed_epoch     REAL,
    attempts         INTEGER NOT NULL, -- deeds sent so far
    sequence         INTEGER NOT NULL, -- of the last transition
    peak_score       REAL              -- NULL: never scored
) STRICT;

CREATE INDEX incidents_open ON incidents (number) WHERE state <> 'RESOLVED';
CREATE INDEX incidents_by_time ON incidents (opened_epoch);
CREATE INDEX incidents_by_host ON incidents (host, opened_epoch);

CREATE TABLE transitions (
    incident_id TEXT    NOT NULL REFERENCES incidents (id),
    sequence    INTEGER NOT NULL, -- from 1 within an incident
    from_state  TEXT    NOT NULL,
    to_state    TEXT    NOT NULL,
    at          TEXT    NOT NULL,
    at_epoch    REAL    NOT NULL,
    why         TEXT    NOT NULL,
    PRIMARY KEY (incident_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX transitions_by_time ON transitions (at_epoch);

CREATE TABLE actions (
    number           INTEGER NOT NULL PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE, -- also the idempotency key towards the helper
    incident_id      TEXT    NOT NULL REFERENCES incidents (id),
    host             TEXT    NOT NULL,
    kind             TEXT    NOT NULL, -- deprioritize, freeze, terminate
    dry_run          INTEGER NOT NULL, -- 0 or 1
    outcome          TEXT    NOT NULL, -- pending until the helper has answered
    reason           TEXT    NOT NULL,
    intended_at      TEXT    NOT NULL,
    intended_epoch   REAL    NOT NULL,
    finished_at      TEXT,             -- NULL while the outcome is pending
    finished_epoch   REAL,
    target_pid       INTEGER,          -- NULL, as all of target_*: no process was chosen
    target_uid       INTEGER,
    target_comm      TEXT,
    target_where     TEXT,             -- cgroup or path
    target_cpu_ratio REAL,             -- of one CPU
    target_age_ms    INTEGER,
    target_handle    TEXT,
    target_allowed   INTEGER,
    target_reason    TEXT,
    candidates       TEXT    NOT NULL  -- JSON: all that were considered, hottest first
) STRICT;

CREATE INDEX actions_by_incident ON actions (incident_id, number);
CREATE INDEX actions_by_time ON actions (intended_epoch);
