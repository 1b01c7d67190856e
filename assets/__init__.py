"""Files that ship with Egret: weights, the demo recording, icons."""

from pathlib import Path

ROOT = Path(__file__).parent


def path(name: str) -> Path:
    """The full path of the bundled file `name`, e.g. ``gesture.safetensors``."""
    return ROOT / name
