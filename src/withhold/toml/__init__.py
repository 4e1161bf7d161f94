"""TOML, read strictly: every fault with its file and line, and what to write instead. Pure.

`read` makes a `Table` of a file's bytes; the parsers of catalogue, policy and deployment take from
it what they know by name, and `Table.done` reports what nobody asked for.
"""
