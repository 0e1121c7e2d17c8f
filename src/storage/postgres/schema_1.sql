CREATE TABLE contact_store_schema (
    step integer PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now()
);

-- One row. Who holds its lock decides the next requests: it is the order of all of them.
CREATE TABLE state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format bytea NOT NULL,
    value bytea NOT NULL,
    sequence bigint NOT NULL,
    -- Changes whenever an app is connected, disconnected, or gone.
    apps_version bigint NOT NULL DEFAULT 0,
    answers bigint NOT NULL DEFAULT 0,
    merged_ids bigint NOT NULL DEFAULT 0,
    -- Of all connected apps together.
    subscribers bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The last group that each host committed: it tells a host whose connection was lost in a commit.
CREATE TABLE hosts (
    host uuid PRIMARY KEY,
    last_group bigint NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE app_counts (
    key bigint PRIMARY KEY,
    value bytea NOT NULL,
    app uuid NOT NULL,
    is_connected boolean NOT NULL,
    subscribers bigint NOT NULL,
    contacts bigint NOT NULL,
    removed_by_failed bigint NOT NULL,
    removed_by_host bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE contacts (
    key bigint PRIMARY KEY,
    value bytea NOT NULL,
    external_customer_id text COLLATE "C",
    phone bigint,
    email text COLLATE "C",
    external_id_hash bigint,
    phone_hash bigint,
    email_hash bigint,
    subscribers bigint[] NOT NULL,
    added_at bigint[] NOT NULL,
    created_at bigint NOT NULL,
    fields jsonb NOT NULL,
    CONSTRAINT one_contact_of_an_external_customer_id
        UNIQUE (external_customer_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT one_contact_of_a_phone UNIQUE (phone) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT one_contact_of_an_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED
);
-- Over all rows: an index with a condition is not used by plans that were made once for all values.
CREATE INDEX ON contacts (external_id_hash);
CREATE INDEX ON contacts (phone_hash);
CREATE INDEX ON contacts (email_hash);

CREATE TABLE subscribers (
    key bigint PRIMARY KEY,
    value bytea NOT NULL,
    app bigint NOT NULL,
    token bytea NOT NULL,
    -- A token may be too long for an index.
    token_digest bytea NOT NULL GENERATED ALWAYS AS (sha256(token)) STORED,
    token_hash bigint NOT NULL,
    CONSTRAINT one_subscriber_of_a_token UNIQUE (app, token_digest) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ON subscribers (token_hash);

CREATE TABLE apps (
    key bytea PRIMARY KEY,
    value bytea NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    connected_at bigint NOT NULL
);

CREATE TABLE taken_ids (key bigint PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE messages (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE former_ids (key bigint PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE changes (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE merged_ids (key bigint PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE merges (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE merge_identifiers (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE suppressed (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE blocked (key bigint PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE blocked_index (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE answers (key bigint PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE answer_keys (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE conflicts (key bytea PRIMARY KEY, value bytea NOT NULL);

CREATE VIEW show_apps AS
SELECT c.app AS id, a.name, to_timestamp(a.connected_at / 1000.0) AS connected_at,
       c.subscribers, c.contacts, c.removed_by_failed, c.removed_by_host
  FROM app_counts c
  JOIN apps a ON a.number = c.key
 WHERE c.is_connected;

CREATE VIEW show_contacts AS
SELECT key AS id, external_customer_id, phone, email,
       fields ->> 'firstName' AS first_name, fields ->> 'lastName' AS last_name,
       fields ->> 'languageCode' AS language_code, fields ->> 'timeZone' AS time_zone,
       fields -> 'custom' AS custom_fields, cardinality(subscribers) AS tokens,
       to_timestamp(created_at / 1000.0) AS created_at
  FROM contacts;

CREATE VIEW show_tokens AS
SELECT c.key AS contact_id, a.app, convert_from(s.token, 'UTF8') AS token, s.key AS subscriber_id,
       to_timestamp(held.added_at / 1000.0) AS added_at, held.place
  FROM contacts c,
       LATERAL unnest(c.subscribers, c.added_at) WITH ORDINALITY AS held (subscriber, added_at, place)
  JOIN subscribers s ON s.key = held.subscriber
  JOIN app_counts a ON a.key = s.app
 WHERE a.is_connected;
