"""The minimizer: bytes in, and out only what allowlist, targets and period cover. Pure."""
