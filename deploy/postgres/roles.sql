-- Who may do what in the archive's database (PostgreSQL 14 or newer). Run it as a superuser, in that database:
--
--     psql -v ON_ERROR_STOP=1 -d archive -f roles.sql
--
-- pacs_secure_owner  makes the tables and owns them; used for installing and for new versions only
-- pacs_secure        what the archive runs as: it adds to the ledger and can neither change nor remove what is there
-- pacs_secure_keeper the same, and it removes entries that are older than they must be kept (`ledger expire`): only such
--                    as a certificate names and whose leaf hashes are kept, which triggers see to
--
-- 1. run this; 2. give each a password (\password) or a certificate; 3. open the archive once as the owner, so that the
-- tables are made; 4. run this again; 5. run the archive as pacs_secure. It may be run as often as you like.
-- A new version of the archive: stop the old one, run `pacs-secure init` as pacs_secure_owner, then this file again.

-- In one transaction: whoever is at work meanwhile, or when this fails, never holds what is granted and taken back below.
BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pacs_secure_owner') THEN
        CREATE ROLE pacs_secure_owner LOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pacs_secure') THEN
        CREATE ROLE pacs_secure LOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pacs_secure_keeper') THEN
        CREATE ROLE pacs_secure_keeper LOGIN INHERIT;
    END IF;
END $$;

GRANT pacs_secure TO pacs_secure_keeper;

-- What the server writes about an error names no values (LOG-02), and no statement with its parameters.
ALTER ROLE pacs_secure SET log_error_verbosity = 'terse';
ALTER ROLE pacs_secure SET log_min_error_statement = 'panic';
ALTER ROLE pacs_secure SET log_statement = 'none';
ALTER ROLE pacs_secure SET log_min_duration_statement = -1;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO pacs_secure, pacs_secure_owner', current_database());
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO pacs_secure;
GRANT USAGE, CREATE ON SCHEMA public TO pacs_secure_owner;

-- Tables that are there: rows of the index come, change and go; rows of the ledger only come.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pacs_secure;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pacs_secure;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger', 'checkpoints', 'retention_certificates', 'retained_tiles', 'audit_set_aside'] LOOP
        IF to_regclass(name) IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, pacs_secure', name);
            EXECUTE format('GRANT SELECT, INSERT ON %I TO pacs_secure', name);
        END IF;
    END LOOP;
    IF to_regclass('ledger') IS NOT NULL THEN
        GRANT DELETE ON ledger TO pacs_secure_keeper;
    END IF;
    -- What waits for its place in the ledger is taken away when it has one, and never changed.
    IF to_regclass('audit_outbox') IS NOT NULL THEN
        REVOKE ALL ON audit_outbox FROM PUBLIC, pacs_secure;
        GRANT SELECT, INSERT, DELETE ON audit_outbox TO pacs_secure;
    END IF;
    IF to_regclass('schema_version') IS NOT NULL THEN
        REVOKE ALL ON schema_version FROM PUBLIC, pacs_secure;
        GRANT SELECT ON schema_version TO pacs_secure;
    END IF;
END $$;

COMMIT;
