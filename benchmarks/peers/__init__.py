"""What people would use instead, set up to give the same answers."""
