"""Event sources. Everything here but `link` and `supervisor` runs in a process of its own (see `worker`)."""
