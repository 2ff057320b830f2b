"""What entries of the ledger look like to other systems: pure functions from entry to message; nothing is opened."""
