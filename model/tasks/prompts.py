"""The words with which the network is asked for each task, and the slots in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from embodio.model.tasks.errors import PromptError

Template = str | Sequence[str | int]
"""Text with slots such as {name}, or texts with slots and token ids in sequence."""

Filling = str | Sequence[int]
"""What goes into a slot: text, or token ids such as those of a box."""

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """One prompt for each task; replace any of them, keeping its slots.

    They are in our own words and have the forms of the paper's (appendices D.2 to D.10): a task is asked for in plain
    language, answers that should be short are asked for as such, and boxes stand in the text as four value tokens.
    """

    caption_image: str = "What does the image show? Say it in one sentence."
    caption_video: str = "What happens in the video? Say it in one sentence."
    caption_sound: str = "What can be heard in the audio? Say it in one sentence."
    tag_video: str = "Which action is shown in the video?"
    tag_sound: str = "Which kind of sound is in the audio?"
    answer_question: str = "{question} Answer with one or a few words."
    classify_image: str = "Which category does the main object of the image belong to?"
    classify_box: str = "Which category does the object in the region {box} of the image belong to?"
    refer: str = 'Which region of the image does this text describe: "{expression}"?'
    localise: str = 'Give the box and the name of every "{name}" in the image.'
    localise_unnamed: str = 'Give the box of every "{name}" in the image, without names.'
    detect: str = "Give the box and the name of every object in the image."
    keypoints: str = "Give the position of every joint of the person in the region {box} of the image."
    cuboids: str = 'Give the 3D box of every "{name}" in the image.'
    camera_pose: str = "How did the camera move from the earlier image to this image?"
    segment: str = 'Draw in white where the image shows a "{name}", and everything else in black.'
    segment_box: str = 'Draw in white the "{name}" in the region {box} of the image, and everything else in black.'
    depth: str = "Draw the depth of every pixel of the image."
    normals: str = "Draw the surface normal of every pixel of the image."
    draw: str = "An image of {text}"
    edit: str = "Draw the image again with this change: {instruction}"
    inpaint: str = 'Draw the image again with the missing region {box} filled with a "{name}".'
    view: str = "Draw the image as seen by a camera moved by ( {pose} )."
    next_frame: str = "Draw the frame that comes next in the video."
    goal: str = "Draw what the image looks like when this is done: {instruction}"
    sound: str = "A video of {text}"


def fill(template: Template, **slots: Filling) -> list[str | int]:
    """Puts fillings into the slots of a template.

    Braces in a filling are only braces. Token ids end the text before them, and the text after them begins a new word.

    Args:
        template: has each of the slots exactly once, and no others.
        slots: what goes into them.

    Returns:
        A prompt without its prefix, as `Vocabulary.encode` takes it.

    Raises:
        PromptError: a slot is missing, unknown or there more than once.
    """
    parts: Sequence[str | int] = [template] if isinstance(template, str) else template
    found = [name for part in parts if isinstance(part, str) for name in _SLOT.findall(part)]
    if sorted(found) != sorted(slots):
        wanted = " ".join(f"{{{name}}}" for name in sorted(slots)) or "no slots"
        raise PromptError(f"prompt {template!r}: this task fills {wanted}, each once; found {found}")
    prompt: list[str | int] = []
    text = ""
    for part in parts:
        for piece in _pieces(part, slots):
            if isinstance(piece, str):
                text += piece
            else:
                prompt += [text.strip(), *piece] if text.strip() else [*piece]
                text = ""
    return [*prompt, text.strip()] if text.strip() else prompt


def _pieces(part: str | int, slots: dict[str, Filling]) -> list[Filling]:
    """The texts and the ids of a part of a template, in order."""
    if not isinstance(part, str):
        return [[part]]
    split = _SLOT.split(part)  # text, name, text, name, ..., text
    return [slots[piece] if index % 2 else piece for index, piece in enumerate(split)]
