"""The description of a robot survives JSON, is read strictly, and says how it differs from another."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

from embodio.envs import (
    ActionSpec,
    Camera,
    Difference,
    Dimension,
    Embodiment,
    EmbodimentError,
    EmbodimentMismatch,
    Microphone,
    embodiment_of,
)


@pytest.fixture
def embodiment() -> Embodiment:
    return embodiment_of("robosuite/lift")


def with_wrist_height(embodiment: Embodiment, height: int) -> Embodiment:
    cameras = tuple(
        dataclasses.replace(camera, height=height) if camera.name == "wrist" else camera
        for camera in embodiment.cameras
    )
    return dataclasses.replace(embodiment, cameras=cameras)


def test_panda_is_described_completely(embodiment):
    assert embodiment.control_hz == 20.0
    assert [dimension.name for dimension in embodiment.action.dimensions][-1] == "gripper"
    assert len(embodiment.action.dimensions) == 7
    assert len(embodiment.state) == 9
    assert embodiment.action.mode == "delta"
    assert embodiment.action.gripper == "closed_is_high"
    assert embodiment.action.dimensions[-1].kind == "binary"
    assert [camera.name for camera in embodiment.cameras] == ["agentview", "wrist"]


def test_dict_round_trip_passes_through_json(embodiment):
    for original in (embodiment, dataclasses.replace(embodiment, microphone=Microphone(16000, 1))):
        assert Embodiment.from_dict(json.loads(json.dumps(original.to_dict()))) == original


def test_file_round_trip(embodiment, tmp_path):
    embodiment.save(tmp_path / "embodiment.json")
    assert Embodiment.load(tmp_path / "embodiment.json") == embodiment


@pytest.mark.parametrize(
    ("text", "message"), [("{", "cannot read"), ("[]", "expected an object"), (None, "cannot read")]
)
def test_load_names_the_file_that_is_no_embodiment(tmp_path, text, message):
    path = tmp_path / "embodiment.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EmbodimentError, match=message):
        Embodiment.load(path)


def _remove_control_hz(data):
    del data["control_hz"]


def _add_colour(data):
    data["action"]["colour"] = "red"


def _frame_is_number(data):
    data["action"]["frame"] = 3


def _mode_is_unknown(data):
    data["action"]["mode"] = "sideways"


def _height_is_fraction(data):
    data["cameras"][1]["height"] = 1.5


def _control_is_bool(data):
    data["control_hz"] = True


def _cameras_is_object(data):
    data["cameras"] = {}


def _second_dimension_misses_unit(data):
    del data["action"]["dimensions"][1]["unit"]


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (_remove_control_hz, r"embodiment\.control_hz is missing"),
        (_add_colour, r"embodiment\.action\.colour is not a known field"),
        (_frame_is_number, r"embodiment\.action\.frame"),
        (_mode_is_unknown, r"embodiment\.action\.mode: expected one of 'delta', 'absolute'"),
        (_height_is_fraction, r"embodiment\.cameras\[1\]\.height"),
        (_control_is_bool, r"embodiment\.control_hz"),
        (_cameras_is_object, r"embodiment\.cameras: expected a list"),
        (_second_dimension_misses_unit, r"embodiment\.action\.dimensions\[1\]\.unit is missing"),
    ],
)
def test_from_dict_is_strict_and_names_the_field(embodiment, damage, field):
    data = copy.deepcopy(embodiment.to_dict())
    damage(data)
    with pytest.raises(EmbodimentError, match=field):
        Embodiment.from_dict(data)


def test_same_embodiments_do_not_differ(embodiment):
    assert embodiment.differences(Embodiment.from_dict(embodiment.to_dict())) == []
    embodiment.require_same(embodiment, remedy="nothing to do")


def test_difference_is_a_dotted_field_with_both_values(embodiment):
    assert embodiment.differences(with_wrist_height(embodiment, 64)) == [Difference("cameras.wrist.height", 128, 64)]


def test_missing_camera_and_microphone_are_differences(embodiment):
    one_eye = dataclasses.replace(embodiment, cameras=embodiment.cameras[:1], microphone=Microphone(16000, 1))
    fields = {difference.field for difference in embodiment.differences(one_eye)}
    assert fields == {"cameras.order", "microphone", "microphone.rate", "microphone.channels"}


def test_other_order_of_cameras_is_a_difference(embodiment):
    swapped = dataclasses.replace(embodiment, cameras=embodiment.cameras[::-1])
    assert [difference.field for difference in embodiment.differences(swapped)] == ["cameras.order"]


def test_mismatch_names_field_values_and_remedy(embodiment):
    with pytest.raises(EmbodimentMismatch) as caught:
        embodiment.require_same(with_wrist_height(embodiment, 64), remedy="Make the environment with image_size=128.")
    message = str(caught.value)
    assert "cameras.wrist.height: expected 128, found 64" in message
    assert message.endswith("Make the environment with image_size=128.")


@pytest.mark.parametrize(
    "build",
    [
        lambda: Dimension("x", "m", 1.0, 1.0),
        lambda: Dimension("x", "m", 0.0, float("nan")),
        lambda: Dimension("", "m", 0.0, 1.0),
        lambda: Camera("eye", 0, 10),
        lambda: Microphone(0, 1),
        lambda: ActionSpec((Dimension("x", "m", 0, 1),) * 2, "delta", "base", "none", "none", "OSC_POSE"),
        lambda: dataclasses.replace(embodiment_of("robosuite/lift"), control_hz=0.0),
    ],
)
def test_senseless_values_are_refused(build):
    with pytest.raises(EmbodimentError):
        build()


def test_an_error_about_thousands_of_fields_stays_readable(embodiment):
    metres, feet = (
        dataclasses.replace(embodiment, state=tuple(Dimension(f"d{n}", unit, 0.0, 1.0) for n in range(5000)))
        for unit in ("m", "ft")
    )
    with pytest.raises(EmbodimentMismatch, match=r"and 4900 more\ntake another") as found:
        metres.require_same(feet, remedy="take another")
    assert len(str(found.value).splitlines()) < 110
    with pytest.raises(EmbodimentMismatch, match=r"state.order: .*'d0', .*\.\.\.\]\ntake another") as found:
        embodiment.require_same(metres, remedy="take another")
    assert len(str(found.value)) < 2000
