"""Stops while it is imported."""

from truth import checkpoint


def during_import():
    checkpoint()


checkpoint()
during_import()
