"""What dv-processing reads from recordings, as JSON: ``python dv_read.py FILE...``. A program, because dv may hang or crash."""

import hashlib
import json
import sys

import dv_processing as dv
import numpy as np


def read(path: str) -> dict[str, object]:
    """Camera, size, number of events, and a digest of every field."""
    recording = dv.io.MonoCameraRecording(path)
    batches = []
    while recording.isRunning("events"):
        batch = recording.getNextEventBatch()
        if batch is not None:
            batches.append(batch.numpy())
    digests = {}
    for field in ("timestamp", "x", "y", "polarity"):
        values = np.concatenate([batch[field] for batch in batches] or [np.empty(0, np.int64)])
        digests[field] = hashlib.sha256(values.astype(np.int64).tobytes()).hexdigest()
    return {
        "source": recording.getCameraName(),
        "size": list(recording.getEventResolution()),
        "events": sum(len(batch) for batch in batches),
        "digests": digests,
    }


if __name__ == "__main__":
    print(json.dumps([read(path) for path in sys.argv[1:]]))
