"""The index and the ledger in SQL."""
