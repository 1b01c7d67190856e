"""`egret info`: what is in a recording, counted event by event."""

import argparse
from pathlib import Path

from app.commands.common import add_json, json_line
from app.progress import progress
from pipeline.errors import PARTIAL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret info`."""
    parser.add_argument("file", type=Path, help="a recording: AEDAT 4, 3.1 or 2.0")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the whole file and say what it holds; exit code 3 if a part of it is damaged."""
    from pipeline.door import Door
    from pipeline.formats.opening import open_recording

    with open_recording(arguments.file) as reader:
        door = Door(reader.width, reader.height)
        events = on = repaired = refused = 0
        for packet in progress(reader.packets(), "reading", unit=" packets"):
            clean, now_repaired, now_refused, _ = door.check(packet)
            events += len(packet)
            on += int(clean["polarity"].sum(dtype=int))
            repaired += now_repaired
            refused += now_refused
        seconds = reader.duration_us / 1e6
        said = {
            "path": str(arguments.file),
            "format": reader.format,
            "camera": reader.source,
            "width": reader.width,
            "height": reader.height,
            "events": events,
            "duration_s": seconds,
            "rate": round(events / seconds, 1) if seconds else 0.0,
            "on_share": round(on / (events - refused), 4) if events > refused else 0.0,
            "start_us": reader.start_us,
            "repaired": repaired,
            "refused": refused,
            "damage": reader.recovered,
        }
    if arguments.json:
        json_line({"type": "info"} | said)
    else:
        print(f"{arguments.file}: {said['format']} of a {said['camera'] or 'camera'}, {said['width']} x {said['height']} pixels")
        print(f"  {events:,} events in {seconds:.3f} s ({said['rate']:,.0f} a second, {said['on_share']:.0%} ON)")
        print(f"  {repaired:,} timestamps went backwards, {refused:,} events lie outside the sensor")
        print(f"  {reader.recovered or 'undamaged'}")
    return PARTIAL if said["damage"] else 0
