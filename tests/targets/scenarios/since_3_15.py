"""Lazy imports."""

import sys

from truth import scenario

lazy from scenarios import blocking_import as lazily


@scenario("lazy-import", warm=False)
def lazy_import():
    """The module is imported here, at its first use."""
    lazily.during_import()
