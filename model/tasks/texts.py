"""Tasks that are answered in words: captions, tags, questions, and the choice between given answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image, Sound
from embodio.model.generation import GREEDY, GenerationOptions, all_of
from embodio.model.generation.scoring import EndIds, Reduction
from embodio.model.processing.video_files import Clip
from embodio.model.tasks.engine import Engine, Seeds
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.grammar import ChoiceRule, by_row, plain_text
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import Choice, TextAnswer

CAPTION_TOKENS, ANSWER_TOKENS, TAG_TOKENS = 64, 32, 16

Answers = Sequence[str] | Sequence[Sequence[str]]
"""Possible answers, the same for all examples, or those of each example."""


class TextTasks(Engine):
    """Captioning, tagging, question answering and classification.

    Arguments that all of them have: `prompt` replaces the task's words and has the same slots; `options` says how to
    choose tokens, greedily by default; `seeds` are those of sampling, one for each example, or s for s, s + 1, ...

    All raise TaskError where nothing is given or counts differ, PromptError for a prompt with wrong slots, and
    ProcessorError for an input that does not fit the model.
    """

    def caption_images(
        self,
        images: Sequence[Image],
        *,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Says what each image shows."""
        self._image_fits(images)
        text = self.prompt_of(self.prompts.caption_image if prompt is None else prompt)
        return self._texts([Example(text=text, image=image) for image in images], CAPTION_TOKENS, options, seeds)

    def caption_videos(
        self,
        videos: Sequence[Clip],
        *,
        sound: bool = False,
        main_frame: int | None = -1,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Says what happens in each video.

        Args:
            videos: from `read_video`.
            sound: let the model hear the sounds of the videos as well.
            main_frame: which frame is the main image; the others are the history. None: all are.
            prompt: see the class; so `options` and `seeds`.
            options: see the class.
            seeds: see the class.
        """
        text = self.prompt_of(self.prompts.caption_video if prompt is None else prompt)
        examples = [Example(text=text, **fields) for fields in self._videos(videos, sound, main_frame)]
        return self._texts(examples, CAPTION_TOKENS, options, seeds)

    def caption_sounds(
        self,
        sounds: Sequence[Sound],
        *,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Says what can be heard in each sound; long ones are cut into segments by the Processor."""
        self._require_some("sounds", sounds)
        text = self.prompt_of(self.prompts.caption_sound if prompt is None else prompt)
        return self._texts([Example(text=text, audio=sound) for sound in sounds], CAPTION_TOKENS, options, seeds)

    def tag_videos(
        self,
        videos: Sequence[Clip],
        *,
        tags: Answers | None = None,
        sound: bool = False,
        main_frame: int | None = -1,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Names the action in each video; with `tags`, one of these (`caption_videos` has the other arguments)."""
        text = self.prompt_of(self.prompts.tag_video if prompt is None else prompt)
        examples = [Example(text=text, **fields) for fields in self._videos(videos, sound, main_frame)]
        return self._texts(examples, TAG_TOKENS, options, seeds, tags)

    def tag_sounds(
        self,
        sounds: Sequence[Sound],
        *,
        tags: Answers | None = None,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Names what is heard in each sound; with `tags`, one of these."""
        self._require_some("sounds", sounds)
        text = self.prompt_of(self.prompts.tag_sound if prompt is None else prompt)
        return self._texts([Example(text=text, audio=sound) for sound in sounds], TAG_TOKENS, options, seeds, tags)

    def answer_questions(
        self,
        images: Sequence[Image],
        questions: Sequence[str],
        *,
        answers: Answers | None = None,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        """Answers a question about each image in a few words; with `answers`, by one of these.

        A prompt of your own has the slot {question}.
        """
        self._image_fits(images)
        asked = self._require_pairs("questions", questions, len(images))
        template = self.prompts.answer_question if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, question=question), image=image)
            for image, question in zip(images, asked, strict=True)
        ]
        return self._texts(examples, ANSWER_TOKENS, options, seeds, answers)

    def classify_images(
        self,
        images: Sequence[Image],
        answers: Answers,
        *,
        reduction: Reduction = "sum",
        end_ids: EndIds = 1,
        prompt: Template | None = None,
    ) -> list[Choice]:
        """Chooses the category of each image by the loss of every given answer; `choose` has the arguments."""
        self._image_fits(images)
        text = self.prompt_of(self.prompts.classify_image if prompt is None else prompt)
        examples = [Example(text=text, image=image) for image in images]
        return self.choose(examples, answers, reduction=reduction, end_ids=end_ids)

    def classify_boxes(
        self,
        images: Sequence[Image],
        boxes: Sequence[npt.ArrayLike],
        answers: Answers,
        *,
        reduction: Reduction = "sum",
        end_ids: EndIds = 1,
        prompt: Template | None = None,
    ) -> list[Choice]:
        """Chooses the category of a region of each image, by the loss of every given answer.

        Args:
            images: RGB, of any size.
            boxes: a region (y1, x1, y2, x2) in pixels of each image.
            answers: the categories.
            reduction: see `choose`.
            end_ids: see `choose`.
            prompt: has the slot {box}.
        """
        template = self.prompts.classify_box if prompt is None else prompt
        texts = [self.prompt_of(template, box=ids) for ids in self._box_ids(images, boxes)]
        examples = [Example(text=text, image=image) for text, image in zip(texts, images, strict=True)]
        return self.choose(examples, answers, reduction=reduction, end_ids=end_ids)

    def choose(
        self,
        examples: Sequence[Example],
        answers: Answers,
        *,
        reduction: Reduction = "sum",
        end_ids: EndIds = 1,
    ) -> list[Choice]:
        """Chooses between answers to any examples, by the loss of each as the text target.

        Args:
            examples: their texts are complete prompts with the prefix.
            answers: what to choose between.
            reduction: "sum" of the losses of an answer's tokens, as in the JAX code, or "mean", as in the PyTorch port.
            end_ids: end ids that count as tokens of an answer: 1 as in the JAX code, or 2 as in the PyTorch port.

        Raises:
            DecodingError: `reduction` or `end_ids` is not one of these, or an answer is longer than the model's texts.
        """
        count = self._require_some("examples", examples)
        given = self._answers(answers, count)
        losses = self._score(examples, given, reduction, end_ids)
        best = [int(np.argmin(own)) for own in losses]
        return [Choice(own[index], index, loss) for own, index, loss in zip(given, best, losses, strict=True)]

    # ------------------------------------------------------------------ shared

    def _texts(
        self,
        examples: Sequence[Example],
        usual: int,
        options: GenerationOptions,
        seeds: Seeds,
        answers: Answers | None = None,
    ) -> list[TextAnswer]:
        longest, form = self._longest(options, usual), plain_text(self.vocabulary)
        if answers is not None:
            rules = [self._choice_rule(own) for own in self._answers(answers, len(examples))]
            longest = self._longest(options, max(rule.longest for rule in rules))
            chosen = by_row(rules, self.vocabulary.size)
            # Not as the form of the task, since it holds for a runner that does not force forms as well.
            options = replace(
                options, constraint=chosen if options.constraint is None else all_of(chosen, options.constraint)
            )
        return [self._text_answer(one) for one in self._write(examples, options, seeds, longest, form)]

    def _choice_rule(self, answers: Sequence[str]) -> ChoiceRule:
        return ChoiceRule(tuple(tuple(self.vocabulary.encode(answer)) for answer in answers))

    def _answers(self, answers: Answers, count: int) -> list[list[str]]:
        """The answers of each example."""
        self._require_some("answers", answers)
        shared = [answer for answer in answers if isinstance(answer, str)]
        if shared and len(shared) != len(answers):
            raise TaskError("answers: some are texts and some are lists; give texts, or a list for each example")
        own = [shared] * count if shared else [list(one) for one in self._require_pairs("answers", answers, count)]
        for row, texts in enumerate(own):
            if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
                raise TaskError(f"answers[{row}]: expected at least one text, none of them empty, found {texts}")
        return own

    def _videos(self, videos: Sequence[Clip], sound: bool, main_frame: int | None) -> list[Mapping[str, Any]]:
        self._require_some("videos", videos)
        for index, video in enumerate(videos):
            if not isinstance(video, Clip):
                raise TaskError(f"videos[{index}]: expected a Clip, found {type(video).__name__}; read_video gives one")
        return [
            (video if sound else replace(video, sounds=())).inputs(main_frame=main_frame, main_sound=-1)
            for video in videos
        ]
