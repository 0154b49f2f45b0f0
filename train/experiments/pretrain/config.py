"""Settings of a pre-training run, as dataclasses; `train/configs/experiment/pretrain_nano.yaml` fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives import objective_settings, objective_summaries
from embodio.datasets.objectives.objective import ObjectiveConfig
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, SHARE, require_ranges
from embodio.train.command_line.schema import NamedElements, UsageError
from embodio.train.run_config import RunConfig
from embodio.train.task_config import MixtureSettings

_OBJECTIVES = NamedElements(objective_summaries, objective_settings, short="weight", errors=(DatasetError,))
TARGETS = ("text", "image", "audio")


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
class PretrainConfig(RunConfig):
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
        size: named size of the network: nano_generalist, large, xl or xxl.
        targets: what the network writes: text, image, audio.
        vocabulary: file of text pieces, or folder with a vocabulary.model; empty for those that ship.
        image_tokenizer: folder or shipped name of the frozen tokeniser of image targets.
        audio_tokenizer: the same for audio targets.
        codes: use codes that `embodio-data codes` made ahead next to the corpus, where it has them; or ignore them.
        init: initial weights of a new run instead of random ones, see embodio-train --help.
        patches: share of the patches of images and sounds that the encoders see in training; validation sees all.
        dynamic_masking: hide from the decoder what was hidden from the encoder (paper, section 3.3).
        sparse_decoding: row, column and neighbourhood masks for image and audio targets (paper, section 3.2).
        holdout: records of the validation split of each source that are measured.
        samples: held-out examples whose targets the network writes at each validation, for the report; 0 for none.
        z_loss: weight of the squared log-partition in the loss.
    """

    packs: ClassVar[bool] = True
    free_on_resume: ClassVar[tuple[str, ...]] = (
        *RunConfig.free_on_resume,
        *("data", "init", "holdout", "samples", "vocabulary", "image_tokenizer", "audio_tokenizer", "sources.*.place"),
        *("missing", "codes"),
    )
    """What paths refer to is compared instead, by content."""

    data: str = ""
    sources: dict[str, PretrainSource] = field(default_factory=dict)
    corpora: str = ""
    missing: str = "error"
    shippable: bool = False
    mixture: MixtureSettings = field(default_factory=MixtureSettings)
    objectives: dict[str, ObjectiveConfig] = field(
        default_factory=lambda: {"multimodal": objective_settings("multimodal")()}, metadata=_OBJECTIVES.metadata
    )
    size: str = "nano_generalist"
    targets: tuple[str, ...] = TARGETS
    vocabulary: str = ""
    image_tokenizer: str = ""
    audio_tokenizer: str = ""
    codes: str = "use"
    init: str = ""
    patches: float = 0.5
    dynamic_masking: bool = True
    sparse_decoding: bool = False
    holdout: int = 128
    samples: int = 8
    z_loss: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data and not (self.sources and all(source.place for source in self.sources.values())):
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if bool(self.sources) == bool(self.corpora):
            raise UsageError("sources: give at least one, such as sources.wordnet.weight=1, or corpora=nano, not both")
        if self.missing not in ("error", "skip"):
            raise UsageError(f"missing: got {self.missing!r}, expected error or skip")
        if self.codes not in ("use", "ignore"):
            raise UsageError(f"codes: got {self.codes!r}, expected use or ignore")
        if not self.targets or not set(self.targets) <= set(TARGETS):
            raise UsageError(f"targets: got {list(self.targets)}, expected some of {', '.join(TARGETS)}")
        for name in ("image", "audio"):
            given = bool(getattr(self, f"{name}_tokenizer"))
            if given != (name in self.targets):
                problem = f"targets has {name}, so give one" if not given else f"targets lacks {name}, so leave it out"
                raise UsageError(f"{name}_tokenizer: {problem}")
        for name, source in self.sources.items():
            if unknown := set(source.objectives) - set(self.objectives):
                raise UsageError(
                    f"sources.{name}.objectives: {', '.join(sorted(unknown))} not among those of the run: "
                    f"{', '.join(self.objectives)}"
                )
        if not self.patches > 0:
            raise UsageError(f"patches: got {self.patches}, expected a share above 0")
        require_ranges(self, patches=SHARE, holdout=AT_LEAST_ONE, samples=COUNT, z_loss=NOT_NEGATIVE)

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
