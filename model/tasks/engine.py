"""The engine of all tasks: checks requests, forms batches of bounded size, and generates text and codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from embodio.model.example import Example, Image
from embodio.model.generation import (
    GREEDY,
    NEUTRAL_PROMPTS,
    Constraint,
    GenerationOptions,
    Guidance,
    all_of,
    allow_below,
    generate,
    score_answers,
)
from embodio.model.generation.long_audio import generate_long_audio
from embodio.model.generation.sampling import row_seeds
from embodio.model.generation.scoring import EndIds, Reduction
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Processor
from embodio.model.processing.recordings import with_sounds_read
from embodio.model.tasks.base.family import A, Family, Output, with_answer
from embodio.model.tasks.base.requests import box_of, require_able, require_options, require_request, sampled
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.families import family_named
from embodio.model.tasks.grammar import ChoiceRule, by_row, location_rule
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts import Filling, Prompts, Template, fill
from embodio.model.tasks.results import TextAnswer
from embodio.model.tokenizers.files import shipped_vocoder
from embodio.model.tokenizers.vocoder import Vocoder
from embodio.model.tokens.vocabulary import Prompt, Vocabulary

Floats = npt.NDArray[np.float32]
Seeds = int | Sequence[int]
Item = TypeVar("Item")

Answers = Sequence[str] | Sequence[Sequence[str]]
"""Possible answers, shared by all examples or listed for each."""


@dataclass(frozen=True)
class Written:
    """Token ids that one row wrote, up to the end of sequence, and their log-probability in nats."""

    ids: tuple[int, ...]
    log_probability: float


class Engine:
    """The network, its vocabulary, and the operations that tasks are built on.

    Requests are computed `rows_at_once` at a time. A row's answer depends only on its own inputs and seed, not on other
    rows.
    """

    def __init__(
        self,
        model: UnifiedIO2,
        vocabulary: Vocabulary,
        *,
        prompts: Prompts | None = None,
        vocoder: Vocoder | None = None,
        constrained: bool = True,
        rows_at_once: int = 16,
    ) -> None:
        """Makes a runner of tasks.

        Args:
            model: the network, in eval mode; with its tokenisers for tasks that draw or make sound.
            vocabulary: the vocabulary that the model was trained with.
            prompts: the wordings of the tasks; by default those of the package.
            vocoder: converts spectrograms to sound, on the model's device; None takes the one that ships for the
                model's audio tokeniser, if one does, and Griffin-Lim for other models.
            constrained: constrain answers to the format of their task, where one is defined.
            rows_at_once: largest number of examples in one batch.

        Raises:
            ProcessorError: the vocabulary does not fit the model.
            TaskError: `rows_at_once` is below 1.
        """
        if rows_at_once < 1:
            raise TaskError(f"rows_at_once is {rows_at_once}; a batch has at least one example")
        self.model, self.vocabulary = model, vocabulary
        if vocoder is None and "audio" in model.tokenizers:
            vocoder = shipped_vocoder(model.tokenizers["audio"])
        self.vocoder = None if vocoder is None else vocoder.to(model.table("text").device)
        self.processor = Processor(model.config, vocabulary)
        self.task_codec = TaskCodec.of(model.config, vocabulary)
        self.codec = self.task_codec.locations
        self.prompts = Prompts() if prompts is None else prompts
        self.constrained, self.rows_at_once = constrained, rows_at_once

    # ------------------------------------------------------------------ any family

    def run(
        self,
        family: str | Family[A],
        asked: Sequence[A],
        *,
        wording: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
        threshold: float | None = None,
        guidance: float = 0.0,
    ) -> list[A | AnswerError]:
        """Answers annotations in the wording and format in which the family is trained.

        Args:
            family: name or instance of a family.
            asked: annotations without answers.
            wording: replaces the family's own wording; has the same slots.
            options: how to choose tokens or codes; by default greedy for text, otherwise as in the paper.
            seeds: seeds of sampling, one for each annotation, or s for s, s + 1, ...
            threshold: probability of a further value above which more locations are written; None for no such rule.
            guidance: scale of classifier-free guidance for images and sounds, 0 for none.

        Returns:
            The annotations with their answers; an `AnswerError` in place of one that cannot be read. A family with
            `scored` also says how likely each choice is.

        Raises:
            TaskError: nothing is given, an annotation has a field of a wrong type or lacks the image or sound that it
                is about, the prompt is too long, or the model cannot generate the family's modality.
            PromptError: the slots of the wording are wrong.
        """
        kind = family_named(family) if isinstance(family, str) else family
        if not isinstance(kind, Family):
            raise TaskError(f"family: expected the name or an instance of a family, found {type(kind).__name__}")
        self._require_some("asked", asked)
        examples = [self._asked(kind, one, wording) for one in asked]
        written: Sequence[Output]
        if kind.modality == "text":
            texts = self._answered(kind, asked, examples, GREEDY if options is None else options, seeds, threshold)
            written = [one.ids for one in texts]
        elif kind.modality == "image":
            written = self._draw(examples, sampled(options, kind.top_p), seeds, guidance)
        else:
            made = self._sound_out(examples, 1, sampled(options, kind.top_p), seeds, guidance)
            written = [sound[0, :, :, 0].float().cpu().numpy() for sound in made]
        answers = [kind.read(one, own, self.task_codec) for one, own in zip(written, asked, strict=True)]
        return self._scored(kind, asked, examples, answers) if kind.scored else answers

    def _scored(
        self, family: Family[A], asked: Sequence[A], examples: Sequence[Example], answers: list[A | AnswerError]
    ) -> list[A | AnswerError]:
        """The answers with the log-probability of each of their choices, where there are choices."""
        choices = [family.choices(one) for one in asked]
        if not any(choices):
            return answers
        found: list[A | AnswerError] = []
        for one, own, loss in zip(answers, choices, self._score(examples, choices, "sum", 1), strict=True):
            scores = dict(zip(own, (-loss).tolist(), strict=True))
            found.append(one if isinstance(one, AnswerError) else with_answer(one, scores=scores))
        return found

    def _answered(
        self,
        family: Family[A],
        asked: Sequence[A],
        examples: Sequence[Example],
        options: GenerationOptions,
        seeds: Seeds,
        threshold: float | None = None,
    ) -> list[Written]:
        """Text answers in the format of the family, or one of the choices of each annotation."""
        usual = family.longest(asked, self.task_codec) if self.constrained else None
        longest = self._longest(options, usual or family.tokens)
        form = family.form(asked, self.task_codec, longest)
        if isinstance(form, Sequence):
            form = by_row(form, self.vocabulary.size)
        choices = [family.choices(one) for one in asked]
        if any(choices):
            rules = [self._choice_rule(own) for own in self._answers(choices, len(asked))]
            longest = self._longest(options, max(rule.longest for rule in rules))
            chosen = by_row(rules, self.vocabulary.size)
            # Not part of `form`, as choices also constrain a runner with constrained=False.
            own = options.constraint
            options = replace(options, constraint=chosen if own is None else all_of(chosen, own))
        return self._write(examples, options, seeds, longest, form, threshold)

    def _ask(
        self, family: Family[A], asked: Sequence[A], *, prompt: Template | None = None, **how: Any
    ) -> list[A | AnswerError]:
        """`run`, with the wording named `prompt` as in the verbs."""
        return self.run(family, asked, wording=prompt, **how)

    def _asked(self, family: Family[A], annotation: A, wording: Template | None) -> Example:
        """The example of an annotation without its answer.

        Raises:
            TaskError: the annotation has a field of a wrong type or lacks a medium, or its prompt is too long.
        """
        require_request(family, annotation)
        group = f"{family.name}.{family.group(annotation)}"
        template = self.prompts[group].draw() if wording is None else wording
        example = family.write(annotation, template, self.task_codec, answered=False)
        self._require_short(example.text)
        return example

    def _require_short(self, prompt: Prompt) -> None:
        length, capacity = len(self.vocabulary.encode(prompt)), self.model.config.lengths.encoder_text - 1
        if length > capacity:
            raise TaskError(
                f"prompt: {length} tokens, but the model reads {capacity}; shorten it or what fills its slots"
            )

    # ------------------------------------------------------------------ any example

    def answer(
        self, examples: Sequence[Example], *, options: GenerationOptions = GREEDY, seeds: Seeds = 0
    ) -> list[TextAnswer]:
        """Generates text for any examples, for tasks without a method of their own.

        Args:
            examples: examples with complete prompts including the prefix, see `prompt_of`.
            options: how to choose tokens; by default up to the longest text target.
            seeds: seeds of sampling, one for each example, or s for s, s + 1, ...
        """
        self._require_some("examples", examples)
        written = self._write(examples, options, seeds, self._longest(options, None))
        return [self._text_answer(one) for one in written]

    def prompt_of(self, template: Template, modality: str = "text", **slots: Filling) -> list[str | int]:
        """The prefix of the modality to generate, and the template with its slots filled.

        Raises:
            PromptError: the slots given are not those of the template.
            TaskError: the prompt is longer than the model reads.
        """
        prompt = [self.vocabulary.prefix_id(modality), *fill(template, **slots)]
        self._require_short(prompt)
        return prompt

    # ------------------------------------------------------------------ text

    def _text_answer(self, written: Written) -> TextAnswer:
        return TextAnswer(parse_text(self.codec, written.ids), written.log_probability)

    def _longest(self, options: GenerationOptions, usual: int | None) -> int:
        """The token limit of an answer: from the options, the task's default, or the model's limit."""
        possible = self.model.config.lengths.decoder_text
        require_options(options)
        return options.max_tokens or min(usual or possible, possible)

    def _write(
        self,
        examples: Sequence[Example],
        options: GenerationOptions,
        seeds: Seeds,
        longest: int,
        form: Constraint | None = None,
        threshold: float | None = None,
    ) -> list[Written]:
        """Generates text; `form` is the task's constraint over all rows, `threshold` that of the location rule."""
        require_able(self.model, "text")
        form = form if self.constrained else None
        legal = [allow_below(self.vocabulary.size), form, options.constraint]
        constraint = all_of(*(one for one in legal if one is not None))
        written: list[Written] = []
        for start, part, own in self._parts(examples, seeds):
            shifted = _shift(constraint, start)
            rules = options.rules
            if threshold is not None:
                rules += (location_rule(self.vocabulary, threshold, None if form is None else _shift(form, start)),)
            chosen = replace(options, max_tokens=longest, constraint=shifted, rules=rules)
            made = generate(self.model, self._batch(part, own), "text", chosen, seeds=own)
            rows = zip(made.tokens.tolist(), made.lengths.tolist(), made.log_probability.tolist(), strict=True)
            written += [Written(tuple(ids[:length]), log_probability) for ids, length, log_probability in rows]
        return written

    def _score(
        self, examples: Sequence[Example], answers: Sequence[Sequence[str]], reduction: Reduction, end_ids: EndIds
    ) -> list[Floats]:
        """Losses float32 [K] of the answers to each example."""
        require_able(self.model, "text")
        losses: list[Floats] = []
        ids = [[self.vocabulary.encode(answer) for answer in own] for own in answers]
        for start, part, own in self._parts(examples, 0):
            options, batch = ids[start : start + len(part)], self._batch(part, own)
            found = score_answers(self.model, batch, options, reduction=reduction, end_ids=end_ids).losses
            rows = found.float().cpu().numpy()
            losses += [row[: len(ids[start + index])].copy() for index, row in enumerate(rows)]
        return losses

    def _choice_rule(self, answers: Sequence[str]) -> ChoiceRule:
        return ChoiceRule(tuple(tuple(self.vocabulary.encode(answer)) for answer in answers))

    def _answers(self, answers: Answers, count: int) -> list[list[str]]:
        """The answers of each example."""
        self._require_some("answers", answers)
        shared = [answer for answer in answers if isinstance(answer, str)]
        if shared and len(shared) != len(answers):
            raise TaskError("answers: some are texts and some are lists; give texts, or a list for each example")
        own = [shared] * count if shared else self._require_pairs("answers", answers, count)
        for row, texts in enumerate(own):
            listed = isinstance(texts, tuple | list) and bool(texts)
            if not listed or not all(isinstance(text, str) and text.strip() for text in texts):
                raise TaskError(f"answers[{row}]: expected at least one text, none of them empty, found {texts!r:.80}")
        return [list(texts) for texts in own]

    # ------------------------------------------------------------------ images and sound

    def _draw(
        self, examples: Sequence[Example], options: GenerationOptions, seeds: Seeds, guidance: float = 0.0
    ) -> list[Floats]:
        """Generates images; float32 [H, W, 3] in [0, 1] of the tokeniser's size."""
        require_able(self.model, "image")
        away = self._guidance("image", guidance)
        drawn: list[Floats] = []
        for _, part, own in self._parts(examples, seeds):
            made = generate(self.model, self._batch(part, own), "image", options, guidance=away, seeds=own)
            drawn += list(self.model.render(made.tokens, "image").float().cpu().numpy())
        return drawn

    def _sound_out(
        self, examples: Sequence[Example], segments: int, options: GenerationOptions, seeds: Seeds, guidance: float
    ) -> list[Tensor]:
        """Generates sound; joined normalised log-mel spectrograms [1, T, M, 1] of all segments."""
        require_able(self.model, "audio")
        away = self._guidance("audio", guidance)
        made: list[Tensor] = []
        for _, part, own in self._parts(examples, seeds):
            sound = generate_long_audio(
                self.model, self.processor, part, segments, options, guidance=away, seeds=own
            ).spectrograms
            made += list(sound.split(1))
        return made

    def _guidance(self, modality: str, scale: float) -> Guidance | None:
        """The neutral prompt, encoded once per request."""
        if not scale:
            return None
        neutral = Example(text=self.prompt_of([NEUTRAL_PROMPTS[modality]], modality))
        return Guidance.encode(self.model, self._batch([neutral], [0]), scale)

    # ------------------------------------------------------------------ batches and checks

    def _parts(self, examples: Sequence[Example], seeds: Seeds) -> list[tuple[int, Sequence[Example], list[int]]]:
        """The first row, the examples and the seeds of each batch."""
        numbers = row_seeds(seeds, len(examples))
        for index, example in enumerate(examples):
            if not isinstance(example, Example):
                raise TaskError(f"examples[{index}]: expected an Example, found {type(example).__name__}")
        examples = [with_sounds_read(example) for example in examples]
        starts = range(0, len(examples), self.rows_at_once)
        ends = [start + self.rows_at_once for start in starts]
        return [(start, examples[start:end], numbers[start:end]) for start, end in zip(starts, ends, strict=True)]

    def _batch(self, examples: Sequence[Example], seeds: Sequence[int]) -> Mapping[str, Tensor]:
        features = [
            self.processor(example, np.random.default_rng(abs(seed)))
            for example, seed in zip(examples, seeds, strict=True)
        ]
        device = self.model.table("text").device
        return {key: value.to(device) for key, value in collate(features).items()}

    def _require_some(self, name: str, given: Sequence[object]) -> int:
        """Checks that an input is a non-empty list; returns its length."""
        single = isinstance(given, (str, bytes, Mapping)) or (isinstance(given, np.ndarray) and given.ndim < 2)
        if single or not hasattr(given, "__len__"):
            raise TaskError(f"{name}: expected a list with one entry for each answer, found {type(given).__name__}")
        if not len(given):
            raise TaskError(f"{name}: there is nothing to do; give at least one")
        return len(given)

    def _require_pairs(self, name: str, given: Sequence[Item], count: int) -> Sequence[Item]:
        """Checks that a further input has `count` entries."""
        if self._require_some(name, given) != count:
            raise TaskError(f"{name}: {len(given)} entries for {count} examples; give one for each")
        return given

    def _images(self, images: Sequence[Image]) -> Sequence[Image]:
        """Checks that the input is a non-empty list of images."""
        self._require_some("images", images)
        for index, image in enumerate(images):
            self.task_codec.fit(image, f"images[{index}]")
        return images

    def _boxes(self, boxes: Sequence[npt.ArrayLike], count: int) -> list[Floats]:
        """Checks one box (y1, x1, y2, x2) for each image; float32 [4] each."""
        given = self._require_pairs("boxes", boxes, count)
        return [box_of(f"boxes[{index}]", box) for index, box in enumerate(given)]


def _shift(constraint: Constraint, start: int) -> Constraint:
    """The constraint with row numbers offset by `start`."""
    return lambda tokens, rows: constraint(tokens, rows + start)
