"""Verbs answered with text: captions, tags, questions, and the choice between given answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image, Sound
from embodio.model.generation import GREEDY, GenerationOptions
from embodio.model.generation.scoring import EndIds, Reduction
from embodio.model.processing.video_files import Clip
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.text_family import T, TextFamily, TextItem
from embodio.model.tasks.engine import Answers, Engine, Seeds
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.families.answer_question import AnswerQuestion, Question
from embodio.model.tasks.families.caption import Caption
from embodio.model.tasks.families.classify import Category, Classify
from embodio.model.tasks.families.describe_task import DescribeTask
from embodio.model.tasks.families.tag import Tag, Tagged
from embodio.model.tasks.prompts.filling import Template
from embodio.model.tasks.results import Choice, TextAnswer
from embodio.model.tasks.verbs.how import TextHow


class WordVerbs(Engine):
    """Captioning, tagging, question answering and classification; `TextHow` lists their common arguments.

    Sounds are waveforms as of `read_recording`: any rate with (samples, rate), 16 kHz without, any number of channels;
    or spectrograms. All raise TaskError if nothing is given, counts differ or a value has a wrong type, PromptError for
    a prompt with wrong slots, AudioError for a sound that cannot be read, and ProcessorError for an input that does not
    fit the model.
    """

    def caption_images(self, images: Sequence[Image], **how: Unpack[TextHow]) -> list[TextAnswer]:
        """Captions each image."""
        return self._texts(Caption(), [TextItem(media=InputMedia(image=one)) for one in self._images(images)], **how)

    def caption_videos(
        self, videos: Sequence[Clip], *, sound: bool = False, main_frame: int | None = -1, **how: Unpack[TextHow]
    ) -> list[TextAnswer]:
        """Captions each video.

        Args:
            videos: from `read_video`.
            sound: whether the sounds of the videos are inputs as well.
            main_frame: index of the frame that is the main image; the others are the history. None: all are history.
            how: see `TextHow`.
        """
        asked = [TextItem(media=media) for media in self._videos(videos, sound, main_frame)]
        return self._texts(Caption(), asked, "caption.video", **how)

    def describe_tasks(self, videos: Sequence[Clip], **how: Unpack[TextHow]) -> list[TextAnswer]:
        """Infers the instruction of the robot in each video; the last frame is the main image."""
        return self._texts(DescribeTask(), [TextItem(media=one) for one in self._videos(videos, False, -1)], **how)

    def caption_sounds(self, sounds: Sequence[Sound], **how: Unpack[TextHow]) -> list[TextAnswer]:
        """Captions each sound; the Processor splits long ones into segments."""
        self._require_some("sounds", sounds)
        return self._texts(Caption(), [TextItem(media=InputMedia(audio=sound)) for sound in sounds], **how)

    def tag_videos(
        self,
        videos: Sequence[Clip],
        *,
        tags: Answers | None = None,
        sound: bool = False,
        main_frame: int | None = -1,
        **how: Unpack[TextHow],
    ) -> list[TextAnswer]:
        """Names the action in each video; with `tags`, one of these. Other arguments as in `caption_videos`."""
        media = self._videos(videos, sound, main_frame)
        choices = self._choices(tags, len(media))
        asked = [Tagged(media=one, choices=own) for one, own in zip(media, choices, strict=True)]
        return self._texts(Tag(), asked, "tag.video", **how)

    def tag_sounds(
        self, sounds: Sequence[Sound], *, tags: Answers | None = None, **how: Unpack[TextHow]
    ) -> list[TextAnswer]:
        """Names each sound; with `tags`, one of these."""
        choices = self._choices(tags, self._require_some("sounds", sounds))
        asked = [Tagged(media=InputMedia(audio=one), choices=own) for one, own in zip(sounds, choices, strict=True)]
        return self._texts(Tag(), asked, **how)

    def answer_questions(
        self,
        images: Sequence[Image],
        questions: Sequence[str],
        *,
        answers: Answers | None = None,
        **how: Unpack[TextHow],
    ) -> list[TextAnswer]:
        """Answers a question about each image in a few words; with `answers`, by one of these.

        The slot of a prompt is {question}.
        """
        seen = self._images(images)
        given = self._require_pairs("questions", questions, len(seen))
        choices = self._choices(answers, len(seen))
        asked = [
            Question(media=InputMedia(image=image), question=question, choices=own)
            for image, question, own in zip(seen, given, choices, strict=True)
        ]
        return self._texts(AnswerQuestion(), asked, **how)

    def classify_images(
        self,
        images: Sequence[Image],
        answers: Answers,
        *,
        reduction: Reduction = "sum",
        end_ids: EndIds = 1,
        prompt: Template | None = None,
    ) -> list[Choice]:
        """Chooses the category of each image by the loss of every given answer; arguments as in `choose`."""
        asked = [Category(media=InputMedia(image=image)) for image in self._images(images)]
        examples = [self._asked(Classify(), one, prompt) for one in asked]
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
            prompt: template with the slot {box}.
        """
        asked = [
            Category(media=InputMedia(image=image), box=box)
            for image, box in zip(self._images(images), self._boxes(boxes, len(images)), strict=True)
        ]
        examples = [self._asked(Classify(), one, prompt) for one in asked]
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
            examples: examples with complete prompts including the prefix.
            answers: the possible answers.
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
        family: TextFamily[T],
        asked: Sequence[T],
        group: str | None = None,
        *,
        prompt: Template | None = None,
        options: GenerationOptions = GREEDY,
        seeds: Seeds = 0,
    ) -> list[TextAnswer]:
        wording = self.prompts[group].draw() if prompt is None and group is not None else prompt
        examples = [self._asked(family, one, wording) for one in asked]
        return [self._text_answer(one) for one in self._answered(family, asked, examples, options, seeds)]

    def _choices(self, answers: Answers | None, count: int) -> Sequence[tuple[str, ...]]:
        """The possible answers of each example; empty for free text."""
        return [()] * count if answers is None else [tuple(own) for own in self._answers(answers, count)]

    def _videos(self, videos: Sequence[Clip], sound: bool, main_frame: int | None) -> list[InputMedia]:
        self._require_some("videos", videos)
        for index, video in enumerate(videos):
            if not isinstance(video, Clip):
                raise TaskError(f"videos[{index}]: expected a Clip, found {type(video).__name__}; read_video gives one")
        return [
            InputMedia(**(video if sound else replace(video, sounds=())).inputs(main_frame=main_frame, main_sound=-1))
            for video in videos
        ]
