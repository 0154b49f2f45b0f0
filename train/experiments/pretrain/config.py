"""Settings of a pre-training run, as dataclasses; `train/configs/experiment/pretrain_nano.yaml` fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives import objective_settings, objective_summaries
from embodio.datasets.objectives.objective import ObjectiveConfig
from embodio.train.command_line.ranges import NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import NamedElements, UsageError
from embodio.train.experiments.pretrain.stage import NetworkStageConfig
from embodio.train.task_config import MixtureSettings

_OBJECTIVES = NamedElements(objective_summaries, objective_settings, short="weight", errors=(DatasetError,))


@dataclass(frozen=True)
class PretrainSource:
    """One source of a corpus.

    Attributes:
        weight: its rate among the sources, up to a common factor.
        category: its category, if mixture.categories are given; empty is its own name.
        place: folder, pattern or URL of its records; empty is the folder of its name in the corpus.
        objectives: names of the objectives that are drawn for its records; empty for all of the run.
    """

    weight: float = 1.0
    category: str = ""
    place: str = ""
    objectives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(self, "sources.<name>.", weight=NOT_NEGATIVE)


@dataclass(frozen=True)
class PretrainConfig(NetworkStageConfig):
    """Pre-training on a corpus.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it: a folder for each source.
        sources: name of a source -> its rate and settings, such as sources.wordnet.weight=0.3.
        corpora: a config with sources, rates and objectives in place of `sources`: paper (Table 10 of the paper), nano,
            or a YAML file; see docs/records.md. Settings of `objectives` hold for it, and weight=0 leaves one out.
        missing: what happens where files of a source of `corpora` are missing: error names them, skip goes on without.
        shippable: leave out sources of `corpora` on which weights that are passed on may not be trained.
        mixture: how sources share the stream.
        objectives: what is done with records: name -> its rate among those that suit a record, and its settings.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*NetworkStageConfig.free_on_resume, "sources.*.place", "missing")
    """What paths refer to is compared instead, by content."""

    sources: dict[str, PretrainSource] = field(default_factory=dict)
    corpora: str = ""
    missing: str = "error"
    shippable: bool = False
    mixture: MixtureSettings = field(default_factory=MixtureSettings)
    objectives: dict[str, ObjectiveConfig] = field(
        default_factory=lambda: {"multimodal": objective_settings("multimodal")()}, metadata=_OBJECTIVES.metadata
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data and not (self.sources and all(source.place for source in self.sources.values())):
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if bool(self.sources) == bool(self.corpora):
            raise UsageError("sources: give at least one, such as sources.wordnet.weight=1, or corpora=nano, not both")
        if self.missing not in ("error", "skip"):
            raise UsageError(f"missing: got {self.missing!r}, expected error or skip")
        for name, source in self.sources.items():
            if unknown := set(source.objectives) - set(self.objectives):
                raise UsageError(
                    f"sources.{name}.objectives: {', '.join(sorted(unknown))} not among those of the run: "
                    f"{', '.join(self.objectives)}"
                )

    @classmethod
    def upgraded(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Saved settings in today's keys: packing was on where rows had a size."""
        rows = saved.get("packing")
        if isinstance(rows, dict) and "enabled" not in rows:
            return {**saved, "packing": {"enabled": bool(rows.get("encoder")), **rows}}
        return dict(saved)

    def place(self, name: str) -> str:
        """Where the records of a source are."""
        return self.sources[name].place or str(Path(self.data) / name)
