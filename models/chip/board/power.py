"""The power that a board measures while it runs, where the installed py-spinnaker2 records it.

From version 0.8 on `run` is said to take `record_power` and to leave a table ``power.parquet``; neither where nor with which columns is
public. So it is asked for only where the signature of `run` names it, looked for in the folder that the worker runs in, and read only
where the columns say what they hold: exactly one named power with its unit, and exactly one named time with its unit. Anything else is
told by its columns' names and not taken for a measurement.

Runs under the board's Python: standard library and what the package itself needs.
"""

import importlib
import inspect
import math
import re
from pathlib import Path
from typing import Any

OPTION = "record_power"
TABLE = Path("power.parquet")
_POWER = re.compile(r"(?:total_?|chip_?)?power[ _]?[\[(]?(W|mW)[\])]?")
_TIME = re.compile(r"(?:time|timestamp|t)[ _]?[\[(]?(s|ms|us)[\])]?")
_UNITS = {"W": 1.0, "mW": 1e-3, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def options(run: Any) -> dict[str, Any]:
    """What makes `run` record power; nothing where its signature does not name that."""
    return {OPTION: True} if OPTION in inspect.signature(run).parameters else {}


def taken() -> dict[str, Any] | None:
    """What the last run's table says, which is removed: {joules, seconds}, or {sentence} where it cannot be read; None: there is none."""
    if not TABLE.is_file():
        return None
    try:
        columns = importlib.import_module("pyarrow.parquet").read_table(TABLE).to_pydict()
        return measured(columns)
    except Exception as error:  # whatever a reader of a foreign table raises
        return {"sentence": f"The board's record of power cannot be read ({type(error).__name__}: {error})."}
    finally:
        TABLE.unlink(missing_ok=True)


def measured(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """{joules, seconds} from columns of numbers by name, or {sentence} where they do not say what they hold."""
    powers, times = ([name for name in columns if kind.fullmatch(name)] for kind in (_POWER, _TIME))
    if len(powers) != 1 or len(times) != 1:
        known = ", ".join(map(str, columns)) or "none"
        return {"sentence": f"The board recorded its power in columns whose names Egret does not know ({known}): nothing was measured."}
    watts = [float(value) * _unit(_POWER, powers[0]) for value in columns[powers[0]]]
    seconds = [float(value) * _unit(_TIME, times[0]) for value in columns[times[0]]]
    steps = list(zip(seconds, seconds[1:], watts, watts[1:], strict=False))
    joules = sum((end - begin) * (one + other) / 2 for begin, end, one, other in steps)
    if not steps or not math.isfinite(joules) or any(begin > end for begin, end, _, _ in steps):
        return {"sentence": f"The board's record of power has {len(watts)} rows out of which no energy follows: nothing was measured."}
    return {"joules": joules, "seconds": seconds[-1] - seconds[0]}


def _unit(kind: re.Pattern[str], name: str) -> float:
    found = kind.fullmatch(name)
    assert found is not None
    return _UNITS[found[1]]
