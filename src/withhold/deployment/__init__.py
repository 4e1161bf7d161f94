"""The deployment file: what runs where, who calls, who signs (contract §12)."""
