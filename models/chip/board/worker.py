"""The process that drives a board: ``python3.12 -m models.chip.board.worker PLAN SETTINGS SOCKET...``, one socket a network.

Runs under a Python that has py-spinnaker2, which need not be Egret's: standard library and that package only. **Batch.** A run of
py-spinnaker2 maps, loads, starts, waits and reads back, in seconds, with a new handle every time; so a run is one step of a network (a
window of a gesture, a token), and brings its state along. Runs of two networks take turns. Whoever waits may end this process at any
moment; the board's lock goes with it.

Never tried on a board: what is proven is that a package with exactly the public names is driven as public programs drive it.
"""

import importlib
import json
import os
import socket
import sys
import threading
from typing import Any

from models.chip.board import link, planfile, power
from models.chip.board.link import Channel, Kind, LinkError, Span, Write
from models.chip.board.planfile import BoardPlan, Element
from models.chip.board.probe import HANDLES, PACKAGE, Unusable, accepted, examine

SPECIFICATION_ADDRESS = 0x9800
MAGIC, FORMAT = 0xAD130AD6, 0x00010000
REGIONS = (
    "ROUTING SIMULATION PARAMETERS PROJECTIONS ROWS UNITS STATE SIGNALS CANDIDATES INPUT RECORD TIME_DONE COUNTERS RECEIVED".split()  # noqa: SIM905
)
"""In the order of models/chip/layout.py, which a test compares with this."""


class Board:
    """A plan, and the way to run it."""

    def __init__(self, plan: BoardPlan, settings: dict[str, Any]) -> None:
        """`settings`: board, and optionally eth_ip, stm_ip, experiment_backend, tick_s (models/chip/spinnaker2.py)."""
        self.plan = plan
        self._settings = settings
        self._turn = threading.Lock()
        self._snn = importlib.import_module(f"{PACKAGE}.snn")
        self._hardware = importlib.import_module(f"{PACKAGE}.hardware")
        self._application = importlib.import_module("models.chip.board.application")

    def _handle(self) -> Any:
        """A new one, as public programs make for every run; making it does no work."""
        kind = getattr(self._hardware, HANDLES[self._settings["board"]])
        named = {name: self._settings[name] for name in ("eth_ip", "stm_ip") if self._settings.get(name)}
        if backend := self._settings.get("experiment_backend"):
            backends = importlib.import_module(f"{PACKAGE}.experiment_backends")
            named["experiment_backend_type"] = backends.ExperimentBackendType(backend)
        taken = accepted(kind.__init__, named)
        if refused := named.keys() - taken.keys():
            raise Unusable("version", f"{kind.__name__} of this py-spinnaker2 takes no {', '.join(sorted(refused))}.")
        return kind(**taken)

    def map(self, network: int, reads: list[Span]) -> None:
        """Let the package place the network without touching the board. Unusable where it does not know Egret's program."""
        populations, net = self._described(network, reads, [])
        handle = self._handle()
        if "mapping_only" not in accepted(handle.run, {"mapping_only": True}):
            return
        try:
            handle.run(net, 1, mapping_only=True)
        except Exception as error:  # the package's own, of no public type
            raise Unusable(
                "model",
                f"py-spinnaker2 could not place {len(populations)} PEs of the program {self._application.MODEL} "
                f"({type(error).__name__}: {error}); add the program to the package as the README says under `On a board`.",
            ) from error

    def run(self, network: int, ticks: int, writes: list[Write], reads: list[Span]) -> tuple[bytes, dict[str, Any] | None]:
        """One run: the words of `reads`, and the power that was measured, if any. Unusable where the board does not give the words."""
        with self._turn:
            populations, net = self._described(network, reads, writes)
            net.reset()
            handle = self._handle()
            options = power.options(handle.run) | accepted(handle.run, {"sys_tick_in_s": self._settings.get("tick_s") or self.plan.tick_s})
            if "sys_tick_in_s" not in options:
                raise Unusable("version", "The run of this py-spinnaker2 takes no sys_tick_in_s: Egret cannot say how long a tick is.")
            try:
                handle.run(net, ticks, **options)
            except Exception as error:  # the package's own, of no public type
                raise Unusable("run", f"The board's run failed ({type(error).__name__}: {error}).") from error
            del handle
            memory = {index: _words_of(*read) for index, read in populations.items()}
            measured = power.taken()
        pieces = []
        for pe, address, words in reads:
            (first, _), data = memory[pe]
            pieces.append(data[address - first : address - first + 4 * words])
        return b"".join(pieces), measured

    def _described(self, network: int, reads: list[Span], writes: list[Write]) -> tuple[dict[int, Any], Any]:
        """A population of one neuron for every PE, with what is read of it, and the network of them."""
        net = self._snn.Network(f"egret {network}")
        populations: dict[int, Any] = {}
        for index, element in enumerate(self.plan.elements):
            if element.network == network:
                span = _span([read for read in reads if read[0] == index])
                params = self._parameters(element, [write for write in writes if write[0] == index], span)
                name = f"pe {index}"
                population = self._snn.Population(1, self._application.MODEL, params, name, record=[self._application.RECORD])
                populations[index] = population, span
                net.add(population)
        for index, (population, _) in populations.items():
            for target in self.plan.elements[index].targets:
                net.add(self._snn.Projection(population, populations[target][0], [[0, 0, 1, 0]]))
        return populations, net

    def _parameters(self, element: Element, writes: list[Write], span: tuple[int, int]) -> dict[str, Any]:
        """What the application needs to know (application.py): the plan's words, with those of this run in their place."""
        as_words = self._application.as_words
        memory = {part.address: bytearray(part.words) for part in element.regions.values() if part.words is not None}
        for _, address, words in writes:
            start = max((first for first in memory if first <= address < first + len(memory[first])), default=None)
            if start is None or address + len(words) > start + len(memory[start]):
                raise LinkError(f"{len(words)} bytes at {address:#x} of a PE that is sent nothing there")
            memory[start][address - start : address - start + len(words)] = words
        routing, simulation = element.regions["ROUTING"], element.regions["SIMULATION"]
        key = as_words(bytes(memory.pop(routing.address)))[0]
        clock = as_words(bytes(memory.pop(simulation.address)))
        memory[SPECIFICATION_ADDRESS] = bytearray(element.specification(tuple(REGIONS), MAGIC, FORMAT))
        return {
            "writes": [[address, as_words(bytes(words))] for address, words in sorted(memory.items())],
            "routing": [routing.address, routing.size, key],
            "simulation": [simulation.address, clock],
            "read": list(span),
        }


def _span(reads: list[Span]) -> tuple[int, int]:
    """(address, words) of the memory that holds all `reads` of a PE."""
    first = min(address for _, address, _ in reads)
    return first, max(address + 4 * words for _, address, words in reads) // 4 - first // 4


def _words_of(population: Any, span: tuple[int, int]) -> tuple[tuple[int, int], bytes]:
    """What the package read of a PE, checked. Unusable where it is not the span that was asked for."""
    found = population.get_time_done_times()
    values = list(found.values()) if isinstance(found, dict) else []
    words = list(values[0]) if len(values) == 1 else []
    if len(words) != span[1] or not all(isinstance(int(word), int) and 0 <= int(word) < 1 << 32 for word in words):
        raise Unusable("answer", f"py-spinnaker2 gave {len(words)} words of a PE where {span[1]} were asked for.")
    return span, b"".join(int(word).to_bytes(4, "little") for word in words)


def serve(channel: Channel, board: Board) -> None:
    """Answer runs until the other end closes."""
    kind, body = channel.receive()
    if kind != Kind.LOAD:
        raise LinkError(f"a frame {kind.name} where LOAD was due")
    network, reads = link.decode_load(body, len(board.plan.elements))
    board.map(network, reads)
    channel.send(Kind.READY)
    while True:
        kind, body = channel.receive()
        if kind != Kind.RUN:
            raise LinkError(f"a frame {kind.name} where RUN was due")
        number, ticks, _, writes = link.decode_run(body, len(board.plan.elements))
        words, measured = board.run(network, ticks, writes, reads)
        if measured is not None:
            channel.send(Kind.POWER, link.encode_text(measured))
        channel.send(Kind.RAN, link.encode_ran(number, words))


def _serve(channel: Channel, board: Board) -> None:
    """`serve`; what cannot go on is told, and is the end of this process, so that the other network hears of it too."""
    try:
        serve(channel, board)
    except Unusable as reason:
        _fail(channel, reason)
        os._exit(1)
    except (EOFError, ConnectionError):
        pass
    finally:
        channel.close()


def _fail(channel: Channel, reason: Unusable) -> None:
    channel.send(Kind.FAILURE, link.encode_text({"state": reason.state, "sentence": str(reason)}))


def main(arguments: list[str]) -> int:
    """Probe, say hello or why not on the first socket, and serve every socket in a thread of its own."""
    channels = [Channel(socket.socket(fileno=int(number))) for number in arguments[2:]]
    try:
        settings = json.loads(arguments[1])
        hello = examine(settings["board"])
        board = Board(planfile.load(arguments[0]), settings)
    except Unusable as reason:
        _fail(channels[0], reason)
        return 1
    channels[0].send(Kind.HELLO, link.encode_text({"backend": "spinnaker2"} | hello))
    threads = [threading.Thread(target=_serve, args=(channel, board)) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
