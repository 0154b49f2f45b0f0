"""Settings of a policy training run, as dataclasses; `train/configs/experiment/*.yaml` fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from embodio.agent.format.policy_config import ALL_CAMERAS, PolicyConfig
from embodio.agent.released.robots import ROBOTS
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks import named_task, task_settings, task_summaries
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.envs.embodiment import Embodiment
from embodio.train.command_line.ranges import COUNT, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import NamedElements, UsageError
from embodio.train.run_config import RunConfig
from embodio.train.task_config import MixtureSettings, SharedTaskSettings, SourceConfig

_TASKS = NamedElements(task_summaries, task_settings, short="weight", errors=(DatasetError,))

_MOVED = {
    "goal_ahead": ("next_action", "goal_ahead"),
    "sub_goal_ahead": ("sub_goal_image", "farthest"),
    "frames": ("next_frame", "frames"),
    "stride": ("next_frame", "stride"),
    "state_ahead": ("next_state", "ahead"),
    "video_frames": ("instruction_from_video", "frames"),
    "right": ("action_right", "right"),
    "longest_plan": ("plan", "longest"),
}
"""Former keys `task.*` -> the task and key that replace them."""


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """Training of a policy on trajectories: of one data set (`data`) or a mixture (`sources`), on one task or several.

    Attributes:
        data: folder, file, URL, YAML description or catalogue name of a data set, such as embodio-collect writes.
        sources: several data sets instead, name -> settings.
        tasks: task -> its rate and settings: tasks.next_action=0.8 tasks.next_frame=0.2 is short for
            tasks.next_action.weight=0.8 tasks.next_frame.weight=0.2. Empty is next_action alone. --help with a task
            shows its settings.
        task: settings that all tasks share.
        mixture: how data sets and tasks share the stream.
        robot: with sources, the one whose robot an agent of the checkpoint acts for by default. The checkpoint holds
            the robots of all sources; if there are several and this is empty, `Agent.load` asks which. With data, a
            robot of the released weights (vima, bridge, ...): the policy takes its format, except where policy.*
            differs from its defaults, and the network the shape of init.
        image_tokenizer: folder or hub name of a network whose frozen image tokeniser makes the targets of tasks that
            draw; only with such tasks.
        prompt_tokens: capacity for the prompt; 0 takes that of the size. A longer text is an error, never cut.
        answer_tokens: capacity for a written answer, likewise.
        init: initial weights of a new run instead of random ones: a checkpoint (runs/a/checkpoint, lift-nano), the
            folder of a network, released weights, or a name on the hub; a table shows what was loaded. A resumed run
            does not need it.
        size: named size of the network: nano, nano_generalist, large, xl or xxl.
        action_key: the imitated field; "action" for executed actions, "expert_action" for the expert's clean labels.
        holdout: number of episodes, the last of the data set, kept for validation.
        absent_instructions: instructions for things that the scenes of the data lack, see tasks.next_action.absent;
            braces hold alternatives, as in "{lift|raise} the blue cube".
        value_smoothness: neighbouring value tokens start with similar embeddings; width in tokens, 0 for none.
        value_wavelength: value tokens start as waves over the value instead, of which the shortest have this length in
            tokens; 0 for none. With few demonstrations a policy learns much faster from 40, see docs/pretraining.md.
        policy: the format of the policy; policy.cameras=[all] takes those of the data.
        augment: changes of the images, the state, the instruction and the sound.
        z_loss: weight of the squared log-partition in the loss (paper recipe: 1e-4).
    """

    packs: ClassVar[bool] = True
    free_on_resume: ClassVar[tuple[str, ...]] = (
        *RunConfig.free_on_resume,
        *("data", "init", "policy.cameras"),  # what they refer to is compared instead, see embodio.train.identity
        *(f"sources.*.{key}" for key in ("data", "folder", "cameras")),
    )

    data: str = ""
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    tasks: dict[str, TaskConfig] = field(default_factory=dict, metadata=_TASKS.metadata)
    task: SharedTaskSettings = field(default_factory=SharedTaskSettings)
    mixture: MixtureSettings = field(default_factory=MixtureSettings)
    robot: str = ""
    image_tokenizer: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    init: str = ""
    size: str = "nano"
    action_key: str = "action"
    holdout: int = 16
    absent_instructions: tuple[str, ...] = ()
    value_smoothness: float = 6.0
    value_wavelength: float = 0.0
    policy: PolicyConfig = field(default_factory=lambda: PolicyConfig(cameras=ALL_CAMERAS))
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    z_loss: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.data) == bool(self.sources):
            raise UsageError("data: give data=... for one data set, or sources.<name>.data=... for each of several")
        if self.robot and self.sources and self.robot not in self.sources:
            raise UsageError(f"robot: got {self.robot!r}, expected one of the sources: {', '.join(self.sources)}")
        if self.released and self.robot not in ROBOTS:
            raise UsageError(
                f"robot: got {self.robot!r}, expected one that the released weights know: {', '.join(ROBOTS)}"
            )
        drawing = [name for name in self.tasks if named_task(name).draws()]
        if bool(self.image_tokenizer) != bool(drawing):
            given = f"got {self.image_tokenizer!r}" if self.image_tokenizer else "none is given"
            need = f"{', '.join(drawing)} needs one to draw" if drawing else "no task draws, so none has a use for it"
            raise UsageError(f"image_tokenizer: {need}; {given}")
        require_ranges(self, prompt_tokens=COUNT, answer_tokens=COUNT, holdout=COUNT)
        require_ranges(self, value_smoothness=NOT_NEGATIVE, value_wavelength=NOT_NEGATIVE, z_loss=NOT_NEGATIVE)
        if self.policy.view not in (1.0, self.augment.view):
            raise UsageError(f"policy.view: it follows from augment.crop, as {self.augment.view:g}; leave it out")

    @property
    def released(self) -> bool:
        """Whether `robot` is one of the released weights rather than one of the sources."""
        return bool(self.robot) and not self.sources

    def policy_for(self, robot: Embodiment) -> PolicyConfig:
        """The policy's format for a robot: that of the released robot, if one is named, with the changes of `policy`.

        Raises:
            CheckpointError: the result contradicts itself.
        """
        if not self.released:
            return self.policy
        plain, known = PolicyConfig(cameras=ALL_CAMERAS), ROBOTS[self.robot]
        given = {field.name: getattr(self.policy, field.name) for field in fields(PolicyConfig)}
        changes = {name: value for name, value in given.items() if value != getattr(plain, name)}
        named = [name for name in known.cameras if name in {camera.name for camera in robot.cameras}][:1]
        return replace(known.policy, **({"cameras": tuple(named) or ALL_CAMERAS} | changes))

    @classmethod
    def upgraded(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Saved settings in today's keys: each task with its settings, and defaults for newer ones."""
        tasks, task = saved.get("tasks"), saved.get("task")
        if not isinstance(tasks, dict) or not isinstance(task, dict):
            return dict(saved)
        old = {key: value for key, value in task.items() if key in _MOVED}
        if not tasks and old.get("goal_ahead"):
            tasks = {"next_action": 1.0}
        named = {name: dict(one) if isinstance(one, dict) else {"weight": one} for name, one in tasks.items()}
        for key, value in old.items():
            name, now = _MOVED[key]
            if name in named:
                named[name].setdefault(now, value)
        for name, values in named.items():
            if name in task_summaries():
                named[name] = {each.name: each.default for each in fields(task_settings(name))} | values
        return {**saved, "tasks": named, "task": {key: value for key, value in task.items() if key not in old}}
