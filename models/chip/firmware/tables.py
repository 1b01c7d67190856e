"""`python -m models.chip.firmware.tables > models/chip/firmware/tables.c`: the tables of the arithmetic for the firmware."""

import numpy as np
import numpy.typing as npt

from models.chip import program

A_LINE = 20


def source() -> str:
    """The text of tables.c: the curves and the features of `models.chip.program` as constants."""
    parts = [
        "/* Written by models/chip/firmware/tables.py from models/chip/program.py; not to be edited. */",
        '#include "arithmetic.h"',
        _array("sigmoid_table", "CURVE_POINTS", program.SIGMOID),
        _array("tanh_table", "CURVE_POINTS", program.TANH),
        _array("features_table", "FEATURES_SIZE", program.FEATURES),
    ]
    return "\n\n".join(parts) + "\n"


def _array(name: str, size: str, values: npt.NDArray[np.int16]) -> str:
    lines = [", ".join(map(str, values[start : start + A_LINE].tolist())) for start in range(0, values.size, A_LINE)]
    return f"const int16_t {name}[{size}] = {{\n    " + ",\n    ".join(lines) + ",\n};"


if __name__ == "__main__":
    print(source(), end="")
