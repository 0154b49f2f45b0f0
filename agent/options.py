"""Options of an agent beyond its checkpoint: replanning, ensembling, sampling, guidance and precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from embodio.agent.errors import AgentError

MOST_GUIDANCE = 1000.0
Precision = Literal["float32", "bfloat16", "int8", "int8_weights"]


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Options of an agent. The defaults decode greedily, one chunk at a time, in float32.

    Attributes:
        replan: number of actions of a chunk played before the next is predicted (receding horizon), 1 to the chunk's
            length; None for half a chunk, or the whole plan of a policy of whole episodes.
        ensemble: average the predictions of several chunks for the same step, the i-th oldest with the weight
            exp(-ensemble * i); 0 weighs them equally; None plays the newest. Words and binary dimensions take the
            weighted vote; rotations of absolute poses are averaged as rotations, see `Ensemble`.
        temperature: 0 takes the best level; above 0 samples one, with the random numbers of the row's seed.
        guidance: scale of classifier-free guidance away from the neutral instruction; 0 is off.
        neutral: the neutral instruction of guidance.
        abstain_below: refuse to act when the legal mass (see `ActionResult.legal_mass`) is below this; None never
            refuses. An agent that refused forgets that step, and plans again at the next.
        precision: precision of the weights. "int8" quantises weights, and activations on the fly; "int8_weights" the
            weights only, which is more exact and slower.
        prepare: store float32 weights in the layout of CPU inference, see `embodio.model.prepare`. Large networks are
            faster, results differ by float32 rounding, and the given network is changed.
        compile: use torch.compile for the encoder; needs a C++ compiler.
        batch_rows: run rows of a vector environment in one batch where that gives the same bits as one by one.
    """

    replan: int | None = None
    ensemble: float | None = None
    temperature: float = 0.0
    guidance: float = 0.0
    neutral: str = ""
    abstain_below: float | None = None
    precision: Precision = "float32"
    prepare: bool = False
    compile: bool = False
    batch_rows: bool = True

    def __post_init__(self) -> None:
        for name in ("temperature", "guidance", "ensemble", "abstain_below"):
            value = getattr(self, name)
            absent = value is None and name in ("ensemble", "abstain_below")
            if not absent and not (_is_number(value) and math.isfinite(value) and value >= 0):
                raise AgentError(f"{name}: got {value!r}, expected a number of at least 0")
        if self.abstain_below is not None and self.abstain_below > 1:
            raise AgentError(f"abstain_below: got {self.abstain_below}, expected a probability from 0 to 1")
        if self.guidance > MOST_GUIDANCE:
            raise AgentError(f"guidance: got {self.guidance}, beyond {MOST_GUIDANCE:g} nothing is left of the policy")
        if not isinstance(self.neutral, str):
            raise AgentError(f"neutral: got {self.neutral!r}, expected text")
        if self.neutral and not self.guidance:
            raise AgentError("neutral, guidance: without guidance a neutral instruction does nothing; set guidance")
        if self.prepare and self.precision != "float32":
            raise AgentError(f"prepare: it is for float32 weights, but precision is {self.precision!r}; leave it out")
        if self.precision not in get_args(Precision):
            expected = ", ".join(get_args(Precision))
            raise AgentError(f"precision: got {self.precision!r}, expected one of {expected}")
        if self.replan is not None and not isinstance(self.replan, int):
            raise AgentError(f"replan: got {self.replan!r}, expected a whole number of actions")

    def replan_of(self, chunk: int, whole_episode: bool = False) -> int:
        """Number of actions played before planning again, for chunks of length `chunk`.

        Raises:
            AgentError: `replan` is out of range, or chunks do not overlap for an ensemble to average.
        """
        usual = chunk if whole_episode else max(1, chunk // 2)
        replan = usual if self.replan is None else self.replan
        if not 1 <= replan <= chunk:
            raise AgentError(f"replan: got {replan}, but a chunk of this policy holds {chunk} actions")
        if self.ensemble is not None and replan == chunk:
            raise AgentError(
                f"ensemble, replan: all {chunk} actions of a chunk are played before the next is predicted, leaving "
                "nothing to average; set replan below that, or leave ensemble out"
            )
        return replan


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
