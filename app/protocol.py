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
          settings (see `settings`), source (see `source`) or null, chat [turns, see `chat` "path"], recording (see `status`),
          teach (see `teach`)
source    state ("starting"|"live"|"waiting"|"ended"|"failed"), sentence, and once open: spec, kind, title, width, height, live,
          duration_us, surface (path)
decision  as printed by `egret run --json` (t_us, label, confidence, accepted, reason, latency_ms, runtime, events) plus scores
          [a confidence per class, in the order of labels], margin (the label's lead over the best other class), activity [share of units
          that fired, per layer], kept (events after filters)
status    four times a second: now_us (sensor time of the surface's newest data), rate (events/s), kept_rate, lost, repaired, refused,
          skipped (events that inference or view skipped), position_us, playing, speed, loop,
          latency {stage: {p50, p95}} in ms over the last seconds,
          runtime {backend: "host", badge: "HOST", heartbeat: steps so far, activity, steps_per_s, offer: the backend that was left and
          can be returned to, or "", checked: steps that chip and host both made, overtaken: steps that the host told because the chip
          was late, late: deadlines that the chip missed, energy: null on the host, else {how, gesture and language: {work_uj,
          elements_uj, chip_uj} of a step, estimated (`models.chip.energy`), or {chip_uj}, measured}, work {gesture and language:
          {events, operations: of a step, bytes: over the link to a chip, ticks: given to it}}},
          recording null | {path, events, bytes, seconds, sentence}, chat {busy, tokens_per_s, memory_age: tokens since the memory began,
          kept (see `chat` "path"), checks: answers say how chip and host get on, may_check: there is a chip to compare,
          suggestion: the prompt that a gesture would send, or "", gestures {on, actions, prompts} (see `chat_gestures`)}
settings  filters {background_us, refractory_us, hot_pixel, polarity, region}, threshold, margin, min_events
token     id (of the answer), index, node (id of this token in the conversation's tree), text (a piece; pieces joined are the answer),
          activity, operations, energy_uj (estimated; null on the host), tokens_per_s, chip (a chip made this step), agrees (not the
          first token at which chip and host differ; null where that is not asked for)
chat      event "started" {id, prompt (null: an answer without one, which goes on the last turn if that is the model's), seed};
          "done" {id, reason ("end"|"stopped"|"limit"|"error"), tokens, seconds, first_token_ms, seed, prompt, read (false: it was over
          before the prompt had been read, and the conversation stands where it stood before), host: null | {agreed,
          alone: tokens in whose steps chip and host came to the same, and that are the host's alone, reason: why the chip was left, or
          "", difference: null | {node, text, index: null before the answer} of the first token in whose step the two differ}};
          "path" {after, turns [{role: "user"|"model", text, done, reason, node (its last token), seed, pieces [[node, text, activity,
          operations, energy_uj]], versions [last tokens of what was said in its place, itself included]}], memory_age, kept (tokens
          that can be gone back to), limit}: where the conversation stands, after everything that moves it; the turns are those that
          follow the one whose last token is `after` (0: all there are), which is as it was told before;
          "tree" {rows [{node, depth, role, text, here}]}: all turns of all branches, each after the one it follows;
          "refused" {prompt}: it is not in line, a notice says why;
          "doubts" {text, doubts [[start, stop, "unknown"|"rare", pieces]]} (code points); "cleared"
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
chat {prompt, SETTINGS}          an answer; SETTINGS are any of seed, tokens, preset, temperature, top_k, top_p, min_p, repetition_penalty,
                                 repetition_window (`models.sampling`); what is left out is as in the preset "balanced", 200 tokens
chat_regenerate {node?, SETTINGS}   the last answer, or that of this token, anew; with a seed that no version of it had
chat_continue {SETTINGS}         write on where the conversation stands
chat_edit {node, prompt, SETTINGS}  ask this in place of the visitor's turn that this token belongs to
chat_rewind {node} | chat_switch {node} | chat_clear | chat_stop     0 is the beginning
chat_gestures {on, actions {label: "stop"|"regenerate"|"accept"}, prompts [suggested ones], SETTINGS}    gestures drive the chat
chat_check {value} | chat_tree | chat_doubts {text} | chat_export {path} | chat_load {path}
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

MAX_TURNS = 200
"""Turns of a conversation, the newest, that a window is told and keeps: one bound for both, for a path says only what changed of them."""


def encode(message: Message) -> bytes:
    """One message as a line of JSON with its newline; a half of a surrogate pair, which a path may hold, as a question mark."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Message:
    """The message in `line`; ValueError if it is not a JSON object."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    return message
