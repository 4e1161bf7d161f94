"""Kinds: what a value promises to be, its normal form, and what each treatment makes of it.

Pure. The first user is the warrant (a target is a kind and a normal form), the last the minimizer.
"""
