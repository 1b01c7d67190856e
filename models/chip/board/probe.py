"""What the installed py-spinnaker2 offers, looked at before it is trusted: no name is used that is not there."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
from typing import Any

PACKAGE = "spinnaker2"
NEEDED = {
    "snn": ("Network", "Population", "Projection"),
    "hardware": (),
    "configuration": ("PEConfig", "MemoryRegion"),
    "coordinates": ("ByteAddr",),
    "mapper": ("SynapseWordSpec", "SynapseWordSize"),
    "neuron_models.application": ("BaseApplication",),
    "neuron_models.common": ("format_routing_info",),
}
"""Names that public programs import, by module."""
HANDLES = {"single": "SpiNNaker2Chip", "48": "SpiNNcloud48NodeBoard"}
STREAMING = ("stream", "spike_receiver", "spike_replicator", "gas", "relay")
"""Parts of names of modules that the documentation speaks of for live input and output. How they are called is not public."""


class Unusable(Exception):
    """The state, one of models/chip/spinnaker2.py, and a sentence."""

    def __init__(self, state: str, sentence: str) -> None:
        super().__init__(sentence)
        self.state = state


def examine(board: str) -> dict[str, Any]:
    """Version, modules for streaming, and that every name is there which a run on `board` needs. Unusable where one is not."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise Unusable("package", "This Python has no package spinnaker2: install py-spinnaker2 there, or name its folder src as `path`.")
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    wanted = NEEDED | {"hardware": (HANDLES[board],)}
    missing = [f"{PACKAGE}.{module}.{name}" for module, names in wanted.items() for name in _absent(module, names)]
    if missing:
        raise Unusable("version", f"This py-spinnaker2 (version {version}) has no {', '.join(missing)}: Egret cannot use it as it is.")
    package = importlib.import_module(PACKAGE)
    modules = [name for _, name, _ in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.", onerror=lambda name: None)]
    streaming = [name for name in modules if any(part in name.rpartition(".")[2] for part in STREAMING)]
    return {"version": version, "live": False, "streaming": streaming}


def _absent(module: str, names: tuple[str, ...]) -> list[str]:
    """Of `names` those that the module does not have; all of them if it cannot be imported."""
    try:
        found = importlib.import_module(f"{PACKAGE}.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != PACKAGE:
            raise Unusable("package", f"py-spinnaker2 cannot be imported here: {error}; install what it needs beside it.") from None
        return list(names)
    except Exception as error:  # a package that fails in its own way when it is imported
        raise Unusable("package", f"py-spinnaker2 cannot be imported here: {type(error).__name__}: {error}.") from error
    return [name for name in names if not hasattr(found, name)]


def accepted(call: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Of `keywords` those that `call` takes by name."""
    parameters = inspect.signature(call).parameters
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}
