"""Programs of PEs."""
