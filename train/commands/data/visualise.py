"""`embodio-data visualise`: a page with video, plots and tokens of some episodes."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from rich.console import Console

from embodio.agent.errors import AgentError
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.folder_lock import sole_writer
from embodio.datasets.opening import open_source
from embodio.datasets.pages.episode_page import TokenTable
from embodio.datasets.pages.visualise import write_page
from embodio.datasets.progress import counted
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import VisualiseConfig


def visualise(config: VisualiseConfig) -> int:
    """Writes the page; returns the exit code."""
    require_writable(config.out)
    with sole_writer(config.out, "writing"):
        return _visualise(config)


def _visualise(config: VisualiseConfig) -> int:
    source = open_source(config.source, folder=config.folder, split=config.split)
    numbers = config.episodes or tuple(range(min(config.count, len(source))))
    policy, note = _format(source, config.checkpoint)
    console = Console(stderr=True, highlight=False)
    with counted("episodes", len(numbers), console) as done:
        write_page(
            source,
            numbers,
            config.out,
            tokens=lambda episode: token_table(policy, episode, note) if policy else TokenTable(note, (), ()),
            done=done,
        )
    console.print(f"{config.out}: {len(numbers)} episodes, {config.out.stat().st_size / 1e6:.1f} MB", markup=False)
    source.close()
    return 0


def _format(source: EpisodeSource, checkpoint: str | None) -> tuple[PolicyFormat | None, str]:
    """The format in which a policy reads this data, and a note on the policy; without a robot only the reason."""
    if checkpoint is not None:
        from embodio.agent.checkpoint import load_checkpoint  # imports torch, which the other verbs do not need

        loaded = load_checkpoint(checkpoint, source.embodiment)
        found = loaded.robots[loaded.robots.pick(source.embodiment)]
        return found, f"As the policy {checkpoint} reads and writes them."
    try:
        robot = source.embodiment
        config = PolicyConfig(
            cameras=tuple(camera.name for camera in robot.cameras[:1]),
            state_range="limits",
            chunk=1,
            prompt="{instruction} State: {state}" if robot.state else "{instruction}",
        )
        policy = PolicyFormat(config, robot, DatasetStatistics({}, source=source.name), Vocabulary.default())
    except (DatasetError, AgentError) as error:
        return None, f"Tokens need a described robot: {error}"
    return policy, "A plain policy: actions and state cut into bins between the limits of the robot."


def token_table(policy: PolicyFormat, episode: EpisodeView, note: str) -> TokenTable:
    """The input text and the action bins at every step; each value token is shown as its bin, 0 to 999, in <>.

    Args:
        policy: the policy's format.
        episode: of the robot of that policy.
        note: shown above the table.
    """
    vocabulary = policy.vocabulary
    try:
        instruction = episode.instruction
        actions = episode.array("action")
        states = episode.array("state") if policy.reads_state else None
        ids = [policy.write(action) for action in actions]
        rows, ages = [], policy.config.history_ages
        for step in range(len(episode)):
            moment: dict[str, Any] = {"previous_actions": actions[max(0, step - policy.previous_actions) : step]}
            moment |= {} if states is None else {"state": states[step]}
            moment["history"] = [_past(actions, states, step - age) for age in ages if age <= step]
            prompt = policy.prompt(moment, instruction)
            bins = " ".join(_sign(vocabulary, token) for token in ids[step])
            text = "".join(part if isinstance(part, str) else _sign(vocabulary, part) for part in prompt)
            rows.append((str(step), text, str(len(vocabulary.encode(prompt))), bins))
    except (DatasetError, AgentError) as error:
        return TokenTable(f"This episode cannot be written as tokens: {error}", (), ())
    names = " ".join(dimension.name for dimension in policy.embodiment.action.dimensions)
    return TokenTable(note, ("step", "input text", "input tokens", f"action bins: {names}"), rows)


def _past(actions: npt.NDArray[Any], states: npt.NDArray[Any] | None, step: int) -> dict[str, Any]:
    """The action of an earlier step, and its state if it is read."""
    return {"action": actions[step], **({} if states is None else {"state": states[step]})}


def _sign(vocabulary: Vocabulary, token: int) -> str:
    """A token that is not plain text: a value as its bin, others by their name."""
    if token in vocabulary.value_ids:
        return f"<{vocabulary.value_bin(token)}>"
    return vocabulary.decode([token])
