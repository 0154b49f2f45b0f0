"""`embodio-data verify`: checks of a data set as a table, with what to do about each warning."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.checks.episode_choice import choose_episodes
from embodio.datasets.checks.finding import Finding
from embodio.datasets.checks.masks import check_masks, masked_cameras
from embodio.datasets.checks.poses import check_poses, has_masks
from embodio.datasets.checks.replay import check_robot, environment_of, replay
from embodio.datasets.checks.through_rlds import check_through_rlds
from embodio.datasets.checks.verify import verify
from embodio.datasets.episodes.source import robot_of
from embodio.datasets.opening import open_source
from embodio.datasets.progress import progress_bars
from embodio.train.commands.data.schemas import VerifyConfig

_MASKED = 20  # episodes whose first frames are compared with masks
_COLOURS = {"ok": "green", "warning": "yellow", "note": "cyan", "unknown": "dim"}


def check(config: VerifyConfig) -> int:
    """Runs the checks and shows the table; returns the exit code."""
    source = open_source(config.source, folder=config.folder, split=config.split)
    console = Console(stderr=True, highlight=False)
    with progress_bars(console) as progress:
        task = progress.add_task("reading episodes", total=min(len(source), config.episodes or len(source)))
        findings = verify(
            source,
            config.episodes,
            config.bins,
            every_frame=config.strict,
            done=lambda count: progress.update(task, completed=count),
        )
        read = range(min(len(source), config.episodes or len(source)))
        if masked_cameras(source):
            findings.append(check_masks(source, read[:_MASKED]))
        if has_masks(source):
            findings.append(check_poses(source, read))
        if environment_of(source) is not None:
            findings.append(check_robot(source))
        if config.replay and environment_of(source) is not None:
            numbers = choose_episodes(source, read, config.replay)
            play = progress.add_task("replaying", total=len(numbers))
            findings += replay(source, numbers, done=lambda count: progress.update(play, completed=count))
        if config.with_ == "rlds":
            compared = progress.add_task("reading with rlds", total=len(read))
            findings += check_through_rlds(
                source, len(read), done=lambda count: progress.update(compared, completed=count)
            )
    shown = Console(highlight=False)
    shown.print(_table(source.name, findings))
    if robot_of(source) is None:
        inspect = f"embodio-data inspect {config.source} out={source.name}.yaml"
        shown.print(f"The robot is not described: `{inspect}` proposes how; then verify that file.", markup=False)
    source.close()
    return int(config.strict and any(finding.status == "warning" for finding in findings))


def _table(name: str, findings: list[Finding]) -> Table:
    """One row for each check; the remedy is below the figures, so that both fit a narrow terminal."""
    table = Table("check", "status", "found, and what to do", title=Text(name), show_lines=True)
    for finding in findings:
        found = Text(finding.found)
        if finding.remedy:
            found.append(f"\n-> {finding.remedy}", style=_COLOURS[finding.status])
        table.add_row(Text(finding.check), Text(finding.status, style=_COLOURS[finding.status]), found)
    return table
