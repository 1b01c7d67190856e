"""One panel a file. Every panel keeps the contract of `panels.base`."""
