"""The benchmark's own machinery; ../bench.py is the program."""
