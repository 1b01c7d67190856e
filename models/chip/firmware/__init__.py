"""The program of the PEs in C, and the image that it becomes."""

import assets


def image() -> bytes:
    """The bundled image for the emulated PE, as `make firmware` builds it."""
    return assets.path("pe.bin").read_bytes()
