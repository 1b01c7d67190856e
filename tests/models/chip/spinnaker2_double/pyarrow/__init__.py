"""A double of the one function of pyarrow that reads a board's record of power: the table is JSON, columns by name."""
