"""With what: each library in one place, behind a port."""
