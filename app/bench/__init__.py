"""Benchmarks: one module each with `run(seconds) -> figures`, printed by `egret bench [NAME]`. They measure; they never judge."""
