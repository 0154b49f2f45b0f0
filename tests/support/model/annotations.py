"""Random annotations of every family of tasks, for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from embodio.model import Vocabulary
from embodio.model.tasks.base.boxes_family import BoxesItem
from embodio.model.tasks.base.family import Annotation, InputMedia
from embodio.model.tasks.base.one_box_family import OneBoxItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.box_properties import Measured, property_of
from embodio.model.tasks.families.camera_pose import Movement
from embodio.model.tasks.families.caption_constrained import ConstrainedCaption
from embodio.model.tasks.families.caption_region import Region
from embodio.model.tasks.families.caption_several import SeveralCaptions
from embodio.model.tasks.families.chat import ChatItem
from embodio.model.tasks.families.classify import Category
from embodio.model.tasks.families.cuboids import Objects3D
from embodio.model.tasks.families.depth import DepthItem
from embodio.model.tasks.families.detect import Detected
from embodio.model.tasks.families.draw import Drawn
from embodio.model.tasks.families.draw_from import Controlled
from embodio.model.tasks.families.edit import Edited
from embodio.model.tasks.families.find_events import Events
from embodio.model.tasks.families.flow import FlowItem
from embodio.model.tasks.families.follow_instruction import InstructionItem
from embodio.model.tasks.families.goal_image import Goal
from embodio.model.tasks.families.inpaint import Inpainted
from embodio.model.tasks.families.judge_action import ActionJudged
from embodio.model.tasks.families.keypoints import Person
from embodio.model.tasks.families.localise import Localised
from embodio.model.tasks.families.make_sound import SoundItem
from embodio.model.tasks.families.multiple_choice import ChoiceQuestion
from embodio.model.tasks.families.navigate import MOVES, Navigated
from embodio.model.tasks.families.next_action import ActionAhead
from embodio.model.tasks.families.next_frame import FrameAhead
from embodio.model.tasks.families.next_state import StateAhead
from embodio.model.tasks.families.normal_at import PointNormal
from embodio.model.tasks.families.normals import NormalsItem
from embodio.model.tasks.families.plan import Planned
from embodio.model.tasks.families.point import Pointed
from embodio.model.tasks.families.reason import Reasoned
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.refer_several import References
from embodio.model.tasks.families.relate import Relationship
from embodio.model.tasks.families.relations import Relations
from embodio.model.tasks.families.segment import Segmented
from embodio.model.tasks.families.tag import Tagged
from embodio.model.tasks.families.track import Tracked
from embodio.model.tasks.families.view import Viewed
from embodio.model.tasks.locations.box_properties import BOX_PROPERTIES, PAIR_PROPERTIES
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CameraPose, Cuboid

VOCABULARY = Vocabulary.default()
CODEC = TaskCodec(VOCABULARY, (384, 384), 512)
NAMES = ("cup", "red cube", "left hand", "dog")
Generator = np.random.Generator


def image(rng: Generator) -> np.ndarray:
    return rng.integers(0, 256, (int(rng.integers(20, 90)), int(rng.integers(20, 90)), 3)).astype(np.uint8)


def box(rng: Generator, size: tuple[int, ...]) -> np.ndarray:
    low = rng.uniform(0, [size[0] - 5, size[1] - 5])
    return np.concatenate([low, rng.uniform(low + 4, size[:2])]).astype(np.float32)


def pose(rng: Generator) -> CameraPose:
    return CameraPose(float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3)), float(rng.uniform(-0.7, 0.7)))


def rotation(rng: Generator) -> np.ndarray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def cuboid(rng: Generator, size: tuple[int, ...]) -> Cuboid:
    centre = float(rng.uniform(0, size[1])), float(rng.uniform(0, size[0]))
    sides = tuple(float(side) for side in rng.uniform(0.1, 5, 3))
    return Cuboid(centre, float(rng.uniform(0.5, 90)), sides, rotation(rng))  # type: ignore[arg-type]


def words(rng: Generator) -> str:
    return str(rng.choice(NAMES))


def values(rng: Generator, count: int) -> list[int]:
    return [int(VOCABULARY.value_id(int(one))) for one in rng.integers(0, 1000, count)]


def media(rng: Generator) -> InputMedia:
    return InputMedia(image=image(rng), image_history=[image(rng) for _ in range(int(rng.integers(0, 3)))])


def any_media(rng: Generator) -> InputMedia:
    """An image, a video or a sound."""
    sound = rng.normal(size=800).astype(np.float32)
    return media(rng) if rng.random() < 0.7 else InputMedia(audio=sound)


def boxes(rng: Generator, shown: InputMedia) -> np.ndarray:
    size = np.asarray(shown.image).shape
    return np.stack([box(rng, size) for _ in range(int(rng.integers(1, 5)))])


def keypoints(rng: Generator, size: tuple[int, ...]) -> Keypoints:
    visible = rng.random(17) < 0.7
    points = rng.uniform(0, size[:2], (17, 2)) * visible[:, None]
    return Keypoints(points.astype(np.float32), visible)


def normals(rng: Generator, size: tuple[int, ...]) -> np.ndarray:
    found = rng.normal(size=(*size[:2], 3))
    return (found / np.linalg.norm(found, axis=2, keepdims=True)).astype(np.float32)


def localised(rng: Generator) -> Localised:
    shown, named = media(rng), bool(rng.random() < 0.5)
    found, name = boxes(rng, shown), words(rng)
    return Localised(media=shown, name=name, named=named, boxes=found, labels=(name if named else "",) * len(found))


def detected(rng: Generator) -> Detected:
    shown, listed = media(rng), bool(rng.random() < 0.5)
    found = boxes(rng, shown)
    labels = tuple(words(rng) for _ in found)
    return Detected(media=shown, boxes=found, labels=labels, names=NAMES if listed else (), listed=listed)


def robot(rng: Generator) -> dict[str, Any]:
    return {
        "media": media(rng),
        "instruction": words(rng),
        "state": values(rng, int(rng.integers(0, 4))),
        "previous_actions": values(rng, int(rng.integers(0, 4))),
        "action_space": "" if rng.random() < 0.5 else "3 numbers.",
    }


def segmented(rng: Generator) -> Segmented:
    shown = media(rng)
    size = np.asarray(shown.image).shape
    asked: list[dict[str, Any]] = [
        {"name": words(rng)},
        {"name": words(rng), "box": box(rng, size)},
        {"box": box(rng, size)},
        {"point": point(rng, size)},
        {"names": NAMES[:2]},
        {"names": NAMES[:2], "box": box(rng, size)},
        {"names": NAMES[:2], "complement": True},
        {"expression": words(rng)},
        {"facing": "up"},
    ]
    return Segmented(media=shown, mask=rng.random(size[:2]) < 0.5, **asked[int(rng.integers(len(asked)))])


def several(rng: Generator) -> SeveralCaptions:
    shown = media(rng)
    count = len(shown.image_history) + 1
    wanted = None if rng.random() < 0.5 else int(rng.integers(count))
    return SeveralCaptions(
        media=shown, captions=tuple(words(rng) for _ in range(count if wanted is None else 1)), wanted=wanted
    )


def with_image(
    kind: Callable[..., Any], rng: Generator, answer: Callable[[Generator, tuple[int, ...]], Any], name: str
) -> Any:
    shown = media(rng)
    return kind(media=shown, **{name: answer(rng, np.asarray(shown.image).shape)})


MAKE: dict[str, Callable[[Generator], Annotation]] = {
    "caption": lambda rng: TextItem(media=any_media(rng), text=words(rng)),
    "caption_region": lambda rng: dataclasses.replace(
        with_image(partial(Region, text=words(rng)), rng, box, "box"), references=(words(rng),)
    ),
    "caption_several": several,
    "draw_from": lambda rng: Controlled(media=media(rng), text=words(rng), kind="edges", drawn=image(rng)),
    "follow_instruction": lambda rng: InstructionItem(
        instruction=words(rng), context="" if rng.random() < 0.5 else "{a} text", text=words(rng)
    ),
    "multiple_choice": lambda rng: ChoiceQuestion(
        media=media(rng), question="which one?", options=NAMES, chosen=int(rng.integers(len(NAMES)))
    ),
    "read_text": lambda rng: read_text(rng),
    "relate": lambda rng: related(rng),
    "transcribe": lambda rng: TextItem(media=any_media(rng), text=words(rng)),
    "tag": lambda rng: Tagged(media=any_media(rng), text=words(rng), choices=NAMES, ahead=bool(rng.random() < 0.3)),
    "answer_question": lambda rng: question(rng),
    "classify": lambda rng: (
        dataclasses.replace(with_image(Category, rng, box, "box"), text=words(rng))
        if rng.random() < 0.5
        else Category(media=media(rng), text=words(rng))
    ),
    "refer": lambda rng: with_image(partial(Reference, expression=words(rng)), rng, box, "box"),
    "localise": localised,
    "detect": detected,
    "keypoints": lambda rng: person(rng),
    "cuboids": lambda rng: objects(rng),
    "camera_pose": lambda rng: Movement(media=InputMedia(image=image(rng), image_history=[image(rng)]), pose=pose(rng)),
    "segment": segmented,
    "depth": lambda rng: with_image(DepthItem, rng, lambda r, size: r.random(size[:2]).astype(np.float32), "depth"),
    "normals": lambda rng: dataclasses.replace(
        with_image(NormalsItem, rng, normals, "normals"), colours=str(rng.choice(["xyz", "zxy", "yzx"]))
    ),
    "draw": lambda rng: Drawn(text=words(rng), drawn=image(rng)),
    "edit": lambda rng: Edited(media=media(rng), instruction=words(rng), drawn=image(rng)),
    "view": lambda rng: Viewed(media=media(rng), pose=pose(rng), drawn=image(rng)),
    "inpaint": lambda rng: inpainted(rng),
    "make_sound": lambda rng: made_sound(rng),
    "goal_image": lambda rng: Goal(**robot(rng), intermediate=bool(rng.random() < 0.5), drawn=image(rng)),
    "next_frame": lambda rng: FrameAhead(
        **robot(rng), count=int(rng.integers(1, 4)), robot=bool(rng.random() < 0.7), drawn=image(rng)
    ),
    "next_action": lambda rng: ActionAhead(**robot(rng), action=values(rng, int(rng.integers(1, 8)))),
    "next_state": lambda rng: StateAhead(**robot(rng), later=values(rng, int(rng.integers(1, 9)))),
    "describe_task": lambda rng: TextItem(media=media(rng), text=words(rng)),
    "judge_action": lambda rng: ActionJudged(**robot(rng), actions=values(rng, 7), right=bool(rng.random() < 0.5)),
    "plan": lambda rng: Planned(**robot(rng), actions=values(rng, int(rng.integers(1, 30)))),
    "box_properties": lambda rng: measured(rng),
    "caption_constrained": lambda rng: ConstrainedCaption(
        media=media(rng), text="a red cup", longer_than=1, words=("cup",), prefix="" if rng.random() < 0.5 else "A"
    ),
    "chat": lambda rng: ChatItem(
        media=InputMedia() if rng.random() < 0.5 else any_media(rng),
        turns=tuple(words(rng) for _ in range(2 * int(rng.integers(3)) + 1)),
        text=words(rng),
    ),
    "find_events": lambda rng: events(rng),
    "flow": lambda rng: with_image(FlowItem, rng, flow, "flow"),
    "navigate": lambda rng: navigated(rng),
    "normal_at": lambda rng: point_normal(rng),
    "point": lambda rng: with_image(partial(Pointed, expression=words(rng)), rng, point, "point"),
    "reason": lambda rng: Reasoned(media=media(rng), question="how many?", steps=f"A {words(rng)}.", text=words(rng)),
    "refer_several": lambda rng: references(rng),
    "relations": lambda rng: relations(rng),
    "sound_source": lambda rng: with_image(OneBoxItem, rng, box, "box"),
    "track": lambda rng: tracked(rng),
}


def person(rng: Generator) -> Person:
    shown = media(rng)
    size = np.asarray(shown.image).shape
    return Person(media=shown, box=box(rng, size), keypoints=keypoints(rng, size))


def objects(rng: Generator) -> Objects3D:
    shown = media(rng)
    size = np.asarray(shown.image).shape
    found = tuple(cuboid(rng, size) for _ in range(int(rng.integers(1, 4))))
    return Objects3D(media=shown, name=words(rng), cuboids=found)


def read_text(rng: Generator) -> BoxesItem:
    shown = media(rng)
    found = boxes(rng, shown)
    return BoxesItem(media=shown, boxes=found, labels=tuple(words(rng) for _ in found))


def related(rng: Generator) -> Relationship:
    shown = media(rng)
    size = np.asarray(shown.image).shape
    return Relationship(
        media=shown,
        subject=box(rng, size),
        object=box(rng, size),
        subject_name=words(rng),
        object_name=words(rng),
        text=words(rng),
    )


def inpainted(rng: Generator) -> Inpainted:
    shown = media(rng)
    size = np.asarray(shown.image).shape
    return Inpainted(media=shown, box=box(rng, size), name=words(rng), drawn=np.asarray(shown.image))


def point(rng: Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0, size[:2]).astype(np.float32)


def flow(rng: Generator, size: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-0.25 * max(size[:2]), 0.25 * max(size[:2]), (*size[:2], 2)).astype(np.float32)


def question(rng: Generator) -> Question:
    shown = any_media(rng)
    if shown.audio is None and rng.random() < 0.3:
        shown = dataclasses.replace(shown, audio=rng.normal(size=800).astype(np.float32))
    return Question(
        media=shown, question=f"what is {{it}} {words(rng)}?", text=words(rng), pair=bool(rng.random() < 0.2)
    )


def made_sound(rng: Generator) -> SoundItem:
    sound = rng.normal(size=1000).astype(np.float32)
    if rng.random() < 0.25:
        return SoundItem(media=media(rng), sound=sound)
    return SoundItem(text=words(rng), kind=("sound", "music", "speech")[int(rng.integers(3))], sound=sound)


def measured(rng: Generator) -> Measured:
    shown, count = media(rng), int(rng.integers(0, 3))
    size = np.asarray(shown.image).shape
    known = PAIR_PROPERTIES if count == 2 else BOX_PROPERTIES
    asked = Measured(
        media=shown,
        property=str(rng.choice(list(known))),
        name="" if count else words(rng),
        expressions=tuple(words(rng) for _ in range(count)),
    )
    found = np.stack([box(rng, size) for _ in range(count or int(rng.integers(1, 4)))]).astype(np.float64)
    values = property_of(asked).of(found, (size[0], size[1]))
    return dataclasses.replace(asked, values=values.astype(np.float32))


def events(rng: Generator) -> Events:
    name, seconds = "" if rng.random() < 0.5 else words(rng), float(rng.uniform(1, 60))
    spans = np.sort(rng.uniform(0, seconds, (int(rng.integers(1, 4)), 2)), axis=1).astype(np.float32)
    labels = tuple(name or words(rng) for _ in spans)
    return Events(media=any_media(rng), seconds=seconds, name=name, spans=spans, labels=labels)


def navigated(rng: Generator) -> Navigated:
    with_state = bool(rng.random() < 0.5)
    return Navigated(
        media=media(rng),
        goal=rng.uniform(-40, 40, 3),
        position=rng.uniform(-40, 40, 3),
        heading=float(rng.uniform(-3, 3)),
        moves=tuple(rng.choice(MOVES, int(rng.integers(0, 4))).tolist()),
        with_state=with_state,
        move=str(rng.choice(MOVES)),
        next_position=rng.uniform(-40, 40, 3) if with_state else None,
    )


def point_normal(rng: Generator) -> PointNormal:
    shown, normal = media(rng), rng.normal(size=3)
    found = (normal / np.linalg.norm(normal)).astype(np.float32)
    return PointNormal(media=shown, point=point(rng, np.asarray(shown.image).shape), normal=found)


def references(rng: Generator) -> References:
    shown = media(rng)
    size, count = np.asarray(shown.image).shape, int(rng.integers(2, 4))
    found = np.stack([box(rng, size) for _ in range(count)])
    labels = ("",) * count
    return References(media=shown, expressions=tuple(words(rng) for _ in found), boxes=found, labels=labels)


def relations(rng: Generator) -> Relations:
    shown, own = media(rng), bool(rng.random() < 0.5)
    size = np.asarray(shown.image).shape
    objects = boxes(rng, shown)
    return Relations(
        media=shown,
        name=words(rng),
        box=box(rng, size) if own else None,
        relations=tuple(str(rng.choice(["on", "next to"])) for _ in objects),
        subjects=None if own else np.stack([box(rng, size) for _ in objects]),
        objects=objects,
        names=tuple(words(rng) for _ in objects),
    )


def tracked(rng: Generator) -> Tracked:
    last, earlier = image(rng), int(rng.integers(1, 4))
    shown = InputMedia(image=last, image_history=[last[::-1].copy() for _ in range(earlier)])
    found = np.stack([box(rng, last.shape) for _ in range(earlier + 1)])
    found[1:][rng.random(len(found) - 1) < 0.3] = np.nan
    return Tracked(media=shown, start=found[0], boxes=found[1:])
