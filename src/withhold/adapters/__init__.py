"""Where the house meets the world: each file is one port on one technology."""
