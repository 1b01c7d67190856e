"""Events: where they come from, how they are cleaned, framed, recorded and replayed. Neither Qt nor torch nor models."""
