"""The bench: what a deployment can do on this machine, with its own rules and a synthetic store."""
