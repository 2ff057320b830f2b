"""What the archive does, one verb a module."""
