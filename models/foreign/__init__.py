"""Language models that others trained and published, run on the host: EvNN's EGRU and SpikeGPT.

    opening.py      a checkpoint and its vocabulary, by what the file holds
    archive.py      reads the file, without torch and without running anything in it
    evnn.py         the layout and the steps of EvNN's EGRU language models
    spikegpt.py     those of SpikeGPT
    network.py      what both have in common: tokens in, logits out, the state in the open
    kernels.py      products of which only what fires costs anything, and LayerNorm
    vocabulary.py   words of a corpus, byte pairs, characters

Nothing here imports torch: these networks run where the application runs.
"""
