"""`python tests/benchmarks/bench_verify.py`: host and emulated chip compared on whole recordings and 200 tokens, and what a step takes.

The tests compare a part of this. Figures of time are of this machine, as it is busy now.
"""

import os
from pathlib import Path

import assets
from app.commands.compile import program_of
from app.commands.verify import readable, verify

DATA = Path(os.environ.get("EGRET_DATA", Path(__file__).parents[3] / "shared" / "data"))

if __name__ == "__main__":
    gesture, language = (program_of(assets.path(f"{kind}.safetensors")) for kind in ("gesture", "language"))
    for folder in ("wave-far", "wave-near"):
        for recording in sorted((DATA / "gestures" / folder).glob("*.aedat4")):
            print(f"\n{folder}/{recording.name}", readable(verify(gesture, recording)), sep="\n", flush=True)
    print("\n200 tokens", readable(verify(language, None)), sep="\n")
