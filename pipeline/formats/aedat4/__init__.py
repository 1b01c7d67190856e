"""AEDAT 4 recordings: `Aedat4Reader` and `Aedat4Writer`.

Written from the specification (https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-4.0.html and the
FlatBuffers schemas of dv-processing, ``include/dv-processing/data/*.fbs``) and checked against dv-processing and `aedat`, both ways.

Why a reader of our own: dv-processing can hang for ever with Python's lock held, or crash, on a damaged recording; `aedat` cannot seek.
The payload of an event packet is an array of exactly our 16-byte event, so that reading one is a decompression and a `np.frombuffer`.
"""

from pipeline.formats.aedat4.container import Compression
from pipeline.formats.aedat4.reader import Aedat4Reader
from pipeline.formats.aedat4.writer import Aedat4Writer

__all__ = ["Aedat4Reader", "Aedat4Writer", "Compression"]
