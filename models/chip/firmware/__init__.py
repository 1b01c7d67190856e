"""The program of the PEs in C, and the module that writes its tables."""
