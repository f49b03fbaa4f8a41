"""Stops while the package is imported."""

from truth import checkpoint

checkpoint()
