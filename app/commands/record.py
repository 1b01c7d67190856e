"""`egret record`: from a source straight to an AEDAT 4 file (ZSTD), without networks."""

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import Any

from app.commands.common import add_json, add_source, duration, json_line, stop_on_signals
from app.progress import progress
from pipeline.errors import UserError
from pipeline.events import Packet, SourceInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret record`."""
    add_source(parser)
    add_json(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the AEDAT 4 file to write; must not exist")
    parser.add_argument("--duration", type=duration, metavar="SEC", help="end after this much sensor time (default: when interrupted)")


def run(arguments: argparse.Namespace) -> int:
    """Record until the source ends, the duration is over, or Ctrl-C."""
    from pipeline.formats.aedat4 import Aedat4Writer
    from pipeline.sources.supervisor import Notice, SupervisedSource, parse_spec

    parse_spec(arguments.source)
    stop = threading.Event()
    stop_on_signals(stop.set)
    source = SupervisedSource(arguments.source, speed=0.0)  # a recording is copied as fast as it can be read; live sources have one speed
    writer: Aedat4Writer | None = None
    code, first_us, lost, begun = 0, None, 0, time.monotonic()
    bar = progress((), f"recording to {arguments.out.name}", unit=" events")
    source.start()
    try:
        while not stop.is_set():
            item = source.read(0.1)
            if isinstance(item, SourceInfo) and writer is None:
                writer = Aedat4Writer(arguments.out, item.width, item.height, item.title)
            elif isinstance(item, SourceInfo) and writer and (item.width, item.height) != (writer.width, writer.height):
                raise UserError("The source came back with another sensor; what was recorded before is in the file. Record again to go on.")
            elif isinstance(item, Packet) and writer:
                events = item.events
                lost += item.status.lost
                first_us = item.status.until_us - 1 if first_us is None and not len(events) else first_us
                first_us = int(events["timestamp"][0]) if first_us is None else first_us
                if arguments.duration is not None:
                    events = events[: events["timestamp"].searchsorted(first_us + int(arguments.duration * 1e6))]
                    if item.status.until_us - first_us >= arguments.duration * 1e6:
                        stop.set()
                writer.write(events)
                bar.update(len(events))
            elif isinstance(item, Notice):
                if item.state == "failed":
                    raise UserError(item.sentence, item.exit_code)
                code = item.exit_code or code
                if item.sentence:
                    bar.write(f"egret: {item.sentence}", file=sys.stderr)
                if item.state == "ended":
                    break
    finally:
        source.close(3.0)
        bar.close()
        if writer:
            writer.close()
    if writer is None:
        raise UserError("The source delivered nothing: nothing was recorded.")
    said = {"path": str(arguments.out), "events": writer.events, "bytes": writer.bytes, "lost": lost}
    said["seconds"] = round(time.monotonic() - begun, 2)
    _tell(said, arguments.json)
    return code


def _tell(said: dict[str, Any], as_json: bool) -> None:
    """Print what was recorded."""
    if as_json:
        json_line({"type": "recording"} | said)
        return
    lost = f" Lost before they came here: {said['lost']:,}." if said["lost"] else ""
    print(f"{said['events']:,} events, {said['bytes'] / 1e6:.2f} MB, in {said['path']}.{lost}")
