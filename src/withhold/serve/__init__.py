"""Serving: sockets, the HTTP server, one process or several, and what they log."""
