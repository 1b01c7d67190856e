"""The emulator's worker with a fault, given in EGRET_FAULT as KIND:RUN: from that run of a network on it goes wrong in this way, or is late
for that run alone."""

import os
import sys
import time

import numpy as np

from models.chip import emulator_worker
from models.chip.board import link
from models.chip.board.link import Channel
from models.chip.layout import Counter

kind, first = os.environ["EGRET_FAULT"].split(":")
encode, send = link.encode_ran, Channel.send
LATE_S = 0.5


def faulty(number: int, words: bytes) -> bytes:
    """An answer, if it is one."""
    if number < int(first):
        return encode(number, words)
    numbers = np.frombuffer(words, np.int32).copy()
    match kind:
        case "state":
            numbers[0] ^= 1 << 12  # h of a unit, as it could be
        case "logits":
            numbers[-len(Counter) * PES - 1] ^= 1
        case "stopped":
            numbers[-len(Counter) + Counter.FAILURE] = 1
        case "hang":
            time.sleep(1000)
        case "late" | "late-wrong" if number == int(first):
            time.sleep(LATE_S)
            numbers[0] ^= kind == "late-wrong"
    return encode(number, numbers.tobytes())


def half(self: Channel, frame: link.Kind, *pieces: bytes, timeout: float | None = None) -> None:
    """Send a frame, of answers from the fault on its beginning alone."""
    if frame == link.Kind.RAN and int.from_bytes(pieces[0][:4], "little") >= int(first):
        self._socket.sendall(link._HEADER.pack(link._MAGIC, link.VERSION, frame, len(pieces[0])) + pieces[0][:100])
        time.sleep(1000)
    send(self, frame, *pieces, timeout=timeout)


PES = 4
"""Of the gesture network."""
link.encode_ran = faulty
if kind == "half":
    Channel.send = half  # type: ignore[method-assign]
sys.exit(emulator_worker.main(sys.argv[1:]))
