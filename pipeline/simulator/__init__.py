"""A simulated person in front of a simulated event camera."""
