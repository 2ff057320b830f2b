"""The index and the ledger in one SQL database: SQLite on one machine, written so that PostgreSQL can follow."""

from pacs_secure.adapters.sql.backups import SqlBackups, SqlScratch
from pacs_secure.adapters.sql.boards import SqlBoards
from pacs_secure.adapters.sql.bookmarks import SqlBookmarks
from pacs_secure.adapters.sql.devices import SqlDevices
from pacs_secure.adapters.sql.emergencies import SqlEmergencies
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.forgettings import SqlForgettings
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.ledger_keys import SqlLedgerKeys
from pacs_secure.adapters.sql.notices import SqlNotices
from pacs_secure.adapters.sql.patients import SqlPatients
from pacs_secure.adapters.sql.policies import SqlPolicies
from pacs_secure.adapters.sql.questions import SqlEmployeeQuestions
from pacs_secure.adapters.sql.rebuilds import SqlRebuilds
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.sql.retention import SqlRetention
from pacs_secure.adapters.sql.rewraps import SqlRewraps
from pacs_secure.adapters.sql.scrubs import SqlScrubs
from pacs_secure.adapters.sql.sessions import SqlSessions
from pacs_secure.adapters.sql.shares import SqlShares
from pacs_secure.adapters.sql.snapshots import SqlSnapshots
from pacs_secure.adapters.sql.tables import SCHEMA_VERSION
from pacs_secure.adapters.sql.ties import SqlTies
from pacs_secure.adapters.sql.used_tokens import SqlUsedTokens

__all__ = [
    "SCHEMA_VERSION",
    "Database",
    "SqlBackups",
    "SqlBoards",
    "SqlBookmarks",
    "SqlDevices",
    "SqlEmergencies",
    "SqlEmployeeQuestions",
    "SqlForgettings",
    "SqlLedger",
    "SqlLedgerKeys",
    "SqlNotices",
    "SqlPatients",
    "SqlPolicies",
    "SqlRebuilds",
    "SqlRecords",
    "SqlRetention",
    "SqlRewraps",
    "SqlScratch",
    "SqlScrubs",
    "SqlSessions",
    "SqlShares",
    "SqlSnapshots",
    "SqlTies",
    "SqlUsedTokens",
]
