"""The ledger's mathematics and texts: tree, notes, checkpoints, tiles, proofs. Pure.

The tree is RFC 6962's (RFC 9162 §2.1), the texts are C2SP's (c2sp.org), so verifiers and witnesses
of other origin work on our log. What is read is a stranger's until it verifies: every reader is
strict, has one spelling for each value, is bounded, and raises `Unproven`. A `ValueError` is a
fault of our own code. Nothing here stores, sends or knows what an entry means.
"""
