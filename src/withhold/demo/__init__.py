"""The demo: a sample store, a whole Withhold before it, and a few disclosures to look at."""
