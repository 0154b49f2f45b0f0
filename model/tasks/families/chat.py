"""Chat: the next reply of a conversation, about images, sounds or nothing but words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.prompts.filling import Filling, groups_of

SPEAKERS = "User", "Assistant"


@dataclass(frozen=True, eq=False, kw_only=True)
class ChatItem(TextItem):
    """A conversation so far, and the reply to it.

    Attributes:
        turns: what was said, by the user and the assistant in turn; the first and the last one are the user's.
    """

    turns: tuple[str, ...]


class Chat(TextFamily[ChatItem]):
    """Dialogue and visual dialogue (paper, appendices D.1 and D.5): turns, and media if any, in; the reply out.

    One instruction without turns before it belongs to `follow_instruction`.
    """

    name = "chat"
    annotation = ChatItem
    groups = groups_of(
        plain={"turns": "User: Hello! Assistant: Hello, how can I help? User: Tell me a joke."},
        seen={"turns": "User: Who is there? Assistant: A child with a dog. User: What does it hold?"},
    )
    metrics = ("rouge_l", "exact_match")

    def group(self, annotation: ChatItem) -> str:
        """`seen` for a conversation about media, otherwise `plain`."""
        media = annotation.media
        return "seen" if media.has_images or media.has_sounds else "plain"

    def slots(self, annotation: ChatItem, codec: TaskCodec) -> Mapping[str, Filling]:
        """The turns, each after its speaker.

        Raises:
            TaskError: the last turn is not the user's, or one is empty.
        """
        turns = annotation.turns
        if len(turns) % 2 == 0 or not all(turn.strip() for turn in turns):
            raise TaskError(f"turns: expected an odd number of texts, the user's first and last, found {turns}")
        return {"turns": " ".join(f"{SPEAKERS[place % 2]}: {turn.strip()}" for place, turn in enumerate(turns))}


FAMILY = Chat()
