"""The chip runtime: the same network on the host (now) or on SpiNNaker 2. Never imports torch."""
