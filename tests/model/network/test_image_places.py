"""A place in a drawn image has the rotary coordinates of the same place among the inputs, but for a constant."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from embodio.model.config.model import ModelConfig
from embodio.model.layers.rotary import grid_rotary
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import CodeTarget


@pytest.mark.parametrize("name", ["large", "nano_generalist"])
def test_codes_lie_where_their_pixels_lie_among_the_inputs(name: str) -> None:
    config = ModelConfig.named(name)
    assert config.image_tokenizer is not None
    with torch.device("meta"):
        target = cast(CodeTarget, UnifiedIO2(config).target("image"))
    (rows, columns), (codes, _) = config.patch_grids["image"], target.grid
    places = target.rotary(torch.device("cpu")).reshape(*target.grid, -1)
    patches = grid_rotary(
        rows, columns, config.transformer.head_dim, config.lengths.input_coordinate_scale, torch.device("cpu")
    ).reshape(rows, columns, -1)
    for patch in range(rows):  # the first code of each patch, down and across
        code = patch * codes / rows
        if code == int(code):
            torch.testing.assert_close(places[int(code), int(code)], patches[patch, patch], atol=1e-4, rtol=0)
