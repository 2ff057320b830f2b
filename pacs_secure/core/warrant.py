"""The token without which no `Permit` and no `Grant` can be built.

An import contract allows only `core.access` (which checks it) and `archive.guard` (which
spends it) to import this module. It guards against mistakes, not against hostile code.
"""

WARRANT = object()
