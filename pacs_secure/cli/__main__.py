"""Lets ``python -m pacs_secure.cli`` be the command line."""

from pacs_secure.cli import main

main()
