"""The catalogue: what a store's resources hold (contract §4). Pure."""
