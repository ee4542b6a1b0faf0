-- name: tables
-- Which of our tables exist: the schema's version, and the search index if this database has one.
SELECT name FROM sqlite_master WHERE name IN ('{prefix}schema', '{prefix}search');

-- name: schema_version
SELECT version, oldest FROM {prefix}schema;

-- name: create_schema_table
-- version: that of the schema. oldest: the oldest version whose release may still use this schema.
CREATE TABLE IF NOT EXISTS {prefix}schema (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,
    oldest INTEGER NOT NULL
);

-- name: set_schema_version
INSERT INTO {prefix}schema VALUES (1, :version, :oldest)
ON CONFLICT (only) DO UPDATE SET version = excluded.version, oldest = excluded.oldest;

-- name: create_search
-- Not a numbered migration: it is created if SQLite has FTS5. The text stays in the table of messages (external
-- content). Core folds texts and words, so the tokenizer must not. Hits are not ranked, so columnsize is not needed.
CREATE VIRTUAL TABLE IF NOT EXISTS {prefix}search USING fts5(
    search_text, content = '{prefix}message', content_rowid = 'key', columnsize = 0, tokenize = 'trigram case_sensitive 1'
);

-- name: set_usermerge
-- Two segments are enough for a merge that we ask for. It is stored in the index.
INSERT INTO {prefix}search ({prefix}search, rank) VALUES ('usermerge', 2);

-- name: has_fts5
-- Its trigram tokenizer came with SQLite 3.34, and versions older than 3.35 are refused.
SELECT count(*) FROM pragma_module_list WHERE name = 'fts5';

-- name: versions
-- For health.
SELECT sqlite_version(), (SELECT version FROM {prefix}schema);

-- name: settings
-- How durable a commit of this connection is, and where: an empty file name is a database in memory.
SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT journal_mode FROM pragma_journal_mode),
    (SELECT file FROM pragma_database_list WHERE name = 'main');
