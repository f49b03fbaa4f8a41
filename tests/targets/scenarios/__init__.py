"""Stacks for the dump matrix, by subject and by the first version that has the syntax."""
