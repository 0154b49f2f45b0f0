"""Metrics of pictures, sounds, codes, tags and robots: by their definitions, equal to public implementations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from embodio.datasets.metrics import tally
from embodio.datasets.metrics.codebook_use import Coded, codebook_use, perplexity
from embodio.datasets.metrics.log_spectral_distance import log_spectral_distance
from embodio.datasets.metrics.parts.episodes import ActionSeries, EpisodeOutcome
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.psnr import psnr
from embodio.datasets.metrics.ssim import ssim
from embodio.model.processing.audio_features import Spectrogram
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.image_family import ImageItem
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.judge_action import ActionJudged
from embodio.model.tasks.families.make_sound import SoundItem
from embodio.model.tasks.families.multiple_choice import ChoiceQuestion
from embodio.model.tasks.families.next_action import ActionAhead
from embodio.model.tasks.families.next_state import StateAhead
from embodio.model.tasks.families.tag import Tagged

UNREADABLE = AnswerError("not an answer", "<?>")


def values(name: str, *pairs: tuple[Any, Any]) -> dict[str, float]:
    scores = tally(name)
    for found, truth in pairs:
        scores.update(found, truth)
    return {figure: one.value for figure, one in scores.result(resamples=2).estimates.items()}


def test_psnr_is_20_db_for_a_tenth() -> None:
    original = torch.full((2, 4, 4, 3), 0.5)
    assert psnr(original, original + 0.1).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)


def test_ssim_is_that_of_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.rand(1, 11, 11, 1, generator=generator, dtype=torch.float64) for _ in range(2))
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line)[None, :, :, None] / line.sum() ** 2
    a, b = one.numpy(), other.numpy()
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
    both = (weights * (a - mean_a) * (b - mean_b)).sum()
    low, high = 0.01**2, 0.03**2
    expected = (2 * mean_a * mean_b + low) * (2 * both + high)
    expected /= (mean_a**2 + mean_b**2 + low) * (var_a + var_b + high)
    assert ssim(one, other).item() == pytest.approx(expected, abs=1e-9)
    assert ssim(one, one).item() == pytest.approx(1.0)


def test_ten_times_the_power_is_10_db_away() -> None:
    spectrum = torch.randn(2, 5, 8)
    distance = log_spectral_distance(spectrum, spectrum + math.log(10.0))
    assert distance.tolist() == pytest.approx([10.0, 10.0], abs=1e-4)


def test_use_of_codes() -> None:
    use, spread = codebook_use(torch.tensor([[0, 1], [1, 0]]), 8)
    assert use == 0.25 and spread == pytest.approx(2.0)


def test_perplexity_counts_codes_that_are_used_alike() -> None:
    assert perplexity(torch.tensor([3, 3, 0, 3])).item() == pytest.approx(3.0)
    assert perplexity(torch.tensor([9, 0, 0])).item() == pytest.approx(1.0)


def test_pictures_of_an_answer() -> None:
    truth = np.full((12, 16, 3), 100, dtype=np.uint8)
    brighter = truth.astype(np.float32) / 255 + 0.1
    found = values("psnr", (ImageItem(drawn=brighter), ImageItem(drawn=truth)), (UNREADABLE, ImageItem(drawn=truth)))
    assert found["psnr"] == pytest.approx(10.0, abs=1e-4)
    assert values("ssim", (ImageItem(drawn=truth), ImageItem(drawn=truth)))["ssim"] == pytest.approx(1.0)
    changed = ImageItem(drawn=truth, media=InputMedia(image=truth))
    with pytest.raises(MetricError, match="the answer has the shape"):
        values("psnr", (ImageItem(drawn=truth[:5]), changed))
    canvas = np.full((16, 16, 3), 100, dtype=np.uint8)  # drawn of words alone, it is fitted to the annotation
    assert values("psnr", (ImageItem(drawn=canvas), ImageItem(drawn=truth)))["psnr"] > 60
    with pytest.raises(MetricError, match="at least 11 a side"):
        values("ssim", (ImageItem(drawn=truth[:5]), ImageItem(drawn=truth[:5])))


@pytest.mark.parametrize("deviation", [1e-4, 0.02, 0.3])
def test_psnr_is_that_of_scikit_image(deviation: float) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="compares with a package of the dev extra")
    rng = np.random.default_rng(0)
    one = rng.random((30, 40, 3))
    other = np.clip(one + rng.normal(0, deviation, one.shape), 0, 1)
    wanted = metrics.peak_signal_noise_ratio(one, other, data_range=1.0)
    assert values("psnr", (ImageItem(drawn=other), ImageItem(drawn=one)))["psnr"] == pytest.approx(wanted, abs=1e-6)
    coarse, changed = (np.rint(picture * 255).astype(np.uint8) for picture in (one, np.clip(other + 0.01, 0, 1)))
    wanted = metrics.peak_signal_noise_ratio(coarse, changed, data_range=255)
    shown = ImageItem(drawn=coarse, media=InputMedia(image=coarse))
    assert values("psnr", (ImageItem(drawn=changed), shown))["psnr"] == pytest.approx(wanted, abs=1e-6)


def test_ssim_is_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="compares with a package of the dev extra")
    rng = np.random.default_rng(0)
    one = rng.random((30, 40, 3))
    other = np.clip(one + rng.normal(0, 0.1, one.shape), 0, 1)
    wanted = metrics.structural_similarity(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=2
    )
    pair = (torch.from_numpy(picture)[None] for picture in (one, other))
    assert ssim(*pair).item() == pytest.approx(wanted, abs=1e-6)


def test_sounds_of_an_answer() -> None:
    power = np.random.default_rng(0).uniform(0.01, 1, (20, 128)).astype(np.float32)
    truth, louder = SoundItem(text="", sound=Spectrogram(power)), SoundItem(text="", sound=Spectrogram(power * 10))
    assert values("log_spectral_distance", (louder, truth))["log_spectral_distance"] == pytest.approx(10.0, abs=1e-3)
    wave = SoundItem(text="", sound=np.sin(np.arange(8000) / 5).astype(np.float32))
    half = SoundItem(text="", sound=np.sin(np.arange(4000) / 5).astype(np.float32))
    assert values("log_spectral_distance", (wave, wave))["log_spectral_distance"] == 0.0
    short, silent = (values("log_spectral_distance", (one, wave)) for one in (half, UNREADABLE))
    assert 0 < short["log_spectral_distance"] < silent["log_spectral_distance"]


def test_codes_of_answers() -> None:
    book = Coded(size=8)
    found = values(
        "codebook_use", (Coded(size=8, codes=np.array([0, 1])), book), (Coded(size=8, codes=np.array([1, 0])), book)
    )
    assert found == {"codes_used": 0.25, "code_perplexity": pytest.approx(2.0)}
    with pytest.raises(MetricError, match=r"0 to 8 are not all in 0 .. 7"):
        values("codebook_use", (Coded(size=8, codes=np.array([0, 8])), book))


def scored(rows: int, seed: int) -> list[tuple[Tagged, Tagged]]:
    rng, found = np.random.default_rng(seed), []
    for place in range(rows):
        right = np.flatnonzero(rng.random(5) < 0.3).tolist() or [place % 5]
        scores = {str(tag): float(value) for tag, value in enumerate(np.round(rng.random(5), 1))}
        found.append((Tagged(scores=scores), Tagged(references=tuple(str(one) for one in right))))
    return found


def test_tags_by_hand() -> None:
    """Tag a ranks its items 1 and 3 of 3: precisions 1 and 2/3, and one of two pairs in order."""
    scores = [(0.9, "a"), (0.5, "b"), (0.1, "a")]
    pairs = [(Tagged(scores={"a": one, "b": 1 - one}), Tagged(text=name)) for one, name in scores]
    assert values("tag_ranking", *pairs) == {
        "tag_map": pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2),
        "tag_auc": pytest.approx(0.5),
    }


def test_tags_are_ranked_as_by_torchmetrics() -> None:
    classification = pytest.importorskip("torchmetrics.classification", reason="compares with one of the dev extra")
    pairs = scored(60, 0)
    table = torch.tensor([[found.scores[str(tag)] for tag in range(5)] for found, _ in pairs])
    right = torch.tensor([[int(str(tag) in truth.references) for tag in range(5)] for _, truth in pairs])
    found = values("tag_ranking", *pairs)
    wanted = classification.MultilabelAveragePrecision(5), classification.MultilabelAUROC(5)
    assert list(found.values()) == pytest.approx([float(one(table, right)) for one in wanted], abs=1e-6)


def test_tags_need_scores() -> None:
    with pytest.raises(MetricError, match="scores no tags"):
        values("tag_ranking", (Tagged(text="a"), Tagged(text="a")))


def test_actions() -> None:
    truth = ActionSeries(actions=np.array([[0.0, 0.5], [1.0, -1.0]]), limits=np.array([[-1.0, -1.0], [1.0, 1.0]]))
    near = ActionSeries(actions=np.array([[0.1, 0.5], [1.0, -0.7]]))
    assert values("action_mae", (near, truth))["action_mae"] == pytest.approx(0.1)
    assert values("action_mae", (UNREADABLE, truth))["action_mae"] == pytest.approx((1 + 1.5 + 2 + 2) / 4)
    with pytest.raises(MetricError, match=r"ActionSeries.limits is not set"):
        values("action_mae", (UNREADABLE, near))


def test_episodes() -> None:
    far = EpisodeOutcome(success=True, path=10.0, shortest=5.0)
    direct, failed = (
        EpisodeOutcome(success=True, path=5.0, shortest=5.0),
        EpisodeOutcome(success=False, path=9.0, shortest=5.0),
    )
    outcomes = [(one, one) for one in (far, direct, failed)]
    assert values("spl", *outcomes) == {"spl": pytest.approx(0.5), "success": pytest.approx(2 / 3)}
    assert values("success", *outcomes) == {"success": pytest.approx(2 / 3)}
    with pytest.raises(MetricError, match="expected a positive length"):
        values("spl", (far, EpisodeOutcome(success=True, shortest=0.0)))


def test_judgements_are_balanced() -> None:
    yes, no = ActionJudged(right=True), ActionJudged(right=False)
    found = values("judgement", (yes, yes), (yes, yes), (yes, yes), (yes, no), (UNREADABLE, no))
    assert found == {"judgement_accuracy": pytest.approx(0.6), "balanced_accuracy": pytest.approx(0.5)}


def test_choices_above_chance() -> None:
    truth = [ChoiceQuestion(question="", options=tuple("abcd"[:count]), chosen=0) for count in (2, 4)]
    found = values("choice_accuracy", (truth[0], truth[0]), (UNREADABLE, truth[1]))
    assert found == {"choice_accuracy": 0.5, "above_chance": pytest.approx((1 - 1 / 3) / 2)}


def test_token_ids() -> None:
    truth, part = ActionAhead(action=[1, 2, 3, 4]), ActionAhead(action=[1, 2, 9])
    assert values("next_tokens", (truth, truth), (part, truth)) == {"tokens_exact": 0.5, "tokens_right": 0.75}
    state, off = StateAhead(later=[100, 200]), StateAhead(later=[101, 198])
    assert values("state_error", (off, state))["state_error"] == pytest.approx(1.5 / 999)
    assert values("state_error", (StateAhead(later=[100]), state))["state_error"] == 1.0
