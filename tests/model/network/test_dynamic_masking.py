"""Dynamic masking in training: every hidden token is changed in turn, and only the position after it may react."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from embodio.model import UnifiedIO2
from tests.support.model.small import CONFIG

SAME = 1e-5
ROWS = {"unpacked": None, "packed": [0, 0, 1, 0]}
EXAMPLE = 1
"""The example whose tokens are changed: in the middle of a packed row."""


def network(sparse: bool) -> UnifiedIO2:
    torch.manual_seed(0)
    config = CONFIG.replace(dynamic_masking=True, sparse_decoding=sparse)
    model = UnifiedIO2(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    return model


def batch(rows: list[int] | None) -> dict[str, Tensor]:
    """Four examples that write text, an image and a sound, half of the codes hidden, some text answers shorter."""
    rng = torch.Generator().manual_seed(4)
    made = {
        "inputs/text/tokens": torch.randint(3, 500, (4, 6), generator=rng),
        "targets/text/targets": torch.randint(3, 500, (4, 8), generator=rng),
        "targets/text/mask": (torch.arange(8) < torch.tensor([8, 7, 8, 3])[:, None]).int(),
    }
    for name, length in (("image", 64), ("audio", 8)):
        made[f"targets/{name}/tokens"] = torch.randint(2, 42, (4, length), generator=rng)
        made[f"targets/{name}/task_mask"] = (torch.rand(4, length, generator=rng) < 0.5).int()
    return made if rows is None else made | {"packing/rows": torch.tensor(rows)}


def reacting(model: UnifiedIO2, given: dict[str, Tensor], name: str, position: int) -> set[tuple[str, int, int]]:
    """Target, example and position of all logits that change with the token at one position of the example."""
    key = f"targets/{name}/{'targets' if name == 'text' else 'tokens'}"
    changed = given[key].clone()
    changed[EXAMPLE, position] = 2 + (changed[EXAMPLE, position] + 5) % 40
    found = set()
    with torch.no_grad():
        before, after = model(given), model(given | {key: changed})
    for target, output in before.items():
        moved = (output.logits - after[target].logits).abs().amax(dim=-1) > SAME
        found |= {(target, int(example), int(place)) for example, place in moved.nonzero()}
    return found


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rows", list(ROWS))
def test_a_hidden_code_reaches_the_position_that_it_is_fed_to_and_no_other(rows: str, sparse: bool) -> None:
    model, given = network(sparse), batch(ROWS[rows])
    for name in ("image", "audio"):
        hidden = given[f"targets/{name}/task_mask"][EXAMPLE]
        last = len(hidden) - 1
        for position in range(len(hidden)):
            found = reacting(model, given, name, position)
            if hidden[position]:
                assert found == ({(name, EXAMPLE, position + 1)} if position < last else set())
            else:
                assert all(item[:2] == (name, EXAMPLE) and item[2] > position for item in found)


@pytest.mark.parametrize("rows", list(ROWS))
def test_a_token_of_text_reaches_the_positions_after_it_and_no_other_target(rows: str) -> None:
    """All that a text target holds was hidden from the encoder, so it is written as any text is: one after another."""
    model, given = network(True), batch(ROWS[rows])
    length = int(given["targets/text/mask"][EXAMPLE].sum())
    for position in range(length):
        wanted = {("text", EXAMPLE, later) for later in range(position + 1, length)}
        found = reacting(model, given, "text", position)
        assert {item for item in found if item[2] < length or item[0] != "text"} == wanted


@pytest.mark.parametrize("rows", list(ROWS))
def test_what_a_position_may_see_of_visible_codes_is_what_it_sees_without_the_mask(rows: str) -> None:
    """The position after a hidden code is alone with it; a position between visible codes sees all visible ones."""
    model, given = network(False), batch(ROWS[rows])
    hidden = given["targets/image/task_mask"][EXAMPLE].bool()
    first = next(place for place in range(64) if not hidden[place])
    listening = {place for _, _, place in reacting(model, given, "image", first)}
    fed_visible = {place for place in range(first + 1, 64) if not hidden[place - 1]}
    assert listening == fed_visible
