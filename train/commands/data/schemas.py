"""Settings of the verbs of `embodio-data`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from embodio.datasets.catalogue.kinds import KINDS, MODALITIES
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.engines import engine_names
from embodio.datasets.errors import DatasetError
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, Range, require_ranges
from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class InspectConfig:
    """Settings of `embodio-data inspect`.

    Attributes:
        source: folder, file, URL, YAML file, name of the catalogue, or tfds:NAME.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        out: YAML file to write the proposed description to; null shows it.
    """

    source: str
    folder: str | None = None
    split: str | None = None
    out: Path | None = None


@dataclass(frozen=True)
class PromptsConfig:
    """Settings of `embodio-data prompts`.

    Attributes:
        source: YAML file of wordings, named after its family, or a folder of such files; null takes the package's own.
        family: shows only this family, with all its wordings.
        examples: how many wordings of each group are shown; null shows one, or all of `family`.
    """

    source: Path | None = None
    family: str | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        if self.examples is not None:
            require_ranges(self, examples=AT_LEAST_ONE)


@dataclass(frozen=True)
class RecordsConfig:
    """Settings of `embodio-data records`.

    Attributes:
        source: file, folder, pattern such as "shards/{0000..0127}.tar", or a URL of one of these.
        split: such as train or validation; empty for data without splits.
        reader: arrow, episodes, jsonl, media_folder, parquet, text, tfds or webdataset; empty recognises the files.
        columns: part of a record -> its column or columns, with commas between them; what is not named is guessed.
        unit: what is one record of a plain text: line, file or piece.
        duplicates: keep, or drop records that were there before.
        look: how many records, from across the corpus, are read and decoded.
        workers: processes that make indices of files at the same time.
        engine: local, or ray for the machines of a Ray cluster (RAY_ADDRESS) that share the folder.
    """

    source: str
    split: str = ""
    reader: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    unit: str = "piece"
    duplicates: str = "keep"
    look: int = 32
    workers: int = 1
    engine: str = "local"

    def __post_init__(self) -> None:
        require_ranges(self, look=AT_LEAST_ONE, workers=AT_LEAST_ONE)
        _require_engine(self.engine)


@dataclass(frozen=True)
class TasksConfig:
    """Settings of `embodio-data tasks`.

    Attributes:
        source: name of a task, to show all that is known of it; empty lists many.
        data: root of all data: shows which tasks can be read below it.
        match: only tasks whose name or title contains this text.
        category: only tasks of a category or a group of categories whose name contains this text, such as audio.
        family: only tasks of this family, such as caption.
        modality: only tasks that read or write it: text, image, audio, video or robot.
        licence: only tasks whose licence contains this text, such as "CC BY 4.0".
        kind: only tasks of this kind: prompted, pretraining, augmentation or free_form.
        format: only tasks in this format, such as coco.
        readable: only tasks that can be read below data.
        rows: list all tasks; without a filter only their categories are listed.
        catalogue: nano for the tasks over the corpus of this machine, or a folder of YAML files of your own; empty for
            those of the paper.
        out: JSON file to write the tasks to.
    """

    source: str = ""
    data: Path | None = None
    match: str = ""
    category: str = ""
    family: str = ""
    modality: str = ""
    licence: str = ""
    kind: str = ""
    format: str = ""
    readable: bool = False
    rows: bool = False
    catalogue: str = ""
    out: Path | None = None

    def __post_init__(self) -> None:
        for name, known in (("modality", MODALITIES), ("kind", KINDS)):
            if getattr(self, name) not in ("", *known):
                raise UsageError(f"{name}: got {getattr(self, name)!r}, expected one of {', '.join(known)}")
        if self.readable and self.data is None:
            raise UsageError("readable: give the root of all data too, such as data=data")


@dataclass(frozen=True)
class AnnotationsConfig:
    """Settings of `embodio-data annotations`.

    Attributes:
        source: the file of annotations, or the folder where the format says so.
        format: name of the format, such as coco; docs/evaluation.md lists them.
        family: of tasks, such as detect.
        media: folder of pictures, sounds and videos; null for the folder of the source.
        reading: further settings of the format, such as {split: val, frames: 2}.
        fields: of the format table, field -> column or template, such as {image: "{id}.jpg", text: caption}.
        count: how many items, from across the file, are looked at.
        out: HTML file with these items as examples of a network; null writes none.
        network: of which size the network is that the examples are made for.
        vocabulary: of that network: a file, its folder, or text-nano; empty for that of policies, which ships.
        seed: of the draws of wordings.
    """

    source: str
    format: str
    family: str
    media: Path | None = None
    reading: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    count: int = 8
    out: Path | None = None
    network: str = "nano_generalist"
    vocabulary: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, count=AT_LEAST_ONE, seed=COUNT)


@dataclass(frozen=True)
class StatsConfig:
    """Settings of `embodio-data stats`.

    Attributes:
        source: folder, file, URL, YAML file, name of the catalogue, or tfds:NAME.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        fields: numeric fields of a step; empty takes those of action, expert_action and state that exist.
        episodes: how many episodes to read; 0 reads all.
        out: JSON file to write them to; null only shows them.
        workers: processes that read episodes at the same time; the result does not depend on it.
        engine: local, or ray for the machines of a Ray cluster (RAY_ADDRESS) that share the data; the result does not
            depend on it.
    """

    source: str
    folder: str | None = None
    split: str | None = None
    fields: tuple[str, ...] = ()
    episodes: int = 0
    out: Path | None = None
    workers: int = 1
    engine: str = "local"

    def __post_init__(self) -> None:
        require_ranges(self, episodes=COUNT, workers=AT_LEAST_ONE)
        _require_engine(self.engine)


@dataclass(frozen=True)
class ConvertDataConfig:
    """Settings of `embodio-data convert`.

    Attributes:
        source: folder, file, URL, YAML file, name of the catalogue, or tfds:NAME.
        out: folder of the new data set; must be empty or not exist.
        to: layout of the new data set, rlds or lerobot.
        name: of the new data set: lower-case letters, digits and underscores; null makes it from the source's.
        images: png keeps every value; RLDS also takes jpeg, LeRobot video; null takes png for RLDS, video for LeRobot.
        fps: steps per second for LeRobot; null takes that of the robot.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA. For tfds:NAME, what
            tfds calls data_dir; null looks in TFDS_DATA_DIR, else ~/tensorflow_datasets.
        split: name of the split; null takes the usual one.
    """

    source: str
    out: Path
    to: str = "rlds"
    name: str | None = None
    images: str | None = None
    fps: float | None = None
    folder: str | None = None
    split: str | None = None

    @property
    def settings(self) -> ConversionSettings:
        """The part that decides what is written; raises DatasetError if it makes no sense."""
        return ConversionSettings(self.to, self.name, self.images, self.fps)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        try:
            _ = self.settings
        except DatasetError as error:
            raise UsageError(str(error)) from error


@dataclass(frozen=True)
class VisualiseConfig:
    """Settings of `embodio-data visualise`.

    Attributes:
        source: folder, file, URL, YAML file, name of the catalogue, or tfds:NAME; with `objective` a corpus.
        out: the HTML file to write.
        objective: shows what this objective of pre-training makes of the records of a corpus; all takes, for each
            record, every one that suits it.
        network: of which size the network is that the examples are made for.
        vocabulary: of that network: a file, its folder, or text-nano; empty for that of policies, which ships.
        seed: of the draws of objectives.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        episodes: numbers of the episodes, or of the records; empty takes `count` of them.
        count: number of episodes, the first ones, or of records, evenly spread, if `episodes` is empty.
        checkpoint: shows the tokens as this policy sees them; null takes a plain policy with the robot's own limits.
    """

    source: str
    out: Path
    folder: str | None = None
    split: str | None = None
    episodes: tuple[int, ...] = ()
    count: int = 3
    checkpoint: str | None = None
    objective: str | None = None
    network: str = "nano_generalist"
    vocabulary: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, count=AT_LEAST_ONE, episodes=COUNT, seed=COUNT)


@dataclass(frozen=True)
class VerifyConfig:
    """Settings of `embodio-data verify`.

    Attributes:
        source: folder, file, URL, YAML file, name of the catalogue, or tfds:NAME.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        episodes: how many episodes to read; 0 reads all.
        bins: number of bins of a continuous action dimension.
        replay: number of episodes, spread over the tasks, to replay in the simulator, if the robot belongs to one of
            our environments.
        strict: open every image, not only the first and last one of each camera and episode; a warning makes the exit
            code 1.
        with_: rlds also reads the data with tfds and rlds, in a separate process, and compares; only for RLDS data,
            and needs the extra `tf`.
    """

    source: str
    folder: str | None = None
    split: str | None = None
    episodes: int = 0
    bins: int = 201
    replay: int = 3
    strict: bool = False
    with_: str | None = None

    def __post_init__(self) -> None:
        require_ranges(self, episodes=COUNT, replay=COUNT, bins=Range(2))
        if self.with_ not in (None, "rlds"):
            raise UsageError(f"with={self.with_}: only with=rlds is there, or nothing")


@dataclass(frozen=True)
class CorpusConfig:
    """Settings of `embodio-data corpus`.

    Attributes:
        out: folder of the corpus; one that was interrupted there is resumed.
        sources: names of the sources; empty takes all that are found on this machine.
        limit: the most items of each source; null takes all, and of what is generated the usual number.
        workers: processes that make shards at the same time; the result does not depend on it.
        engine: local, or ray for the machines of a Ray cluster (RAY_ADDRESS) that share the folder; the result does not
            depend on it.
        seed: of all that is drawn at random.
    """

    out: Path
    sources: tuple[str, ...] = ()
    limit: int | None = None
    workers: int = 2
    engine: str = "local"
    seed: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, workers=AT_LEAST_ONE, seed=COUNT)
        _require_engine(self.engine)
        if self.limit is not None:
            require_ranges(self, limit=AT_LEAST_ONE)


@dataclass(frozen=True)
class CodesConfig:
    """Settings of `embodio-data codes`.

    Attributes:
        source: folder of the corpus, as in `embodio-train ... data=`; the codes are kept in it.
        corpora: which of its sources: a config of the catalogue, such as nano or paper, or a YAML file.
        image_tokenizer: folder or shipped name of the tokeniser of images; empty codes none.
        audio_tokenizer: the same of sounds.
        size: of the network that is to be trained, which says how long a segment of sound is.
        workers: processes that make codes at the same time; the result does not depend on it.
        engine: local, or ray for the machines of a Ray cluster (RAY_ADDRESS) that share the folder; the result does not
            depend on it.
    """

    source: str
    corpora: str = "nano"
    image_tokenizer: str = ""
    audio_tokenizer: str = ""
    size: str = "nano_generalist"
    workers: int = 1
    engine: str = "local"

    def __post_init__(self) -> None:
        require_ranges(self, workers=AT_LEAST_ONE)
        _require_engine(self.engine)
        if not (self.image_tokenizer or self.audio_tokenizer):
            raise UsageError("image_tokenizer, audio_tokenizer: give at least one; embodio-train makes them")


def _require_engine(name: str) -> None:
    if name not in engine_names():
        raise UsageError(f"engine={name}: there are {', '.join(engine_names())}")
