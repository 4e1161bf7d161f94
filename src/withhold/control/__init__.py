"""The control plane: warrants, freezes and what is being served, on a listener of its own."""
