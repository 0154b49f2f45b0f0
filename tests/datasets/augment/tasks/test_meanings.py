"""What augmentations ask and answer: the worked examples of their modules, and properties over random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.datasets.augment.tasks import named_task_augmentation
from embodio.datasets.augment.tasks.parts.sides import exchanged
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.caption_constrained import unmet
from embodio.model.tasks.families.caption_region import Region
from embodio.model.tasks.families.detect import Detected
from embodio.model.tasks.families.keypoints import Person
from embodio.model.tasks.families.localise import Localised
from embodio.model.tasks.families.next_action import ActionAhead
from embodio.model.tasks.families.normals import NormalsItem
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.relate import Relationship
from embodio.model.tasks.families.segment import Segmented
from embodio.model.tasks.locations.box_properties import BOX_PROPERTIES, PAIR_PROPERTIES
from embodio.model.tasks.locations.labelled import BODY_PARTS, Keypoints

SHOWN = InputMedia(image=np.arange(100 * 100 * 3, dtype=np.uint8).reshape(100, 100, 3))
CUP, DOG = np.array([0, 0, 10, 20], np.float32), np.array([5, 5, 15, 10], np.float32)
SEEDS = range(40)


def augmented(name: str, items: list[Any], seed: int = 0, classes: tuple[str, ...] = ()) -> Any:
    return named_task_augmentation(name)(items, np.random.default_rng(seed), classes)


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((100, 100), dtype=bool)
    found[rows, columns] = True
    return found


def segments() -> list[Segmented]:
    masks = {"cup": mask(slice(0, 10), slice(0, 20)), "dog": mask(slice(50, 90), slice(40, 60))}
    return [Segmented(media=SHOWN, name=name, mask=one) for name, one in masks.items()]


def test_masks_of_several_classes_are_their_union_complement_and_part() -> None:
    known = {one.name: one.mask for one in segments()}
    nothing = np.zeros((100, 100), dtype=bool)
    asked = set()
    for seed in SEEDS:
        union = augmented("segment_union", segments(), seed, ("cup", "cat", "dog"))
        wanted = np.any([known.get(name, nothing) for name in union.names], axis=0)
        assert 2 <= len(union.names) <= 4 and "cup" in union.names
        assert np.array_equal(union.mask, wanted)
        rest = augmented("segment_complement", segments(), seed, ("cat",))
        wanted = ~np.any([known.get(name, nothing) for name in rest.names], axis=0)
        assert rest.complement and np.array_equal(rest.mask, wanted)
        part = augmented("segment_in_box", segments(), seed)
        top, left, bottom, right = part.box.astype(int)
        wanted = np.any([known.get(name, nothing) for name in part.names], axis=0)
        wanted = wanted & mask(slice(top, bottom), slice(left, right))
        assert np.array_equal(part.mask, wanted) and 0 <= top < bottom <= 100 and 0 <= left < right <= 100
        asked |= set(union.names)
    assert asked == {"cup", "dog", "cat"}
    assert augmented("segment_union", segments()[:1]) is None
    assert augmented("segment_union", [Segmented(media=SHOWN, name="cup", box=CUP, mask=segments()[0].mask)]) is None


def test_surfaces_face_where_their_normal_points() -> None:
    normals = np.zeros((100, 100, 3), dtype=np.float32)
    normals[:50] = (0, 1, 0)
    normals[50:] = (0, 0, 1)
    item = NormalsItem(media=SHOWN, normals=normals)
    for seed in SEEDS:
        found = augmented("segment_facing", [item], seed)
        assert np.array_equal(found.mask, mask(slice(0, 50) if found.facing == "up" else slice(50, 100), slice(0, 100)))
        point = augmented("normal_of_point", [item], seed)
        assert point.normal.tolist() == ([0, 1, 0] if point.point[0] < 50 else [0, 0, 1])
        assert augmented("normals_recoloured", [item], seed).colours != "xyz"


def test_properties_of_the_worked_examples() -> None:
    box, size = np.array([[10.0, 20.0, 30.0, 60.0]]), (100, 100)
    wanted = {"width": [40], "area": [800], "centre": [20, 40], "xywh": [20, 10, 40, 20], "from_right": [40]}
    wanted |= {"right_half": [10, 40, 30, 60], "bottom_left": [30, 20], "centre_size": [20, 40, 20, 40]}
    for key, values in wanted.items():
        assert BOX_PROPERTIES[key].of(box, size)[0].tolist() == values
    pair = np.stack([CUP, DOG]).astype(np.float64)
    shared = {"union": [0, 0, 15, 20], "shared_area": [25], "larger": CUP.tolist(), "rightmost": CUP.tolist()}
    shared |= {"lowest": DOG.tolist(), "leftmost": DOG.tolist()}
    for key, values in shared.items():
        assert PAIR_PROPERTIES[key].of(pair, size)[0].tolist() == values


def test_properties_are_those_of_the_boxes_asked_for() -> None:
    boxes = np.stack([CUP, DOG])
    both = Localised(media=SHOWN, name="cup", boxes=boxes, labels=("cup", "cup"))
    texts = [Reference(media=SHOWN, expression="the cup", box=CUP), Reference(media=SHOWN, expression="a dog", box=DOG)]
    for seed in SEEDS:
        found = augmented("properties_of_objects", [both], seed)
        np.testing.assert_allclose(found.values, BOX_PROPERTIES[found.property].of(boxes.astype(float), (100, 100)))
        own = augmented("properties_of_description", texts, seed)
        assert own.expressions == ("the cup",) and len(own.values) == 1
        pair = augmented("properties_of_pair", texts, seed)
        order = boxes if pair.expressions[0] == "the cup" else boxes[::-1]
        np.testing.assert_allclose(pair.values, PAIR_PROPERTIES[pair.property].of(order.astype(float), (100, 100)))


def test_several_expressions_keep_their_boxes() -> None:
    texts = [Reference(media=SHOWN, expression=f"thing {place}", box=CUP + place) for place in range(6)]
    for seed in SEEDS:
        found = augmented("refer_to_several", texts, seed)
        assert 2 <= len(found.expressions) <= 4 and "thing 0" in found.expressions
        for text, box in zip(found.expressions, found.boxes, strict=True):
            assert np.array_equal(box, CUP + int(text.split()[1]))
    unclear = [Reference(media=SHOWN, expression="it", box=CUP), Reference(media=SHOWN, expression="it", box=DOG)]
    assert augmented("refer_to_several", unclear) is None


def test_only_listed_classes_are_detected() -> None:
    item = Detected(media=SHOWN, boxes=np.stack([CUP, DOG, CUP + 1]), labels=("cup", "dog", "cup"))
    seen = set()
    for seed in SEEDS:
        found = augmented("detect_listed", [item], seed, ("cat", "dog"))
        assert found.listed and found.labels == tuple(one for one in item.labels if one in found.names)
        assert found.labels and len(found.boxes) == len(found.labels) and len(found.names) <= 4
        seen |= set(found.names)
    assert seen == {"cup", "dog", "cat"}
    bare = augmented("localise_otherwise_named", [Localised(media=SHOWN, name="cup", boxes=CUP[None], labels=("cup",))])
    assert not bare.named and bare.labels == ("",)
    assert augmented("localise_otherwise_named", [bare]).labels == ("cup",)


def test_presence_is_answered_by_what_is_annotated() -> None:
    item = Detected(media=SHOWN, boxes=CUP[None], labels=("cup",))
    asked = {
        (found.question, found.text)
        for found in (augmented("ask_presence", [item], seed, ("cup", "apple")) for seed in SEEDS)
    }
    assert asked == {("Is there a cup in the image?", "yes"), ("Is there an apple in the image?", "no")}
    assert augmented("ask_presence", [item], 0, ("cup",)) is None


def test_relations_of_an_object_and_of_a_class() -> None:
    def related(subject: np.ndarray, name: str, text: str, other: str) -> Relationship:
        return Relationship(
            media=SHOWN, subject=subject, subject_name=name, text=text, object=DOG + len(other), object_name=other
        )

    items = [
        related(CUP, "man", "on", "horse"),
        related(CUP, "man", "wearing", "hat"),
        related(DOG, "hat", "on", "table"),
    ]
    items.append(related(DOG + 20, "man", "near", "tree"))
    own, every = augmented("relations_of_object", items), augmented("relations_of_class", items)
    assert list(zip(own.relations, own.names, strict=True)) == [("on", "horse"), ("wearing", "hat")]
    assert np.array_equal(own.box, CUP) and own.subjects is None and np.array_equal(own.objects[0], DOG + 5)
    assert every.names == ("horse", "hat", "tree") and every.box is None
    assert np.array_equal(every.subjects[2], DOG + 20)
    nameless = Relationship(media=SHOWN, subject=CUP, object=DOG, text="on")
    assert augmented("relations_of_object", [nameless]) is None


def test_captions_meet_what_is_required_of_them() -> None:
    item = TextItem(media=SHOWN, text="a red cup on a table", references=("a red cup on a table", "some mug"))
    kinds = set()
    for seed in range(200):
        found = augmented("caption_with_constraints", [item], seed)
        assert unmet(found, found.text) == []
        kinds |= {name for name in ("longer_than", "shorter_than", "words", "prefix") if getattr(found, name)}
    assert kinds == {"longer_than", "shorter_than", "words", "prefix"}
    assert augmented("caption_with_constraints", [TextItem(media=InputMedia(), text="words")]) is None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("the cup on the left", "the cup on the right"),
        ("Left hand", "Right hand"),
        ("leftmost dog", "rightmost dog"),
        ("dog to the right of the left cup", "dog to the left of the right cup"),
        ("bottom left", "bottom right"),
        ("a red cup", "a red cup"),
        ("a man has left", None),
        ("you are right about it", None),
        ("the right answer", None),
        ("brightly lit", "brightly lit"),
    ],
)
def test_left_and_right_are_exchanged_where_they_are_sides(text: str, other: str | None) -> None:
    assert exchanged(text) == other
    if other is not None:
        assert exchanged(other) == text


def test_a_mirrored_annotation_says_the_same_of_the_mirrored_image() -> None:
    item = Reference(media=SHOWN, expression="the cup on the left", box=np.array([10, 20, 30, 60], np.float32))
    found = augmented("mirror", [item])
    assert found.expression == "the cup on the right" and found.box.tolist() == [10, 40, 30, 80]
    assert np.array_equal(found.media.image, np.asarray(SHOWN.image)[:, ::-1])
    back = augmented("mirror", [found])
    assert back.expression == item.expression and np.array_equal(back.box, item.box)
    assert augmented("mirror", [Question(media=SHOWN, question="who has left?", text="Ada")]) is None
    points = np.zeros((17, 2), np.float32)
    points[BODY_PARTS.index("left eye")] = (10, 20)
    seen = points.any(axis=1)
    person = augmented("mirror", [Person(media=SHOWN, box=CUP, keypoints=Keypoints(points, seen))]).keypoints
    assert person.visible.tolist() == [part == "right eye" for part in BODY_PARTS]
    assert person.points[BODY_PARTS.index("right eye")].tolist() == [10, 80]


def test_questions_with_options_and_several_questions() -> None:
    asked = [Question(media=SHOWN, question="what?", text="a cup"), Question(media=SHOWN, question="who?", text="Ada")]
    for seed in SEEDS:
        found = augmented("choose_answer", asked, seed, ("dog", "A cup"))
        assert found.options[found.chosen] == "a cup" and set(found.options) <= {"a cup", "Ada", "dog"}
        both = augmented("several_questions", asked, seed)
        orders = {"1. what? 2. who?": "1. a cup 2. Ada", "1. who? 2. what?": "1. Ada 2. a cup"}
        assert both.text == orders[both.instruction]
    assert augmented("choose_answer", asked[:1]) is None and augmented("several_questions", asked[:1]) is None


def test_texts_and_boxes_change_places() -> None:
    item = Reference(media=SHOWN, expression="the cup", box=CUP)
    region = augmented("describe_reference", [item, Reference(media=SHOWN, expression="a mug", box=CUP)])
    assert region.text == "the cup" and region.references == ("the cup", "a mug")
    again = augmented("find_description", [region])
    assert again.expression == "the cup" and np.array_equal(again.box, CUP)
    assert augmented("find_description", [region, Region(media=SHOWN, box=DOG, text="The cup")]) is None


def test_an_action_of_another_step_is_wrong() -> None:
    steps = [ActionAhead(media=SHOWN, instruction="go", action=[number]) for number in (5, 5, 7)]
    judged = [augmented("judge_next_action", steps, seed) for seed in SEEDS]
    assert {(one.right, tuple(one.actions)) for one in judged} == {(True, (5,)), (False, (7,))}
    assert augmented("judge_next_action", steps[:2]) is None
