"""Training of the networks in assets/. Needs the `train` extra (torch)."""
