"""Where the references have a rule of their own: how labels are scaled, which boxes suppress others, mean losses."""

import numpy as np
import pytest

from embodio.model.errors import DecodingError
from embodio.model.example import Example
from embodio.model.generation import score_answers
from embodio.model.processing.image import GeometryError, ImageFit
from embodio.model.tasks import FoundBoxes, Prompts, TaskError
from embodio.model.tasks.base.requests import sampled
from embodio.model.tasks.engine import Written
from embodio.model.tasks.families.segment import FAMILY as SEGMENT
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model.small import CONFIG, VOCABULARY, images, model, runner

TAGS = ["dog", "dog barks", "rain"]
BOX = (4, 3, 14, 18)


def test_labels_are_scaled_by_the_rule_that_is_asked_for() -> None:
    (image,) = images(1)
    engine = runner()
    prompt = engine.prompt_of(Prompts()["segment.name"].draw(), "image", name="cup")
    (drawn,) = engine._draw([Example(text=prompt, image=image)], sampled(None, SEGMENT.top_p), 0)
    fit = ImageFit.of(image.shape[:2], drawn.shape[:2])
    (nearest,) = engine.segment([image], ["cup"])
    (smooth,) = engine.segment([image], ["cup"], interpolation="bilinear")
    assert np.array_equal(nearest.mask, fit.image_from_canvas(drawn).mean(axis=2) > 0.5)
    assert np.array_equal(smooth.mask, np.clip(fit.image_from_canvas(drawn, "bilinear"), 0, 1).mean(axis=2) > 0.5)
    assert not np.array_equal(smooth.image, nearest.image)
    for task in (engine.depth, engine.normals):
        (plain,), (mixed,) = task([image]), task([image], interpolation="bilinear")
        assert plain.image.shape == mixed.image.shape and not np.array_equal(plain.image, mixed.image)
    with pytest.raises(GeometryError, match="interpolation 'cubic'"):
        engine.depth([image], interpolation="cubic")  # type: ignore[arg-type]


@pytest.mark.parametrize(("within", "left"), [("all", ["cup"]), ("name", ["cup", "mug"])])
def test_one_object_under_two_names(within: str, left: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, (image,) = runner(), images(1)
    box = engine.codec.boxes_to_ids([[2, 2, 18, 18]], ImageFit.of(image.shape[:2], CONFIG.image_size))[0].tolist()
    ids = (*box, *VOCABULARY.encode("cup"), *box, *VOCABULARY.encode("mug"), EOS_ID)
    monkeypatch.setattr(engine, "_write", lambda *_: [Written(ids, 0.0)])
    (found,) = engine.detect([image], overlap_within=within)  # type: ignore[arg-type]
    assert isinstance(found, FoundBoxes) and list(found.labels) == left


def test_suppression_that_is_not_known_is_refused() -> None:
    with pytest.raises(TaskError, match="overlap_within 'label' is not known"):
        runner().detect(images(1), overlap_within="label")  # type: ignore[arg-type]


def test_choices_by_the_losses_of_the_port() -> None:
    engine, (image,) = runner(), images(1)
    example = Example(text=engine.prompt_of(Prompts()["classify.image"].draw()), image=image)
    options = [[VOCABULARY.encode(tag) for tag in TAGS]]
    expected = score_answers(model(), engine._batch([example], [0]), options, reduction="mean", end_ids=2).losses[0]
    (chosen,) = engine.classify_images([image], TAGS, reduction="mean", end_ids=2)
    np.testing.assert_allclose(chosen.losses, expected.numpy(), atol=1e-4)
    assert chosen.index == int(expected.argmin())
    (same,) = engine.choose([example], TAGS, reduction="mean", end_ids=2)
    np.testing.assert_array_equal(same.losses, chosen.losses)
    (mean,) = engine.classify_boxes([image], [BOX], TAGS, reduction="mean", end_ids=2)
    (total,) = engine.classify_boxes([image], [BOX], TAGS, end_ids=2)
    lengths = [len(VOCABULARY.encode(tag)) + 2 for tag in TAGS]
    np.testing.assert_allclose(mean.losses * lengths, total.losses, rtol=1e-4)
    with pytest.raises(DecodingError, match="reduction 'max'"):
        engine.choose([example], TAGS, reduction="max")  # type: ignore[arg-type]
