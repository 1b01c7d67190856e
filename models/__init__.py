"""Networks, their training, and the chip that runs them. No Qt; torch only outside `models.chip`."""
