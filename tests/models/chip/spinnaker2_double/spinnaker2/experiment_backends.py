"""How runs reach the chip."""

from enum import Enum


class ExperimentBackendType(Enum):
    SPINNMAN2 = "spinnman2"
