"""Written configurations: those of earlier versions mean what they meant, and nothing else may be absent."""

import dataclasses
import json
from pathlib import Path

import pytest

from embodio.model import ConfigError, ModelConfig
from embodio.model.weights.reference_config import to_reference_config

CHECKPOINTS = Path(__file__).parents[3] / "agent" / "checkpoints"
BEFORE = {
    "logits_dtype": "parameter",
    "image_target_scale": 1.0,
    "code_dropout": 0.0,
    "absent_rows": "computed",
    "sparse_decoding": False,
    "dynamic_masking": False,
}


def test_a_config_without_the_later_fields_keeps_the_behaviour_of_its_time() -> None:
    data = ModelConfig.named("large").to_dict()
    for name in BEFORE:
        del data[name]
    config = ModelConfig.from_dict(json.loads(json.dumps(data)))
    assert {name: getattr(config, name) for name in BEFORE} == BEFORE
    assert config.replace(logits_dtype="float32") == ModelConfig.named("large")


def test_no_other_field_may_be_absent() -> None:
    data = ModelConfig.named("nano").to_dict()
    for name in data.keys() - BEFORE.keys():
        with pytest.raises(ConfigError, match=name):
            ModelConfig.from_dict({key: value for key, value in data.items() if key != name})


@pytest.mark.parametrize("folder", sorted(CHECKPOINTS.iterdir()), ids=lambda folder: folder.name)
def test_shipped_configs_are_read(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = ModelConfig.from_dict(data)
    for name, value in BEFORE.items():
        assert getattr(config, name) == data.get(name, value)


def test_later_fields_are_written() -> None:
    config = ModelConfig.named("nano").paper_mode()
    data = config.to_dict()
    assert data["sparse_decoding"] is True and data["dynamic_masking"] is True
    assert ModelConfig.from_dict(data) == config
    assert data.keys() == {item.name for item in dataclasses.fields(config)}


def test_what_the_reference_does_not_know_cannot_be_written_for_it() -> None:
    assert to_reference_config(ModelConfig.named("large"))
    with pytest.raises(ConfigError, match="sparse_decoding"):
        to_reference_config(ModelConfig.named("large").paper_mode())
    with pytest.raises(ConfigError, match="knows no image_target_scale"):
        to_reference_config(ModelConfig.named("large").replace(image_target_scale=0.5))


FORMER = {"empty_text_target": "masked", "stacked_images": "refused", "initialisation": "jax"}


def test_former_switches_are_read_with_the_only_value_that_is_left() -> None:
    config = ModelConfig.named("nano")
    data = config.to_dict() | FORMER
    data["transformer"]["dropout_form"] = "broadcast"
    assert ModelConfig.from_dict(data) == config
    for name in FORMER:
        with pytest.raises(ConfigError, match=name):
            ModelConfig.from_dict(data | {name: "port"})
    with pytest.raises(ConfigError, match=r"config.transformer.*dropout_form"):
        ModelConfig.from_dict(data | {"transformer": data["transformer"] | {"dropout_form": "elementwise"}})
