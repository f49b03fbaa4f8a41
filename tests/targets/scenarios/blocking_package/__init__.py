"""Imports a module of its own that stops."""

from . import inner
