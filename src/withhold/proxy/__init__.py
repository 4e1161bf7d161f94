"""The data plane: one request, answered by what the warrant covers of a store's answer."""
