"""3D detection: the 3D boxes of all objects of one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.boxes_family import PLACES_TOKENS, name_ids
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import ItemsRule, Rule
from embodio.model.tasks.locations.spatial import CUBOID_TOKENS, Cuboid, write_cuboid
from embodio.model.tasks.parsers import parse_cuboids
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Objects3D(Annotation):
    """A name, and the 3D boxes of all objects of that name.

    Attributes:
        name: name of the objects.
        cuboids: their 3D boxes; None in a request.
        skipped: in an answer, text that is not a 3D box.
    """

    name: str
    cuboids: tuple[Cuboid, ...] | None = None
    skipped: tuple[str, ...] = ()


class FindCuboids(Family[Objects3D]):
    """3D detection (paper, appendix B.1): image and name in, twelve value tokens and the name for each object out."""

    name = "cuboids"
    annotation = Objects3D
    needs = ("image",)
    groups = groups_of(plain={"name": "chair"})
    answer = ("cuboids",)
    may_be_empty = ("cuboids",)
    tokens = PLACES_TOKENS
    metrics = ("cuboid_errors", "cuboid_overlap")

    def slots(self, annotation: Objects3D, codec: TaskCodec) -> Mapping[str, Filling]:
        """The name."""
        return {"name": annotation.name}

    def target(self, annotation: Objects3D, codec: TaskCodec) -> list[str | int] | None:
        """The twelve values and the name of each object."""
        if annotation.cuboids is None:
            return None
        fit = codec.fit(annotation.media.image)
        parts: list[str | int] = []
        for cuboid in annotation.cuboids:
            parts += [*write_cuboid(codec.locations, cuboid, fit).tolist(), annotation.name.strip()]
        return parts

    def form(self, asked: Sequence[Objects3D], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Twelve values and the name, repeated."""
        return [
            ItemsRule(codec.vocabulary, longest, name_ids(codec, [one.name]), CUBOID_TOKENS, ordered=False)
            for one in asked
        ]

    def read(self, written: Output, asked: Objects3D, codec: TaskCodec) -> Objects3D | AnswerError:
        """The 3D boxes, with centres in pixels of the image."""
        found = parse_cuboids(codec.locations, token_ids(written), codec.fit(asked.media.image))
        if isinstance(found, AnswerError):
            return found
        return with_answer(asked, cuboids=found.cuboids, skipped=found.skipped)


FAMILY = FindCuboids()
