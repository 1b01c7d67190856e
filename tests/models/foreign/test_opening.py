"""Promises of opening what others published: the right network with the right words, or one sentence that says what is wrong."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foreign import evnn, opening, spikegpt
from models.tokenizer import Tokenizer
from pipeline.errors import FAILED, USAGE, UserError
from tests.models.foreign import checkpoints, equations

ROOT = Path(__file__).parents[3]
LINES = "the cat sat on the mat\nThe dog sat , too\n <unk> <unk> cat\n"
WORDS = 11
"""In LINES, <eos> among them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EvNN's corpus, SpikeGPT's vocabulary, and a made checkpoint of each."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "corpus").mkdir()
    for name in ("train.txt", "valid.txt", "test.txt"):
        (folder / "corpus" / name).write_text(LINES)
    tokenizer = Tokenizer.train([opening.SAMPLE] * 9, 300)
    tokenizer.save(folder / "SpikeGPT.tokenizer.json")
    checkpoints.save(checkpoints.evnn(WORDS), folder / "EGRU_best_model.cpt")
    checkpoints.save(checkpoints.spikegpt(len(tokenizer)), folder / "SpikeGPT.pth")
    return folder


def refused(weights: Path, source: Path | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        opening.load(weights, source)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return caught.value


def test_an_egru_of_evnn_goes_on_with_a_text(folder: Path) -> None:
    opened = opening.load(folder / "EGRU_best_model.cpt", folder / "corpus")
    assert isinstance(opened.network, evnn.EvNN) and opened.network.steps == 0
    prompt = opened.vocabulary.prompt("the cat", True)
    expected, _, _ = equations.evnn(checkpoints.evnn(WORDS), prompt)
    np.testing.assert_allclose(opened.network.read(prompt), expected, rtol=1e-3, atol=1e-3)
    assert opened.identity["name"] == "EGRU_best_model.cpt" and len(opened.identity["hash"]) == 12
    assert "20, 12 units" in opened.network.about


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_spikegpt_of_any_precision_goes_on_with_a_text(kind: torch.dtype, folder: Path, tmp_path: Path) -> None:
    size = len(Tokenizer.load(folder / "SpikeGPT.tokenizer.json"))
    arrays = checkpoints.spikegpt(size, seed=3)
    opened = opening.load(checkpoints.save(arrays, tmp_path / "made.pth", kind), folder / "SpikeGPT.tokenizer.json")
    assert isinstance(opened.network, spikegpt.SpikeGPT)
    prompt = opened.vocabulary.prompt("the old man", True)
    rounded = {name: torch.from_numpy(value).to(kind).float().numpy() for name, value in arrays.items()}
    expected, nearest, _ = equations.spikegpt(rounded, prompt, opened.network.binary)
    assert nearest > 1e-4
    np.testing.assert_allclose(opened.network.read(prompt), expected, rtol=1e-3, atol=1e-3)


def test_the_vocabulary_beside_a_spikegpt_is_found(folder: Path) -> None:
    assert len(opening.load(folder / "SpikeGPT.pth").vocabulary) == len(Tokenizer.load(folder / "SpikeGPT.tokenizer.json"))


def test_the_embedding_is_taken_as_the_one_that_reads_a_text_better(folder: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(folder / "SpikeGPT.tokenizer.json")
    sample = tokenizer.encode(opening.SAMPLE)
    chosen = set()
    for seed in range(6):
        arrays = checkpoints.spikegpt(len(tokenizer), 8, 1, seed)
        losses = [opening.loss(equations.spikegpt(arrays, sample[:-1], binary)[0], sample[1:]) for binary in (False, True)]
        network = opening.load(checkpoints.save(arrays, tmp_path / "made.pth"), folder / "SpikeGPT.tokenizer.json").network
        assert isinstance(network, spikegpt.SpikeGPT)
        assert network.binary == (losses[1] < losses[0])
        assert f"{'binary' if network.binary else 'plain'} embedding (loss {min(losses):.1f}"[:-2] in network.about
        chosen.add(network.binary)
    assert chosen == {False, True}


@given(st.data())
@settings(max_examples=60)
def test_a_tensor_that_is_missing_misshapen_or_too_many_is_named(folder: Path, data: st.DataObject) -> None:
    of_words = data.draw(st.booleans())
    made = checkpoints.evnn(WORDS) if of_words else checkpoints.spikegpt(300)
    source = folder / ("corpus" if of_words else "SpikeGPT.tokenizer.json")
    needed = sorted(name for name in made if not evnn.is_training_only(name))
    name = data.draw(st.sampled_from(needed))
    change = data.draw(st.sampled_from(["missing", "misshapen", "renamed"]))
    value = made.pop(name)
    if change == "misshapen":
        made[name] = value[..., : data.draw(st.integers(0, value.shape[-1] - 1))]
    elif change == "renamed":
        made[name + "x"] = value
    sentence = str(refused(checkpoints.save(made, folder / "broken.pth"), source))
    assert "cannot be used" in sentence and any(part in sentence for part in ("missing", "shape", "sizes", "belong", "neither"))


@given(st.data())
@settings(max_examples=60)
def test_a_truncated_checkpoint_is_refused_with_a_sentence(folder: Path, data: st.DataObject) -> None:
    contents = (folder / "SpikeGPT.pth").read_bytes()
    broken = folder / "truncated.pth"
    broken.write_bytes(contents[: data.draw(st.integers(0, len(contents) - 1))])
    assert refused(broken, folder / "SpikeGPT.tokenizer.json").exit_code == FAILED


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({"layer.weight": torch.ones(2, 2)}, "of neither network"),
        ({"epoch": 3}, "no tensor"),
        ({"state_dict": {"emb.weight": torch.ones(2, 2)}}, "no tensor"),
        ({}, "no state_dict"),
        ([torch.ones(2)], "no state_dict"),
        ({"emb.weight": torch.ones(2, 2), "blocks.0.ln1.weight": torch.ones(2)}, "head.weight is missing"),
        ({"embeddings.weight": torch.ones(2, 2), "rnns.0.thr": torch.ones(2)}, "rnns.0.kernel is missing"),
        ({"embeddings.weight": torch.ones(2), "rnns.0.kernel": torch.ones(2, 6)}, "shape"),
    ],
)
def test_other_things_that_torch_saves_are_refused_with_the_reason(contents: object, expected: str, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / "other.pth")
    assert expected in str(refused(tmp_path / "other.pth"))


def test_a_network_that_claims_to_be_enormous_is_refused_before_a_number_is_read(folder: Path, tmp_path: Path) -> None:
    made = {name: torch.from_numpy(value) for name, value in checkpoints.spikegpt(4, 4, 1).items()}
    enormous = {name: torch.zeros(1).expand(shape) for name, shape in spikegpt.shapes(50_277, 16_384, 1).items()}
    torch.save(made | enormous, tmp_path / "enormous.pth")
    assert "claims" in str(refused(tmp_path / "enormous.pth", folder / "SpikeGPT.tokenizer.json"))


def test_numbers_that_are_none_are_refused(folder: Path, tmp_path: Path) -> None:
    made = checkpoints.evnn(WORDS)
    made["rnns.1.bias"][3] = np.nan
    assert "rnns.1.bias holds impossible numbers" in str(refused(checkpoints.save(made, tmp_path / "nan.cpt"), folder / "corpus"))


def test_an_egru_whose_scores_are_not_finite_is_refused(folder: Path, tmp_path: Path) -> None:
    made = checkpoints.evnn(WORDS)
    made["decoder.decoder.weight"] = np.full_like(made["decoder.decoder.weight"], 3e38)
    assert "scores it makes of a text are not finite" in str(refused(checkpoints.save(made, tmp_path / "huge.cpt"), folder / "corpus"))


def test_a_spikegpt_whose_scores_are_not_finite_is_refused_whatever_its_alphabet(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "vocab_book.json").write_text('{"α": 0, "β": 1, "γ": 2}')
    for size, source in ((300, folder / "SpikeGPT.tokenizer.json"), (3, tmp_path / "vocab_book.json")):
        made = checkpoints.spikegpt(size)
        made["head.weight"] = np.full_like(made["head.weight"], 3e38)
        assert "not finite" in str(refused(checkpoints.save(made, tmp_path / "huge.pth"), source))


def test_a_missing_or_wrong_vocabulary_or_file_is_said(folder: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "SpikeGPT.pth"
    lonely.write_bytes((folder / "SpikeGPT.pth").read_bytes())
    for weights, words in ((lonely, "20B_tokenizer.json"), (folder / "EGRU_best_model.cpt", "corpus")):
        error = refused(weights)
        assert error.exit_code == USAGE and "--vocabulary" in str(error) and words in str(error)
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1}')
    assert "has 300 tokens" in str(refused(lonely, tmp_path / "vocab.json"))
    assert "cannot be used" in str(refused(lonely, tmp_path / "missing.json"))
    assert "There is no checkpoint" in str(refused(tmp_path / "missing.pth"))


def test_nothing_of_it_needs_torch(folder: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from models.foreign import opening\n"
        f"for name, source in (('SpikeGPT.pth', None), ('EGRU_best_model.cpt', Path({str(folder / 'corpus')!r}))):\n"
        f"    opened = opening.load(Path({str(folder)!r}) / name, source)\n"
        "    print(opened.network.step(1).argmax())"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0 and len(run.stdout.split()) == 2, run.stderr


def test_the_published_layout_scaled_down_runs_with_its_published_vocabulary(shared_data: Path, tmp_path: Path) -> None:
    arrays = checkpoints.spikegpt(50_277, 8, 12)
    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(value).half() for name, value in arrays.items()}, buffer)
    (tmp_path / "small.pth").write_bytes(buffer.getvalue())
    opened = opening.load(tmp_path / "small.pth", shared_data / "tokenizers" / "20B_tokenizer.json")
    width, blocks = 8, 12
    assert sum(value.size for value in arrays.values()) == 2 * 50_277 * width + blocks * (13 * width**2 + 11 * width) + 4 * width
    logits = opened.network.read(opened.vocabulary.prompt("Hello, world", True))
    assert logits.shape == (3, 50_277) and np.isfinite(logits).all()
