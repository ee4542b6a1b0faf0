-- name: tables
-- Which of our marks are there: the version table, and the search index where this database has one.
SELECT name FROM sqlite_master WHERE name IN ('{prefix}migration', '{prefix}search');

-- name: version
SELECT max(version) FROM {prefix}migration;

-- name: create_migration_table
CREATE TABLE IF NOT EXISTS {prefix}migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL);

-- name: add_version
INSERT INTO {prefix}migration (version, applied_at) VALUES (:version, :now);

-- name: create_search
-- Not a numbered migration: it is made wherever SQLite has FTS5. Texts come case-folded, so the tokenizer need not fold.
CREATE VIRTUAL TABLE IF NOT EXISTS {prefix}search USING fts5(text, tokenize = 'trigram case_sensitive 1');

-- name: has_fts5
-- Its trigram tokenizer came with SQLite 3.34, and older ones than 3.35 are refused.
SELECT count(*) FROM pragma_module_list WHERE name = 'fts5';

-- name: versions
-- What health asks.
SELECT sqlite_version(), (SELECT max(version) FROM {prefix}migration);

-- name: settings
-- How durable a commit of this connection is, and where: an empty file name is a database in memory.
SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT journal_mode FROM pragma_journal_mode),
    (SELECT file FROM pragma_database_list WHERE name = 'main');
