"""A worker that says hello, takes a plan, and answers its first run with a fault: ``stub_worker.py FAULT SOCKET``."""

import os
import socket
import sys
import time

from models.chip.board import link
from models.chip.board.link import Channel, Kind

fault, number = sys.argv[1:]
end = socket.socket(fileno=int(number))
channel = Channel(end)
if fault == "mute":
    sys.exit("I have nothing to say")
if fault == "gossip":
    channel.send(Kind.READY)
channel.send(Kind.HELLO, link.encode_text({}))
_, reads = link.decode_load(channel.receive()[1], 1)
channel.send(Kind.LOAD if fault == "load" else Kind.READY)
run, *_ = link.decode_run(channel.receive()[1], 1)
answer = bytes(4 * sum(words for _, _, words in reads))
match fault:
    case "short":
        channel.send(Kind.RAN, link.encode_ran(run, answer[:-4]))
    case "other":
        channel.send(Kind.RAN, link.encode_ran(run + 1, answer))
    case "kind":
        channel.send(Kind.READY)
    case "noise":
        end.sendall(b"\xff" * 64)
    case "end":
        sys.exit(3)
    case "words":
        sys.exit("I have had enough")
    case "crash":
        os.abort()
    case "failure":
        channel.send(Kind.FAILURE, link.encode_text({"state": "run", "sentence": "No route to host."}))
    case "shrug":
        channel.send(Kind.FAILURE, link.encode_text({}))
    case "close":
        end.close()
        time.sleep(1000)
channel.receive()
