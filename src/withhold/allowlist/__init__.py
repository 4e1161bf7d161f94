"""The allowlist: warrant × bundle × resource, compiled to a decision for each field. Pure."""
