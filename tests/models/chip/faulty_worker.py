"""The emulator's worker with a fault, given in EGRET_FAULT as KIND:RUN: from that run of a network on it goes wrong in this way."""

import os
import sys
import time

import numpy as np

from models.chip import emulator_worker
from models.chip.board import link

kind, first = os.environ["EGRET_FAULT"].split(":")
encode = link.encode_ran


def faulty(number: int, words: bytes) -> bytes:
    """An answer, if it is one."""
    if number < int(first):
        return encode(number, words)
    numbers = np.frombuffer(words, np.int32).copy()
    match kind:
        case "state":
            numbers[0] ^= 1 << 12  # h of a unit, as it could be
        case "range":
            numbers[0] = 1 << 30
        case "hang":
            time.sleep(1000)
    return encode(number, numbers.tobytes())


link.encode_ran = faulty
sys.exit(emulator_worker.main(sys.argv[1:]))
