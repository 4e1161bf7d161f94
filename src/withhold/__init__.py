"""Withhold discloses what the warrant covers and withholds the rest.

config = withhold.load("config")
warrant = withhold.parse_warrant(open("W.json", "rb").read())
minimizer = config.minimizer(warrant, "synapse/whois", params={"user_id": "@a:example.test"})
minimizer.minimize(body)
"""

from withhold.config import Config, load
from withhold.errors import (
    BadRequest,
    CallerError,
    ConfigError,
    Denied,
    KeyUnavailable,
    Malformed,
    Mismatch,
    StoreError,
    WarrantError,
    WithholdError,
)
from withhold.minimize.minimizer import Minimizer
from withhold.warrant.model import Warrant
from withhold.warrant.parse import parse_warrant

__version__ = "0.1.0"

__all__ = [
    "BadRequest",
    "CallerError",
    "Config",
    "ConfigError",
    "Denied",
    "KeyUnavailable",
    "Malformed",
    "Minimizer",
    "Mismatch",
    "StoreError",
    "Warrant",
    "WarrantError",
    "WithholdError",
    "__version__",
    "load",
    "parse_warrant",
]
