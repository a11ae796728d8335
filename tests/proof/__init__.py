"""The proof that any set of layers works: every combination is linted, tested and used.

    python tests/prove.py

A check is run once for the same inputs: what it reads is traced, and a combination in which all of
that is the same needs no second run (`evidence`). docs/combinations.md tells what is traced.
"""
