"""Generation: `generate` and `stream` produce text, image and audio tokens; `score_answers` compares given answers.

caption = generate(model, batch, options=GenerationOptions(max_tokens=64, beam=Beam(width=4)))
vocabulary.decode(caption.tokens[0])

away = Guidance.encode(model, neutral_batch, scale=10.0)
sampled = GenerationOptions(sampling=Sampling(top_p=0.95))
image = generate(model, batch, "image", sampled, guidance=away, seeds=[7])
image.codes  # [1, 1024], one for each cell of the tokeniser's grid
"""

from embodio.model.example import NEUTRAL_PROMPTS
from embodio.model.generation.beam import Beam
from embodio.model.generation.constraints import (
    Constraint,
    ScoreRule,
    all_of,
    allow,
    allow_below,
    allow_by_step,
    prefer_range,
)
from embodio.model.generation.generator import (
    GREEDY,
    JAX_DEMONSTRATION,
    Generation,
    GenerationOptions,
    TokenStep,
    generate,
    stream,
)
from embodio.model.generation.guidance import Guidance
from embodio.model.generation.repetition import Repetition
from embodio.model.generation.sampling import Sampling
from embodio.model.generation.scoring import AnswerScores, score_answers

__all__ = [
    "GREEDY",
    "JAX_DEMONSTRATION",
    "NEUTRAL_PROMPTS",
    "AnswerScores",
    "Beam",
    "Constraint",
    "Generation",
    "GenerationOptions",
    "Guidance",
    "Repetition",
    "Sampling",
    "ScoreRule",
    "TokenStep",
    "all_of",
    "allow",
    "allow_below",
    "allow_by_step",
    "generate",
    "prefer_range",
    "score_answers",
    "stream",
]
