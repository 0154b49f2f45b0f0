"""How the demonstration of the JAX code writes text."""

from embodio.model.generation.generator import GenerationOptions
from embodio.model.generation.repetition import Repetition
from embodio.model.generation.sampling import Sampling

JAX_DEMONSTRATION = GenerationOptions(
    sampling=Sampling(temperature=0.9, top_p=0.9, order="jax"), repetition=Repetition(penalty=1.5)
)
"""Temperature 0.9, top-p 0.9 and a repetition penalty of 1.5. The PyTorch port has settings per task instead."""
