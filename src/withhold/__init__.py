"""Withhold discloses what the warrant covers and withholds the rest."""

__version__ = "0.1.0"
