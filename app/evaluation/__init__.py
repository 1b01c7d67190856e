"""Measuring the networks on data, through the very code that runs live."""
