"""Generation of text, image codes and audio codes: encodes once, then decodes until every row has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import DecodingError
from embodio.model.generation.beam import Beam, beam_search
from embodio.model.generation.constraints import Constraint, ScoreRule
from embodio.model.generation.guidance import Guidance
from embodio.model.generation.guided_decoder import GuidedDecoder
from embodio.model.generation.pipeline import ScorePipeline
from embodio.model.generation.repetition import Repetition
from embodio.model.generation.sampling import Sampling, draw, row_noise, row_seeds
from embodio.model.inference.decoding import decodable
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import CODE_OFFSET, START_ID
from embodio.model.tokens.vocabulary import EOS_ID


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """Options of generation; greedy by default.

    Scores pass through guidance, repetition control, rules and constraints, in this order.

    Attributes:
        max_tokens: largest number of tokens per row, including the end of text; by default the longest target of the
            modality, a whole image or audio segment.
        sampling: sample tokens.
        beam: beam search instead; not together with `sampling`.
        repetition: discourage or forbid repetitions.
        rules: preferences, see `ScoreRule`.
        constraint: legal ids, see `Constraint`.
        codes_only: in images and audio, only ids of codes are legal: not the start id, the reserved id 1 or the unused
            rows at the end of the table. Text is masked by `constraint` only.
    """

    max_tokens: int | None = None
    sampling: Sampling | None = None
    beam: Beam | None = None
    repetition: Repetition | None = None
    rules: tuple[ScoreRule, ...] = ()
    constraint: Constraint | None = None
    codes_only: bool = True

    def __post_init__(self) -> None:
        if self.sampling is not None and self.beam is not None:
            raise DecodingError("give either sampling or a beam; a beam search draws nothing by chance")


GREEDY = GenerationOptions()
"""The most probable token at every step."""


@dataclass(frozen=True)
class Generation:
    """The results of B examples.

    Attributes:
        modality: text, image or audio.
        tokens: int64 [B, T], without the start id. Text ends with the end id, if it fits, and is padded with 0.
        lengths: int64 [B], tokens of each row, including the end id.
        log_probability: float32 [B], of all tokens, according to the network with guidance before any other stage; for
            beams, the maximised score.
    """

    modality: str
    tokens: Tensor
    lengths: Tensor
    log_probability: Tensor

    @property
    def codes(self) -> Tensor:
        """Codebook indices int64 [B, T] of an image or audio, in the order of the ids.

        Raises:
            DecodingError: these are text tokens.
        """
        if self.modality == "text":
            raise DecodingError("text has no codes; decode its tokens with the vocabulary")
        return self.tokens - CODE_OFFSET


@dataclass(frozen=True)
class TokenStep:
    """One step of `stream`.

    Attributes:
        tokens: int64 [B], the new token of each row; 0 in rows that ended before.
        active: bool [B], rows with a new token; a row is still active in the step of its end id.
        log_probability: float32 [B], of the new token, see `Generation`; 0 in rows that have ended.
    """

    tokens: Tensor
    active: Tensor
    log_probability: Tensor


@torch.no_grad()
def generate(
    model: UnifiedIO2,
    inputs: Mapping[str, Tensor] | TokenSequence,
    modality: str = "text",
    options: GenerationOptions = GREEDY,
    *,
    guidance: Guidance | None = None,
    seeds: int | Sequence[int] = 0,
    task_mask: Tensor | None = None,
) -> Generation:
    """Generate one target for every example.

    Args:
        model: the network, in eval mode.
        inputs: a batch of B examples, or its encoding by `model.encode`.
        modality: text, image or audio; a target of the model.
        options: how to choose tokens.
        guidance: classifier-free guidance away from a neutral prompt.
        seeds: seeds of sampling; one for each row, or one number s for s, s + 1, ... A row's result depends only on its
            seed and inputs.
        task_mask: [B, L], 1 for codes that are hidden in the inputs, L the longest target of the modality; used only by
            a model with `ModelConfig.dynamic_masking`.

    Raises:
        BatchError: the batch does not fit the model, or the model has no such target.
        DecodingError: the options contradict each other or the model, `task_mask` has another shape, or a constraint
            leaves no legal id.
    """
    if options.beam is None:
        steps = list(stream(model, inputs, modality, options, guidance=guidance, seeds=seeds, task_mask=task_mask))
        lengths = torch.stack([step.active for step in steps]).sum(dim=0)
        log_probability = torch.stack([step.log_probability for step in steps]).sum(dim=0)
        return Generation(modality, torch.stack([step.tokens for step in steps], dim=1), lengths, log_probability)
    request = _Request.of(model, inputs, modality, options, task_mask)
    decoder = request.decoder(guidance, options.beam.width)
    finished = beam_search(decoder, request.rows, request.max_tokens, options.beam, request.pipeline, request.end_id)
    tokens, lengths, log_probability = finished.best()
    return Generation(modality, tokens[:, : int(lengths.max())], lengths, log_probability)


def stream(
    model: UnifiedIO2,
    inputs: Mapping[str, Tensor] | TokenSequence,
    modality: str = "text",
    options: GenerationOptions = GREEDY,
    *,
    guidance: Guidance | None = None,
    seeds: int | Sequence[int] = 0,
    task_mask: Tensor | None = None,
) -> Iterator[TokenStep]:
    """Yield one `TokenStep` per step until every row has ended; arguments as in `generate`.

    Arguments are checked and inputs encoded immediately, before the first step.

    Raises:
        BatchError: see `generate`.
        DecodingError: see `generate`; also for a beam search, which has no tokens before its end.
    """
    if options.beam is not None:
        raise DecodingError("a beam search cannot be streamed, as a later token may change earlier ones; use generate")
    request = _Request.of(model, inputs, modality, options, task_mask)
    noise = None
    if options.sampling is not None:
        # Always numbers for the longest target, so that max_tokens does not change the samples.
        longest = decodable(model, modality).max_length
        noise = row_noise(row_seeds(seeds, request.rows), longest).to(request.encoded.embeddings.device)
    return _steps(request, request.decoder(guidance), options.sampling, noise)


@dataclass(frozen=True)
class _Request:
    """Checked arguments: an encoded batch of `rows` examples and the score pipeline."""

    model: UnifiedIO2
    encoded: TokenSequence
    modality: str
    rows: int
    max_tokens: int
    pipeline: ScorePipeline
    task_mask: Tensor | None

    @property
    def end_id(self) -> int | None:
        """The id that ends a row; images and audio end at their fixed length."""
        return EOS_ID if self.modality == "text" else None

    @classmethod
    def of(
        cls,
        model: UnifiedIO2,
        inputs: Mapping[str, Tensor] | TokenSequence,
        modality: str,
        options: GenerationOptions,
        task_mask: Tensor | None,
    ) -> _Request:
        target = decodable(model, modality)
        max_tokens = target.max_length if options.max_tokens is None else options.max_tokens
        with torch.no_grad():
            encoded = inputs if isinstance(inputs, TokenSequence) else model.encode(inputs)
        legal = None
        if modality != "text" and options.codes_only:
            legal = _code_mask(model, modality)
        pipeline = ScorePipeline(legal, options.repetition, options.rules, options.constraint)
        rows = encoded.embeddings.shape[0]
        if task_mask is not None:
            if task_mask.shape != (rows, target.max_length):
                raise DecodingError(
                    f"task_mask has the shape {tuple(task_mask.shape)}; {rows} examples of {target.max_length} codes "
                    "were expected"
                )
            task_mask = task_mask[:, :max_tokens]
        return cls(model, encoded, modality, rows, max_tokens, pipeline, task_mask)

    def decoder(self, guidance: Guidance | None, copies: int = 1) -> GuidedDecoder:
        return GuidedDecoder(
            self.model, self.encoded, self.modality, self.max_tokens, guidance, copies, task_mask=self.task_mask
        )


def _code_mask(model: UnifiedIO2, modality: str) -> Tensor:
    """Bool [1, V], True at the ids of codes."""
    tokenizer = model.config.image_tokenizer if modality == "image" else model.config.audio_tokenizer
    if tokenizer is None:
        raise DecodingError(f"the model's config has no {modality}_tokenizer, so the number of its codes is not known")
    table = model.table(modality)
    ids = torch.arange(table.shape[0], device=table.device)
    return ((ids >= CODE_OFFSET) & (ids < CODE_OFFSET + tokenizer.num_codes)).unsqueeze(0)


def _steps(
    request: _Request, decoder: GuidedDecoder, sampling: Sampling | None, noise: Tensor | None
) -> Iterator[TokenStep]:
    """Feed and choose tokens; finished rows are dropped from the decoder once they are half of its rows."""
    device = decoder.device
    history = torch.full((request.rows, request.max_tokens + 1), START_ID, dtype=torch.int64, device=device)
    held = torch.arange(request.rows, device=device)
    alive = torch.ones(request.rows, dtype=torch.bool, device=device)
    for step in range(request.max_tokens):
        active = alive[held]
        if 2 * int(active.sum()) <= len(held):
            places = active.nonzero().flatten()
            decoder.keep(places)
            held, active = held[places], active[places]
        scores = decoder.step(history[held, step])
        rows = held
        if not active.all():
            scores, rows = scores[active], held[active]
        processed = request.pipeline(scores, history[rows, : step + 1], rows)
        if sampling is None or noise is None:
            chosen = processed.argmax(dim=-1)
        else:
            chosen = draw(sampling.restrict(processed), noise[rows, step])
        history[rows, step + 1] = chosen
        log_probability = torch.zeros(request.rows, device=device)
        log_probability[rows] = scores.log_softmax(dim=-1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        yield TokenStep(history[:, step + 1].clone(), alive.clone(), log_probability)
        if request.end_id is not None:
            alive[rows] = chosen != request.end_id
            if not alive.any():
                return


JAX_DEMONSTRATION = GenerationOptions(
    sampling=Sampling(temperature=0.9, top_p=0.9, order="jax"), repetition=Repetition(penalty=1.5)
)
"""Temperature 0.9, top-p 0.9 and a repetition penalty of 1.5. The PyTorch port has settings per task instead."""
