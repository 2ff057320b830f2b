"""A whole archive on one machine, on loopback, started and ended by one command."""
