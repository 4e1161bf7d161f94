"""Where the house meets the world: ports on a technology each, and what these stand on."""
