"""Answering: a stop of the tour put to the network, with its answer, the right one and a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from embodio.agent import Judgement
from embodio.benchmarks.evaluation.page import ShownField, shown_fields
from embodio.benchmarks.tour.marks import Mark, mark_of
from embodio.benchmarks.tour.stops import TourStop
from embodio.model import TaskRunner
from embodio.model.errors import ModelError
from embodio.model.example import Image
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families import family_named

_SHOWN = {"detect": ("boxes", "labels")}
"""Family -> the fields of its answers that are shown, where it is not the first one alone."""


@dataclass(frozen=True)
class Answered:
    """A stop on the page: its title, the answer, and the right one and a mark where they are known."""

    title: str
    answer: Sequence[ShownField]
    truth: Sequence[ShownField] = ()
    mark: Mark | None = None

    @property
    def text(self) -> str:
        """What the answer says in words; "" for a picture or a sound alone."""
        return "; ".join(one.text for one in self.answer if one.text)

    @property
    def line(self) -> str:
        """One line for a terminal."""
        sign = "·" if self.mark is None else "✓" if self.mark.right else "✗"
        right = "; ".join(one.text for one in self.truth if one.text)
        parts = [one for one in (self.text, self.mark.words if self.mark is not None else "") if one]
        parts = parts or ["on the page" if self.answer else "nothing"]
        parts += [f"right: {right}"] if right and right != self.text else []
        return f"  {sign} {self.title}  {'; '.join(parts)}"


def answered(runner: TaskRunner, stop: TourStop, seed: int) -> Answered:
    """The answer to one stop; why there is none, where the network cannot give it."""
    asked = stop.request
    try:
        answer: Any = runner.run(stop.family, [asked], seeds=seed)[0]
    except ModelError as error:  # it cannot give such answers, or not about such a picture
        return Answered(stop.title, [ShownField("none", str(error))])
    image, names = asked.media.image, _SHOWN.get(stop.family, family_named(stop.family).answer[:1])
    wrong = isinstance(answer, AnswerError)
    found = [ShownField("none", str(answer))] if wrong else _shown(answer, names, image)
    if not stop.known:
        return Answered(stop.title, found)
    return Answered(stop.title, found, _shown(stop.asked, names, image), _mark(stop, answer))


def judged(name: str, judgement: Judgement, expected: bool) -> Answered:
    """What the agent says of a proposed action, and whether it should accept it."""
    verdict, usual = "accepted" if judgement.accepted else "refused", judgement.typicality
    said = f"{verdict}: typicality {usual:.3f}, and {judgement.threshold:g} or more is accepted"
    truth = [ShownField("right", "accepted" if expected else "refused")]
    return Answered(f"Would it do {name}?", [ShownField("said", said)], truth, Mark(judgement.accepted == expected))


def _mark(stop: TourStop, answer: Any) -> Mark | None:
    if not stop.says:
        return mark_of(stop.family, answer, stop.asked)
    return Mark(not isinstance(answer, AnswerError) and stop.says in str(answer.text))


def _shown(item: Any, names: Sequence[str], image: Image | None) -> list[ShownField]:
    """The fields; places are drawn into the picture, so that their numbers are left out."""
    fields = shown_fields(item, names, image)
    return [replace(one, text="") if one.media and one.name in ("box", "boxes", "point") else one for one in fields]
