"""TaskRunner over all tasks: typed answers, sizes, seeds, rows on their own, prompts, and what is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from embodio.model import Clip, ModelConfig, TaskRunner, UnifiedIO2, Vocabulary
from embodio.model.errors import DecodingError, ModelError
from embodio.model.example import Example
from embodio.model.generation import Beam, GenerationOptions, Sampling, generate, score_answers
from embodio.model.processing.processor import ProcessorError
from embodio.model.tasks import (
    AnswerError,
    Choice,
    DepthMap,
    FoundBox,
    FoundBoxes,
    FoundCuboids,
    GeneratedSound,
    Mask,
    Normals,
    People,
    PersonPose,
    Picture,
    PromptError,
    Prompts,
    TaskError,
    TextAnswer,
    ViewChange,
)
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CameraPose
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from tests.support.model.comparison import assert_same
from tests.support.model.small import CONFIG, VOCABULARY, clip, images, model, runner, sound

SAMPLED = GenerationOptions(sampling=Sampling(temperature=1.3))
BOXES = [(4, 3, 14, 18), (2.5, 6, 12, 40), (0, 0, 33, 33)]
WORDS = ["a cup", "the dog {on} it", "third"]
POSE = CameraPose(0.1, 0.2, 0.3)
TAGS = ["dog", "dog barks", "rain"]

# Task -> how to call it for some of the rows 0, 1, 2, with other arguments; and the type of its answers.
Call = Callable[..., Sequence[Any]]


def rows_of(rows: Sequence[int], *lists: Sequence[Any]) -> list[list[Any]]:
    return [[given[row] for row in rows] for given in lists]


def over(task: str, *lists: Sequence[Any], **fixed: Any) -> Call:
    """A task over lists with one entry for each example."""

    def call(engine: TaskRunner, rows: Sequence[int], **more: Any) -> Sequence[Any]:
        result: Sequence[Any] = getattr(engine, task)(*rows_of(rows, *lists), **fixed, **more)
        return result

    return call


CLIPS, SOUNDS = [clip(0), clip(1, 2), clip(2)], [sound(0), sound(1, 900), sound(2, 2 * 31 * 256)]
SHORT = GenerationOptions(max_tokens=12, sampling=Sampling(temperature=1.3))
TASKS: dict[str, tuple[Call, type]] = {
    "caption_images": (over("caption_images", images(), options=SHORT), TextAnswer),
    "caption_videos": (over("caption_videos", CLIPS, options=SHORT, sound=True), TextAnswer),
    "caption_sounds": (over("caption_sounds", SOUNDS, options=SHORT), TextAnswer),
    "tag_videos": (over("tag_videos", CLIPS, options=SHORT), TextAnswer),
    "tag_sounds": (over("tag_sounds", SOUNDS, options=SAMPLED, tags=TAGS), TextAnswer),
    "answer_questions": (over("answer_questions", images(), WORDS, options=SHORT), TextAnswer),
    "refer": (over("refer", images(), WORDS, options=SAMPLED), FoundBox),
    "localise": (over("localise", images(), WORDS, options=SHORT, at_least_one=True, named=False), FoundBoxes),
    "detect": (over("detect", images(), options=SHORT), FoundBoxes),
    "keypoints_in_boxes": (over("keypoints_in_boxes", images(), BOXES, options=SAMPLED), Keypoints),
    "cuboids": (
        over("cuboids", images(), ["cup", "dog", "car"], options=GenerationOptions(max_tokens=30)),
        FoundCuboids,
    ),
    "camera_poses": (over("camera_poses", images(), images()[::-1], options=SAMPLED), ViewChange),
    "segment": (over("segment", images(), WORDS), Mask),
    "segment_boxes": (
        lambda engine, rows, **more: engine.segment(
            *rows_of(rows, images(), WORDS), boxes=rows_of(rows, BOXES)[0], **more
        ),
        Mask,
    ),
    "depth": (over("depth", images()), DepthMap),
    "normals": (over("normals", images()), Normals),
    "draw": (over("draw", WORDS), Picture),
    "edit": (over("edit", images(), WORDS), Picture),
    "inpaint": (over("inpaint", images(), BOXES, WORDS), Picture),
    "view": (over("view", images(), [POSE] * 3), Picture),
    "next_frames": (over("next_frames", CLIPS), Picture),
    "goals": (over("goals", [images(3)[:2], *CLIPS[1:]], WORDS), Picture),
    "make_sounds": (over("make_sounds", WORDS), GeneratedSound),
}


@pytest.fixture
def written_ids(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The ids of every row that is written or drawn from now on, in order."""
    rows: list[list[int]] = []

    def spy(*given: Any, **more: Any) -> Any:
        made = generate(*given, **more)
        lengths = made.lengths.tolist()
        rows.extend(ids[:length] for ids, length in zip(made.tokens.tolist(), lengths, strict=True))
        return made

    monkeypatch.setattr("embodio.model.tasks.engine.generate", spy)
    monkeypatch.setattr("embodio.model.generation.long_audio.generate", spy)
    return rows


@pytest.mark.parametrize("task", TASKS)
def test_answers_are_typed_and_depend_on_their_own_row_alone(task: str, written_ids: list[list[int]]) -> None:
    call, kind = TASKS[task]
    found = call(runner(), [0, 1, 2], seeds=[5, 17, 40])
    assert len(found) == 3 and all(isinstance(answer, (kind, AnswerError)) for answer in found)
    if kind not in (FoundBoxes, FoundCuboids):
        assert all(isinstance(answer, kind) for answer in found)
    alone = call(runner(), [1], seeds=17)
    in_parts = call(runner(rows_at_once=2), [2, 0, 1], seeds=[40, 5, 17])
    together, own, parts = written_ids[:3], written_ids[3], written_ids[4:]
    assert len(parts) == 3 and own == together[1] and [parts[index] for index in (1, 2, 0)] == together
    assert_same(alone[0], found[1])
    for index, answer in zip((1, 2, 0), found, strict=True):
        assert_same(in_parts[index], answer)


@pytest.mark.parametrize("task", ["caption_images", "depth", "draw", "make_sounds"])
def test_another_seed_draws_something_else(task: str) -> None:
    call, _ = TASKS[task]
    first, second = (call(runner(), [0], seeds=seed)[0] for seed in (1, 2))
    with pytest.raises(AssertionError):
        assert_same(first, second)


def test_dense_answers_have_the_size_of_the_image() -> None:
    for picture, mask, depth, normals in zip(
        images(),
        runner().segment(images(), WORDS),
        runner().depth(images()),
        runner().normals(images()),
        strict=True,
    ):
        size = picture.shape[:2]
        assert mask.mask.shape == size and mask.mask.dtype == np.bool_
        assert depth.depth.shape == size and depth.depth.dtype == np.float32
        assert 0 <= depth.depth.min() <= depth.depth.max() <= 1
        assert normals.normals.shape == (*size, 3) and normals.normals.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(normals.normals, axis=2), 1, atol=1e-5)
        for drawn in (mask.image, depth.image, normals.image):
            assert drawn.shape == picture.shape and drawn.dtype == np.uint8
        np.testing.assert_allclose(depth.depth, depth.image.mean(axis=2) / 255, atol=1 / 255)
        assert np.array_equal(mask.mask, mask.mask & (mask.image.mean(axis=2) > 126))
    assert runner().draw(WORDS)[0].image.shape == (16, 16, 3)
    assert [one.image.shape for one in runner().edit(images(), WORDS)] == [one.shape for one in images()]


def test_places_are_in_the_pixels_of_the_image() -> None:
    big = np.zeros((400, 100, 3), dtype=np.uint8)
    for found in runner().refer([big] * 6, ["x"] * 6, options=SAMPLED, seeds=3):
        assert isinstance(found, FoundBox) and found.box.dtype == np.float32
        y1, x1, y2, x2 = found.box
        assert 0 <= y1 <= y2 <= 400 and 0 <= x1 <= x2 <= 100
    found = runner().localise([big], ["cup"], at_least_one=True, overlap=1.0)[0]
    if isinstance(found, FoundBoxes):
        assert set(found.labels) <= {"cup"} and found.boxes.shape == (len(found.labels), 4)


def test_boxes_that_lie_on_each_other_are_suppressed() -> None:
    every = runner().localise(images(), WORDS, overlap=1.0, threshold=0.0)
    some = runner().localise(images(), WORDS, overlap=0.05, threshold=0.0)
    counts = [
        (len(one.boxes), len(other.boxes))
        for one, other in zip(every, some, strict=True)
        if isinstance(one, FoundBoxes) and isinstance(other, FoundBoxes)
    ]
    assert counts and all(more >= fewer >= 1 for more, fewer in counts) and any(more > fewer for more, fewer in counts)


def test_the_threshold_decides_how_long_places_are_written() -> None:
    """At 0 every place that has room follows; the rule off leaves the end to the model."""
    image = images()[:1]
    always = runner().localise(image, ["cup"], threshold=0.0, overlap=1.0, named=False)[0]
    assert isinstance(always, FoundBoxes)
    assert len(always.boxes) + len(always.skipped) == (CONFIG.lengths.decoder_text - 1) // 4


def test_people_are_boxes_and_keypoints() -> None:
    found = runner().keypoints(images(2), overlap=0.2, options=GenerationOptions(max_tokens=200))
    assert all(isinstance(one, (People, AnswerError)) for one in found)
    people = [person for one in found if isinstance(one, People) for person in one.people]
    assert people and all(isinstance(person, PersonPose) for person in people)
    for person in people:
        assert isinstance(person, PersonPose)
        assert person.box.shape == (4,) and person.keypoints.visible.all()
        assert person.keypoints.points.shape == (17, 2) and person.keypoints.filled().shape == (17, 2)


def test_what_is_outside_of_the_filled_region_stays() -> None:
    picture = images()[0]
    filled = runner().inpaint([picture], [(4, 3, 14.5, 18)], ["cup"])[0].image
    inside = np.zeros(picture.shape[:2], dtype=bool)
    inside[4:15, 3:18] = True
    assert np.array_equal(filled[~inside], picture[~inside]) and not np.array_equal(filled[inside], picture[inside])
    changed = picture.copy()
    changed[inside] = 99
    again = runner().inpaint([changed], [(4, 3, 14.5, 18)], ["cup"])[0].image
    assert np.array_equal(again, filled), "the model must not see what is to be replaced"
    as_float = runner().inpaint([picture / 255.0], [(4, 3, 14.5, 18)], ["cup"])[0].image
    assert np.array_equal(as_float, filled)


def test_choices_are_those_of_scoring() -> None:
    chosen = runner().classify_images(images(), TAGS)
    text = runner().prompt_of(Prompts()["classify.image"].draw())
    for picture, choice in zip(images(), chosen, strict=True):
        assert isinstance(choice, Choice)
        features = runner()._batch([Example(text=text, image=picture)], [0])
        losses = score_answers(model(), features, [[VOCABULARY.encode(tag) for tag in TAGS]]).losses[0].numpy()
        np.testing.assert_allclose(choice.losses, losses, atol=1e-3)
        assert choice.answer == TAGS[choice.index] and choice.index == losses.argmin()
    own = runner(rows_at_once=2).classify_boxes(images(), np.array(BOXES), [["x"], ["y", "z"], ["w", "v", "u"]])
    assert [len(choice.losses) for choice in own] == [1, 2, 3]
    assert all(np.isfinite(choice.losses).all() for choice in own)


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("options", [GenerationOptions(), SAMPLED, GenerationOptions(beam=Beam(width=2))])
def test_given_answers_are_the_only_ones(constrained: bool, options: GenerationOptions) -> None:
    found = runner(constrained).answer_questions(images(), WORDS, answers=TAGS, options=options)
    assert all(answer.text in TAGS and answer.log_probability < 0 for answer in found)
    own = [["one"], ["two"], ["three words here"]]
    found = runner(constrained, 2).answer_questions(images(), WORDS, answers=own, options=options)
    assert [answer.text for answer in found] == ["one", "two", "three words here"]


def test_without_forms_unreadable_answers_are_errors_with_their_text() -> None:
    free = runner(constrained=False)
    found = free.refer(images(), WORDS)
    errors = [answer for answer in found if isinstance(answer, AnswerError)]
    assert errors and all(error.text in str(error) or repr(error.text) in str(error) for error in errors)
    assert isinstance(errors[0], ModelError)
    poses = free.keypoints_in_boxes(images(), BOXES, forced=False, options=SHORT)
    assert any(isinstance(pose, AnswerError) for pose in poses)


def test_sound_of_any_length() -> None:
    segment = 31 * 256
    (short,) = runner().make_sounds(["rain"])
    (half,) = runner().make_sounds(["rain"], seconds=segment / 2 / 16_000)
    (long,) = runner().make_sounds(["rain"], seconds=2.5 * segment / 16_000)
    assert short.rate == 16_000 and short.waveform.dtype == np.float32
    assert [len(one.waveform) for one in (short, half, long)] == [segment, segment // 2, segment * 5 // 2]
    assert [one.log_mel.shape for one in (short, half, long)] == [(32, 16), (32, 16), (3 * 31 + 1, 16)]
    np.testing.assert_allclose(long.log_mel[:31], short.log_mel[:31], atol=1e-4)
    (after,) = runner().make_sounds(["rain"], earlier=[[sound(1)]])
    assert not np.allclose(after.log_mel, short.log_mel)


def test_other_values_of_a_wrong_type_are_refused() -> None:
    for how in ({"seeds": 1.5}, {"seeds": None}, {"seeds": ["a"]}):
        with pytest.raises(DecodingError, match="seeds: expected whole numbers"):
            runner().caption_images(images(1), **how)
    with pytest.raises(DecodingError, match="guidance: scale 'much', expected a number"):
        runner().draw(["a"], guidance="much")
    with pytest.raises(PromptError, match="prompt: expected text, or texts and token ids in sequence, found 3"):
        runner().caption_images(images(1), prompt=3)
    with pytest.raises(PromptError, match=r"name: expected text, .* found 3\.5"):
        runner().prompt_of("find {name}", name=3.5)


def test_a_vocoder_makes_the_sound() -> None:
    config = VocoderConfig(
        num_mels=16,
        upsample_rates=(16, 16),
        upsample_kernels=(16, 16),
        channels=8,
        block_kernels=(3,),
        block_dilations=((1,),),
    )
    voiced = TaskRunner(model(), VOCABULARY, vocoder=Vocoder(config).eval().requires_grad_(False))
    (found,) = voiced.make_sounds(["rain"], seconds=0.6)
    assert found.rate == 16_000 and len(found.waveform) == 9600
    assert np.abs(found.waveform).max() <= 1


def test_guidance_moves_away_from_the_neutral_prompt() -> None:
    drawn = [runner().draw(["a cup"], guidance=scale)[0].image for scale in (0.0, 10.0, 10.0)]
    assert np.array_equal(drawn[1], drawn[2]) and not np.array_equal(drawn[0], drawn[1])


def test_prompts_of_ones_own() -> None:
    asked = []

    class Spy(TaskRunner):
        def _write(self, examples: Any, *rest: Any, **more: Any) -> Any:
            asked.extend(VOCABULARY.decode(VOCABULARY.encode(example.text)) for example in examples)
            return super()._write(examples, *rest, **more)

    spy = Spy(model(), VOCABULARY, prompts=Prompts({"caption.image": "say it"}))
    spy.caption_images(images(1), options=SHORT)
    spy.answer_questions(images(1), ["how {many}?"], prompt="q: {question} a:", options=SHORT)
    spy.refer(images(1), ["it"])
    assert asked[:2] == ["[Text] [S] say it", "[Text] [S] q: how {many}? a:"]
    assert asked[2].endswith('"it"?')
    with pytest.raises(PromptError, match=r"fills \{expression\}"):
        spy.refer(images(1), ["it"], prompt="where?")


def test_any_example_can_be_answered() -> None:
    text = runner().prompt_of("Compare the {thing} in both.", thing="cup")
    example = Example(text=text, image=images()[0], image_history=images()[1:2])
    found = runner().answer([example, example], options=SHORT, seeds=[4, 4])
    assert found[0].text == found[1].text and len(found) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.caption_images([]), "images: there is nothing to do"),
        (lambda r: r.caption_images(images()[0]), r"images\[0\]: expected an RGB array"),
        (lambda r: r.caption_images([None]), r"images\[0\]: expected .* found NoneType"),
        (lambda r: r.caption_images(None), "images: expected a list"),
        (lambda r: r.answer_questions(images(), "why?"), "questions: expected a list"),
        (lambda r: r.answer_questions(images(), ["why?"]), "questions: 1 entries for 3 examples"),
        (lambda r: r.answer_questions(images(1), ["why? " * 300]), "prompt: .* tokens, but the model reads 199"),
        (lambda r: r.classify_images(images(), []), "answers: there is nothing"),
        (lambda r: r.classify_images(images(), [["a"], []]), "answers: 2 entries for 3"),
        (lambda r: r.classify_images(images(), ["a", ["b"], "c"]), "answers: some are texts"),
        (lambda r: r.classify_images(images(1), [[" "]]), r"answers\[0\]: expected at least one text"),
        (lambda r: r.caption_sounds(sound(1)), "sounds: expected a list"),
        (lambda r: r.caption_videos([images()]), r"videos\[0\]: expected a Clip, found list"),
        (lambda r: r.caption_videos(clip(0)), "videos: expected a list"),
        (lambda r: r.next_frames([[]]), r"videos\[0\]: there is no frame"),
        (lambda r: r.goals([images(1)], []), "instructions: there is nothing"),
        (lambda r: r.keypoints([]), "images: there is nothing"),
        (lambda r: r.segment(images(1), ["a"], boxes=[(1, 2, 3)]), r"boxes\[0\]: expected four numbers"),
        (lambda r: r.segment(images(1), ["a"], boxes=[(1, 2, float("nan"), 4)]), r"boxes\[0\]: expected four"),
        (lambda r: r.inpaint(images(1), [(5, 5, 5, 5)], ["a"]), "a box without an area"),
        (lambda r: r.localise(images(1), ["a"], overlap=2.0), "overlap is 2.0"),
        (lambda r: r.localise(images(1), ["a"], threshold=-1.0), "threshold is -1.0"),
        (lambda r: r.detect(images(1), names=[]), "names: there is nothing"),
        (lambda r: r.make_sounds([]), "texts: there is nothing"),
        (lambda r: r.make_sounds("rain"), "texts: expected a list"),
        (lambda r: r.make_sounds(["rain"], seconds=0.0), "seconds: a sound cannot be 0.0 s long"),
        (lambda r: r.make_sounds(["rain"], seconds=float("nan")), "seconds: a sound cannot be nan"),
        (lambda r: r.answer([]), "examples: there is nothing"),
        (lambda r: r.answer([3]), r"examples\[0\]: expected an Example, found int"),
        (lambda r: r.refer(images(1), [3]), "expression: expected text, found 3"),
        (lambda r: r.localise(images(1), [None]), "name: expected text, found NoneType"),
        (lambda r: r.answer_questions(images(1), [3]), "question: expected text, found 3"),
        (lambda r: r.detect(images(1), names=[3]), "names: expected a list of texts, found tuple"),
        (lambda r: r.draw([3]), "text: expected text, found 3"),
        (lambda r: r.view(images(1), [3]), "pose: expected CameraPose, found 3"),
        (lambda r: r.segment(images(1), ["a"], boxes=["b"]), r"boxes\[0\]: expected four numbers"),
        (lambda r: r.next_frames([3]), r"videos\[0\]: expected a Clip or a list of images, found int"),
        (lambda r: r.tag_sounds([sound(1)], tags=[3]), r"answers\[0\]: expected at least one text"),
        (lambda r: r.make_sounds(["rain"], earlier=[3]), r"earlier\[0\]: expected a list of sounds, found int"),
        (lambda r: r.make_sounds(["rain"], seconds="long"), "seconds: a sound cannot be 'long' s long"),
        (lambda r: r.localise(images(1), ["a"], threshold="low"), "threshold is 'low'"),
        (lambda r: r.localise(images(1), ["a"], overlap=None), "overlap is None"),
        (lambda r: r.caption_images(images(1), options=3), "options: expected GenerationOptions, found 3"),
        (lambda r: r.draw(["a"], options=3), "options: expected GenerationOptions, found 3"),
        (lambda r: r.run(3, []), "family: expected the name or an instance of a family, found int"),
        (lambda r: r.run("refer", [3]), "asked: refer expects a Reference, found 3"),
        (lambda r: r.run("refer", [TextItem()]), "asked: refer expects a Reference, found TextItem"),
        (lambda r: r.run("transcribe", [TextItem()]), r"media: transcribe is about a sound, and there is none; give "),
        (lambda r: r.run("caption", [TextItem()]), r"media: caption is about an image or a sound, and there is none"),
    ],
)
def test_requests_without_sense_are_refused(call: Callable[[TaskRunner], object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        call(runner())


def test_models_that_cannot_are_refused() -> None:
    bare = TaskRunner(UnifiedIO2(CONFIG).eval(), VOCABULARY)
    for call in (lambda: bare.depth(images(1)), lambda: bare.draw(["x"]), lambda: bare.make_sounds(["x"])):
        with pytest.raises(TaskError, match="load it with tokenizers=True"):
            call()
    assert bare.caption_images(images(1), options=SHORT)
    text_only = TaskRunner(UnifiedIO2(ModelConfig.named("nano")).eval(), Vocabulary.default())
    with pytest.raises(TaskError, match=r"makes image, but the model makes \['text'\] only"):
        text_only.draw(["x"])
    with pytest.raises(TaskError, match="makes audio"):
        text_only.make_sounds(["x"])
    with pytest.raises(ProcessorError, match="audio: this model has no audio input"):
        text_only.caption_sounds([sound(1)])
    with pytest.raises(TaskError, match=r"call model.eval\(\) first"):
        TaskRunner(UnifiedIO2(CONFIG).train(), VOCABULARY).caption_images(images(1))
    with pytest.raises(TaskError, match="rows_at_once is 0"):
        TaskRunner(model(), VOCABULARY, rows_at_once=0)


def test_clips_are_spread_over_main_frame_and_history() -> None:
    seen = []

    class Spy(TaskRunner):
        def _write(self, examples: Any, *rest: Any, **more: Any) -> Any:
            seen.extend(examples)
            return super()._write(examples, *rest, **more)

    spy, video = Spy(model(), VOCABULARY), clip(3)
    spy.caption_videos([video], options=SHORT)
    spy.caption_videos([video], options=SHORT, sound=True, main_frame=1)
    assert seen[0].image is video.frames[2] and len(seen[0].image_history) == 2 and seen[0].audio is None
    assert seen[1].image is video.frames[1] and seen[1].audio is video.sounds[2]
    with pytest.raises(ProcessorError, match="image_history: 3 frames"):
        spy.caption_videos([Clip(tuple(images(4)))])
