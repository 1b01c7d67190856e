"""Benchmarks: one module each, printed by `egret bench [NAME]`; `run(seconds)` gives the figures (`realism`: `run(clips, seed)`)."""
