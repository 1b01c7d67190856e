"""What pruning and integers cost a language model on WikiText-2.

    python tests/benchmarks/bench_wikitext.py ../shared/data/text/wikitext-2 WEIGHTS...

Prints for each checkpoint, as torch computes it in float32: perplexity a word of the test text, weights, and those of the layers that are
not zero. The text is read in 32 parts, each from a state of zeros; `egret evaluate language` reads it in one, in integers.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from models import language, wikitext
from models.tokenizer import END, Tokenizer
from models.training.perplexity import perplexity


def main(data: Path, files: list[Path]) -> None:
    """Print a line for each of `files`."""
    text = wikitext.read(data, wikitext.TEST)
    for path in files:
        model, tokenizer = language.load(path), Tokenizer.load(path.with_suffix(".tokenizer.json"))
        tokens = np.array([END, *tokenizer.encode(text)], np.uint16)
        figures = perplexity(model, [tokens], wikitext.words(text))
        layers = [p for p in model.stack.parameters() if p.ndim == 2]
        kept, size = sum(int(torch.count_nonzero(p)) for p in layers), sum(p.numel() for p in layers)
        whole = sum(p.numel() for p in model.parameters())
        print(f"{path.name}: {figures['perplexity_word']:.2f} a word, {whole:,} numbers, {kept:,} of {size:,} weights in the layers")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
