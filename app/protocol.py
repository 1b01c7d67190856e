"""What the engine and its windows say to each other.

The engine is the program; a window is a client of it (DESIGN.md section 3). They share two things in the session's folder:

`engine.sock`
    A UNIX stream socket. Both ways: one JSON object a line, UTF-8, with a ``type`` (engine to window) or an ``op`` (window to engine).
    A window that stops reading is cut off rather than waited for; it may attach again at any time and gets a `hello` with all it needs.
`surface.*`
    A memory-mapped file of ``height x width`` little-endian uint32: the *time surface*. The engine's compiled loop writes it in place,
    the window reads it whenever it paints. A word is ``(t_us // TICK_US) << 1 | polarity`` of the last event at that pixel (0 = none
    yet); every pixel is one aligned word, so a read while it is written tears between pixels, never inside one, and needs no lock.
    A new file is announced by a `source` message when the sensor changes.

Engine to window (``type``):

hello     version, pid, session, models {gesture: {name, hash, labels, taught}, language: {name, hash}}, runtime (see `status`),
          settings (see `settings`), source (see `source`) or null, chat [{role: "user"|"model", text, done, reason}], recording (see
          `status`), teach (see `teach`)
source    state ("starting"|"live"|"waiting"|"ended"|"failed"), sentence, and once open: spec, kind, title, width, height, live,
          duration_us, surface (path)
decision  as printed by `egret run --json` (t_us, label, confidence, accepted, reason, latency_ms, runtime, events) plus scores
          [a confidence per class, in the order of labels], margin (the label's lead over the best other class), activity [share of units
          that fired, per layer], kept (events after filters)
status    four times a second: now_us (sensor time of the surface's newest data), rate (events/s), kept_rate, lost, repaired, refused,
          skipped (events that inference or view skipped), position_us, playing, speed, loop,
          latency {stage: {p50, p95}} in ms over the last seconds,
          runtime {backend: "host", badge: "HOST", heartbeat: steps so far, activity, steps_per_s, offer: the backend that was left and
          can be returned to, or "", checked: steps that chip and host both made, late: deadlines that the chip missed, energy: null on
          the host, else {how, gesture and language: {work_uj, elements_uj, chip_uj} of a step, estimated (`models.chip.energy`)}},
          recording null | {path, events, bytes, seconds, sentence}, chat {busy, tokens_per_s, memory_age}
settings  filters {background_us, refractory_us, hot_pixel, polarity, region}, threshold, margin, min_events
token     id (of the answer), index, text (a piece; pieces joined are the answer), activity, tokens_per_s
chat      event "started"|"done"|"cleared", id, prompt, reason ("end"|"stopped"|"limit"|"error"), tokens, seconds, first_token_ms, seed
teach     state ("idle"|"recording"|"looking"|"learning"), share of that which is done, seconds and counter of the recording, examples
          that wait [{id, windows, label, share, counter}] (label and share: what most windows are read as by the network alone),
          taught [labels], newest (label of the newest lesson), figures of what is taught (`models.teaching.figures.measure`) or null
models    models as in `hello`: the classes have changed
notice    level ("info"|"warning"|"error"), sentence

Window to engine (``op``):

play | pause | step | seek {position_us} | speed {value} | loop {value}     transport, recordings only
source {spec}                    open another source
filters {...settings.filters}    any subset; null switches a filter off
threshold {value} | min_events {value}
chat {prompt, seed, temperature, top_k, tokens} | chat_stop | chat_clear
record {path} | record_stop
teach_record {seconds, counter} | teach_stop | teach_drop {id} | teach_learn {name} | teach_undo {name}
runtime {value: "chip"}          return to the chip that was left (see `offer` in `status`)
painted {t_us, ns}               the decision with this t_us was on screen at monotonic time ns: closes the latency chain
quit                             end the engine
"""

import json
from typing import Any

TICK_US = 128
"""Resolution of the time surface: 2^31 ticks of 128 us wrap after 76 hours."""

Message = dict[str, Any]

MAX_LINE = 1 << 20
"""A longer line is not one of ours; the connection is closed."""


def encode(message: Message) -> bytes:
    """One message as a line of JSON with its newline."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message in `line`; ValueError if it is not a JSON object."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    return message
