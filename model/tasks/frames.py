"""Tasks about what comes later: the next frame of a video, and the image of a goal that an instruction names."""

from __future__ import annotations

from collections.abc import Sequence

from embodio.model.example import Example, Image
from embodio.model.generation import GenerationOptions
from embodio.model.processing.video_files import Clip
from embodio.model.tasks.drawing import DrawingTasks
from embodio.model.tasks.engine import Seeds
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import Picture

Frames = Sequence[Image] | Clip
"""Images oldest first, the last of which is the present one."""


class FrameTasks(DrawingTasks):
    """Tasks over frames; the last is the main image, those before it are the history."""

    def next_frames(
        self,
        videos: Sequence[Frames],
        *,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Draws the frame that follows each series of frames; arguments as those of `edit`."""
        self._require_some("videos", videos)
        text = self.prompt_of(self.prompts.next_frame if prompt is None else prompt, "image")
        series = [_frames(frames, f"videos[{index}]") for index, frames in enumerate(videos)]
        self._image_fits([frames[-1] for frames in series])
        examples = [Example(text=text, image=frames[-1], image_history=frames[:-1]) for frames in series]
        return self._pictures(examples, [frames[-1] for frames in series], options, seeds, guidance)

    def goals(
        self,
        videos: Sequence[Frames],
        instructions: Sequence[str],
        *,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Draws what the last of each series of frames will look like once the instruction is carried out.

        The slot is {instruction}; other arguments as those of `edit`.
        """
        self._require_some("videos", videos)
        given = self._require_pairs("instructions", instructions, len(videos))
        series = [_frames(frames, f"videos[{index}]") for index, frames in enumerate(videos)]
        self._image_fits([frames[-1] for frames in series])
        template = self.prompts.goal if prompt is None else prompt
        examples = [
            Example(
                text=self.prompt_of(template, "image", instruction=instruction),
                image=frames[-1],
                image_history=frames[:-1],
            )
            for instruction, frames in zip(given, series, strict=True)
        ]
        return self._pictures(examples, [frames[-1] for frames in series], options, seeds, guidance)


def _frames(frames: Frames, name: str) -> list[Image]:
    series: list[Image] = []
    series += frames.frames if isinstance(frames, Clip) else frames
    if not series:
        raise TaskError(f"{name}: there is no frame; give at least the present one")
    return series
