"""All relationships: everything that an object of an image, or any object of a name, has to do with others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embodio.model.tasks.base.boxes_family import PLACES_TOKENS
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import BOX_VALUES, ItemsRule, Rule
from embodio.model.tasks.locations.places import Box, Boxes
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Relations(Annotation):
    """An object, or all objects of a name, and the relationships to other objects.

    Attributes:
        name: name of the object or objects.
        box: the object, float [4] as (y1, x1, y2, x2) in pixels of the image; None for any object of the name.
        relations: the relationship in each pair, such as "on"; None in a request.
        subjects: float32 [N, 4], the object of the name in each pair; None where `box` says it.
        objects: float32 [N, 4], the other object in each pair.
        names: the name of the other object in each pair.
    """

    name: str
    box: Box | None = None
    relations: tuple[str, ...] | None = None
    subjects: Boxes | None = None
    objects: Boxes | None = None
    names: tuple[str, ...] = ()


class FindRelations(Family[Relations]):
    """All relations (paper, appendix D.11): image, name and perhaps a box in; "relation: name" after each place out.

    A place is the box of the other object; of any object of a name, that of the object comes before it.
    """

    name = "relations"
    annotation = Relations
    needs = ("image",)
    groups = groups_of(object={"name": "cup", "box": BOX}, any={"name": "cup"})
    answer = ("relations", "subjects", "objects", "names")
    may_be_empty = ("relations", "subjects", "objects")
    tokens = PLACES_TOKENS
    metrics = ("relations_found",)

    def group(self, annotation: Relations) -> str:
        """`object`, or `any` object of the name."""
        return "any" if annotation.box is None else "object"

    def slots(self, annotation: Relations, codec: TaskCodec) -> Mapping[str, Filling]:
        """The name, and the box if there is one."""
        slots: dict[str, Filling] = {"name": annotation.name}
        return (
            slots if annotation.box is None else slots | {"box": codec.box_ids(annotation.box, annotation.media.image)}
        )

    def target(self, annotation: Relations, codec: TaskCodec) -> list[str | int] | None:
        """The places and texts of all pairs.

        Raises:
            TaskError: the counts differ, a text is empty, or a relationship has a colon.
        """
        relations = annotation.relations
        if relations is None:
            return None
        both = (annotation.subjects, annotation.objects) if annotation.box is None else (annotation.objects,)
        places = [part for part in both if part is not None and len(part) == len(relations)]
        texts = all(one.strip() and ":" not in one for one in relations) and all(
            one.strip() for one in annotation.names
        )
        if len(places) < len(both) or len(annotation.names) != len(relations) or not texts:
            raise TaskError("relations, subjects, objects, names: give one of each for every pair, relations without :")
        fit = codec.fit(annotation.media.image)
        ids = np.concatenate([codec.locations.boxes_to_ids(part, fit) for part in places], axis=1).tolist()
        pairs = zip(ids, relations, annotation.names, strict=True)
        return [part for own, relation, name in pairs for part in (*own, f"{relation.strip()}: {name.strip()}")]

    def form(self, asked: Sequence[Relations], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """One or two boxes and a text, repeated."""
        return [ItemsRule(codec.vocabulary, longest, None, _values(one), ordered=False) for one in asked]

    def read(self, written: Output, asked: Relations, codec: TaskCodec) -> Relations | AnswerError:
        """The pairs with a place, a relationship and a name; an error if something was written and none is one."""
        ids = token_ids(written)
        parts = codec.locations.split(ids)
        good = [
            (values, relation.strip(), name.strip())
            for values, text in parts
            for relation, colon, name in [text.partition(":")]
            if len(values) == _values(asked) and relation.strip() and name.strip()
        ]
        if parts and not good:
            reason = f"a relation is {_values(asked)} values, a relationship, a colon and a name"
            return AnswerError(reason, parse_text(codec.locations, ids))
        rows = np.array([values for values, _, _ in good], dtype=np.int64).reshape(-1, BOX_VALUES)
        boxes = codec.locations.ids_to_boxes(rows, codec.fit(asked.media.image)).reshape(len(good), -1)
        return with_answer(
            asked,
            relations=tuple(relation for _, relation, _ in good),
            subjects=boxes[:, :BOX_VALUES] if asked.box is None else None,
            objects=boxes[:, -BOX_VALUES:],
            names=tuple(name for _, _, name in good),
        )


def _values(asked: Relations) -> int:
    return BOX_VALUES if asked.box is not None else 2 * BOX_VALUES


FAMILY = FindRelations()
