"""Turning the ledger into what a data-protection officer signs: one pass over its entries, in flat memory."""
