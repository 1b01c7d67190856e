"""The engine: the program without its window."""
