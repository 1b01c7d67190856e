"""Serves an AEDAT 4 recording with dv-processing's own NetworkWriter: ``python dv_server.py FILE PORT|SOCKETPATH [--speed X]``.

A program rather than a fixture because dv-processing's writer can only be used like this: it holds Python's lock, and deadlocks when it
is deleted with a client connected, so the process ends itself with `os._exit`. It prints READY when clients may connect, waits for one,
serves the recording once (packets of sensor time, paced), prints END and, with --stay, goes on serving nothing until it is killed.
"""

import argparse
import os
import time

import dv_processing as dv


def read_all(path: str) -> tuple[dv.EventStore, str, tuple[int, int]]:
    """All events, camera name and resolution."""
    recording = dv.io.MonoCameraRecording(path)
    events = dv.EventStore()
    while recording.isRunning("events"):
        batch = recording.getNextEventBatch()
        if batch is not None:
            events.add(batch)
    return events, recording.getCameraName(), recording.getEventResolution()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("where", help="a TCP port of 127.0.0.1, or the path of a UNIX socket")
    parser.add_argument("--speed", type=float, default=1.0, help="dv drops packets when a client cannot keep up")
    parser.add_argument("--packet-ms", type=float, default=1.0)
    parser.add_argument("--compression", default="NONE", choices=[*dv.CompressionType.__members__])
    parser.add_argument("--stay", action="store_true")
    arguments = parser.parse_args()

    events, name, resolution = read_all(arguments.file)
    stream = dv.io.Stream.EventStream(0, "events", name, resolution)
    stream.setCompression(getattr(dv.CompressionType, arguments.compression))
    if arguments.where.isdigit():
        writer = dv.io.NetworkWriter("127.0.0.1", int(arguments.where), stream)
    else:
        writer = dv.io.NetworkWriter(arguments.where, stream)
    print("READY", flush=True)
    while writer.getClientCount() == 0:
        time.sleep(0.005)

    step = int(arguments.packet_ms * 1000)
    first, last = events.getLowestTime(), events.getHighestTime()
    begin = time.monotonic()
    for start in range(first, last + 1, step):
        time.sleep(max(0.0, begin + (start + step - first) / 1e6 / arguments.speed - time.monotonic()))
        packet = events.sliceTime(start, start + step)
        if packet.size():
            writer.writeEvents(packet)
    time.sleep(0.5)  # its queue cannot be waited for: it never empties once the client has gone
    print("END", flush=True)
    while arguments.stay:
        time.sleep(0.1)
    os._exit(0)


if __name__ == "__main__":
    main()
