"""What the reference generates, id for id: greedy, beams, no repetition, whole images and sounds; and answer scores."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.generation import (
    Beam,
    GenerationOptions,
    Repetition,
    allow,
    generate,
    score_answers,
)
from embodio.model.generation.guidance import guide
from tests.support.model.golden_network import GoldenNetwork, golden_folders, load_network, read_arrays, worst
from tests.support.model.tiny import ALL_INPUTS

TOLERANCE = 1e-4
FOLDERS = golden_folders()


@pytest.fixture(scope="module", params=[folder for folder in FOLDERS if (folder / "tiny_generate.npz").exists()])
def text(request: pytest.FixtureRequest) -> tuple[GoldenNetwork, dict[str, Tensor]]:
    return load_network(request.param), read_arrays(request.param / "tiny_generate.npz")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("greedy", {}),
        ("beam4", {"beam": Beam(width=4, length_penalty=1.0)}),
        ("greedy_no_repeat", {"repetition": Repetition(no_repeat_ngram=1)}),
    ],
)
def test_text(text: tuple[GoldenNetwork, dict[str, Tensor]], name: str, options: dict[str, object]) -> None:
    network, expected = text[0], text[1][name][:, 1:]
    made = generate(
        network.model,
        network.only(ALL_INPUTS, ()),
        options=GenerationOptions(max_tokens=expected.shape[1], **options),  # type: ignore[arg-type]
    )
    found = functional.pad(made.tokens, (0, expected.shape[1] - made.tokens.shape[1]))
    assert torch.equal(found, expected)


def test_scores_without_repetition(text: tuple[GoldenNetwork, dict[str, Tensor]]) -> None:
    network, expected = text[0], text[1]["greedy_no_repeat_scores"]
    seen = []

    def record(scores: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
        seen.append(scores)
        return scores

    options = GenerationOptions(max_tokens=expected.shape[1], repetition=Repetition(no_repeat_ngram=1), rules=(record,))
    generate(network.model, network.only(ALL_INPUTS, ()), options=options)
    found = torch.stack(seen, dim=1)
    assert torch.equal(found.isneginf(), expected.isneginf())
    assert worst(found, expected, expected.isfinite()) < TOLERANCE


@pytest.fixture(scope="module", params=[folder for folder in FOLDERS if (folder / "tiny_gen_outputs.npz").exists()])
def codes(request: pytest.FixtureRequest) -> GoldenNetwork:
    folder: Path = request.param
    return load_network(folder, "tiny_gen")


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_whole_image_and_sound(codes: GoldenNetwork, modality: str) -> None:
    """The reference keeps from repeating pairs of tokens and from id 1, but takes any other id of the table."""
    expected = codes.outputs[f"generate/{modality}/tokens"][:, 1:]
    size = codes.model.table(modality).shape[0]
    options = GenerationOptions(
        codes_only=False,
        constraint=allow(index for index in range(size) if index != 1),
        repetition=Repetition(no_repeat_ngram=2),
    )
    made = generate(codes.model, codes.only(("text", "image"), ()), modality, options)
    assert torch.equal(made.tokens, expected)
    assert made.lengths.tolist() == [expected.shape[1]]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_answer_scores(text: tuple[GoldenNetwork, dict[str, Tensor]], reduction: str) -> None:
    network = text[0]
    answers = [[index for index in row if index > 1] for row in network.outputs["score/options"].tolist()]
    first = {key: value[:1] for key, value in network.only(("text", "image"), ()).items()}
    found = score_answers(network.model, first, [answers], reduction=reduction)  # type: ignore[arg-type]
    assert worst(found.losses[0], network.outputs[f"score/{reduction}"]) < TOLERANCE


def test_guidance_by_hand() -> None:
    conditional = torch.tensor([[0.5, 0.25, 0.25]]).log() + 3.0
    neutral = torch.tensor([[0.25, 0.5, 0.25]]).log() - 1.0
    expected = torch.tensor([[0.5**3 / 0.25**2, 0.25**3 / 0.5**2, 0.25]]).log()
    assert worst(guide(conditional, neutral, 2.0), expected) < 1e-6
