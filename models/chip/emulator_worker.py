"""The process that emulates a chip for an engine: ``python -m models.chip.emulator_worker PLAN SOCKET...``, one socket a network.

It does what a board's worker does (models/chip/board), on emulated PEs. Apart from Egret it may crash, hang or be stopped, and nothing is
lost but the chip (models/chip/failover.py).
"""

import socket
import sys
import threading
from typing import Any

import numpy as np

from models.chip import plan as plans
from models.chip.board import link
from models.chip.board.link import Channel, Kind, LinkError
from pipeline.errors import UserError


def serve(channel: Channel, chip: Any, elements: int) -> None:
    """Answer runs on the emulated `chip` until the other end closes. LinkError for a request that makes no sense."""
    from models.chip.emulator import NetworkOnChip

    kind, body = channel.receive()
    if kind != Kind.LOAD:
        raise LinkError(f"a frame {kind.name} where LOAD was due")
    index, reads = link.decode_load(body, elements)
    network = NetworkOnChip(chip, index)
    channel.send(Kind.READY)
    while True:
        kind, body = channel.receive()
        if kind != Kind.RUN:
            raise LinkError(f"a frame {kind.name} where RUN was due")
        number, ticks, reset, writes = link.decode_run(body, elements)

        def write(writes: list[link.Write] = writes) -> None:
            for pe, address, words in writes:
                chip.memory[pe, address // 4 : (address + len(words)) // 4] = np.frombuffer(words, np.uint32)

        if reset:
            network.restart(write)
        else:
            write()
        network.run(ticks)
        read = [chip.memory[pe, address // 4 : address // 4 + words] for pe, address, words in reads]
        channel.send(Kind.RAN, link.encode_ran(number, b"".join(part.tobytes() for part in read)))


def main(arguments: list[str]) -> int:
    """Load the plan, say hello on the first socket, and serve every socket in a thread of its own until all are closed."""
    channels = [Channel(socket.socket(fileno=int(number))) for number in arguments[1:]]
    try:
        from models.chip.emulator import EmulatedChip

        plan = plans.load(arguments[0])
        chip = EmulatedChip(plan)
    except UserError as error:
        channels[0].send(Kind.FAILURE, link.encode_text({"state": "missing", "sentence": str(error)}))
        return 1
    channels[0].send(Kind.HELLO, link.encode_text({"backend": "emulator", "live": True}))
    threads = [threading.Thread(target=_serve, args=(channel, chip, len(plan.elements))) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


def _serve(channel: Channel, chip: Any, elements: int) -> None:
    """`serve` until the other end closes; a fault closes this end, which the other reads as the chip's death."""
    try:
        serve(channel, chip, elements)
    except (EOFError, ConnectionError):
        pass
    finally:
        channel.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
