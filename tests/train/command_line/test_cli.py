"""The command line: overrides, groups, and what it says when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.train.command_line.building import build, checked, plain_defaults, to_plain
from embodio.train.command_line.cli import compose, run
from embodio.train.command_line.composition import composed
from embodio.train.command_line.help import help_page
from embodio.train.command_line.schema import SchemaError, UsageError, keys_of, nearest


@dataclass(frozen=True)
class Optimiser:
    """Settings of the optimiser.

    Attributes:
        learning_rate: Peak learning rate.
        betas: Decay rates of the two
            moments.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, ...] = (0.9, 0.95)


@dataclass(frozen=True)
class Settings:
    """Settings of a test program.

    Attributes:
        data: Folder of the data set.
        steps: Number of steps.
        name: A free text.
        resume: Whether to go on.
        noise: Noise levels.
        limit: The most episodes.
        weights: Weight by task.
        optimiser: Nested.
    """

    data: Path
    steps: int = 100
    name: str = "a"
    resume: bool = True
    noise: tuple[float, ...] = (0.0, 0.2)
    limit: int | None = None
    weights: dict[str, float] = field(default_factory=lambda: {"lift": 1.0})
    optimiser: Optimiser = field(default_factory=Optimiser)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise UsageError(f"steps must not be negative, got {self.steps}.")


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "configs"
    (folder / "experiment").mkdir(parents=True)
    (folder / "optimiser").mkdir()
    (folder / "experiment" / "lift.yaml").write_text(
        "# test experiment=lift\nsteps: 7\noptimiser:\n  learning_rate: 0.5\nnoise: [1, 2, 3]\n"
    )
    (folder / "optimiser" / "slow.yaml").write_text("# test optimiser=slow\nlearning_rate: 1e-6\n")
    return folder


def test_defaults_and_types() -> None:
    config = compose(Settings, ["data=/d"])
    assert config == Settings(data=Path("/d"))
    assert isinstance(config.data, Path)
    assert isinstance(config.noise, tuple)
    assert isinstance(config.optimiser.betas, tuple)


def test_overrides() -> None:
    given_values = ["data=x/y", "steps=3", "resume=false", "noise=[0.5]", "limit=4", "optimiser.learning_rate=1e-2"]
    config = compose(Settings, [*given_values, "weights.stack=2", "weights.lift=0"])
    assert (config.steps, config.resume, config.noise, config.limit) == (3, False, (0.5,), 4)
    assert config.optimiser.learning_rate == pytest.approx(0.01)
    assert config.weights == {"lift": 0.0, "stack": 2.0}
    assert compose(Settings, ["data=x", "limit=null"]).limit is None


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="$\x00", exclude_categories=["Cc", "Cs"]), max_size=20))
def test_text_is_taken_as_it_stands(text: str) -> None:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    if not quoted and text not in ("null", "???"):
        assert compose(Settings, ["data=d", f"name={text}"]).name == text


ANY = st.builds(
    Settings,
    data=st.text(st.characters(exclude_characters="\x00"), min_size=1).map(Path),
    steps=st.integers(0, 1 << 60),
    name=st.text().filter(lambda text: text != "???"),
    resume=st.booleans(),
    noise=st.lists(st.floats(allow_nan=False)).map(tuple),
    limit=st.none() | st.integers(),
    weights=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    optimiser=st.builds(Optimiser, st.floats(allow_nan=False), st.lists(st.floats(allow_nan=False)).map(tuple)),
)


@given(ANY)
def test_plain_values_build_the_settings_that_they_were_made_of(config: Settings) -> None:
    assert build(Settings, checked(Settings, to_plain(config))) == config


@given(st.floats(allow_nan=False) | st.integers() | st.booleans() | st.text() | st.none() | st.lists(st.integers()))
def test_a_value_is_taken_as_its_type_or_refused(value: object) -> None:
    for name, kinds in (("steps", int), ("name", str), ("resume", bool), ("limit", int | None)):
        try:
            found = checked(Settings, {name: value})[name]
        except UsageError as error:
            assert f"'{name}' must be a" in str(error)
        else:
            assert isinstance(found, kinds) and (name == "resume" or not isinstance(found, bool))
    assert checked(Settings, {"limit": None})["limit"] is None


def test_without_arguments_the_defaults_are_those_that_hydra_composes(configs: Path) -> None:
    assert composed(Settings, [], configs) == checked(Settings, plain_defaults(Settings))


def test_a_group_of_one_field_wins_over_an_experiment(configs: Path) -> None:
    config = compose(Settings, ["optimiser=slow", "experiment=lift", "data=d"], config_dir=configs)
    assert config.optimiser.learning_rate == pytest.approx(1e-6)


def test_quoted_text_loses_its_quotes() -> None:
    assert compose(Settings, ["data=d", "name='lift, the cube'"]).name == "lift, the cube"


def test_group_sets_and_command_line_wins(configs: Path) -> None:
    config = compose(Settings, ["steps=9", "experiment=lift", "data=d"], config_dir=configs)
    assert config.steps == 9
    assert config.optimiser.learning_rate == 0.5
    assert config.noise == (1.0, 2.0, 3.0)


def test_group_named_like_a_field_sets_that_field(configs: Path) -> None:
    config = compose(Settings, ["experiment=lift", "optimiser=slow", "data=d"], config_dir=configs)
    assert config.optimiser.learning_rate == pytest.approx(1e-6)
    assert config.optimiser.betas == (0.9, 0.95)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["stepz=3"], ["There is no key 'stepz'", "Did you mean 'steps'?"]),
        (["learning_rat=3"], ["'learning_rat'", "'optimiser.learning_rate'"]),
        (["optimiser.lerning_rate=3"], ["'optimiser.learning_rate'"]),
        (["experiment=lft"], ["no experiment=lft", "'experiment=lift'", "Known: lift"]),
        (["experimnt=lift"], ["'experimnt'", "'experiment'"]),
        (["zzzzqqqq=3"], ["There is no key 'zzzzqqqq'."]),
        (["steps=many"], ["'steps' must be an int", "'many'"]),
        (["steps=1.5"], ["'steps' must be an int", "'1.5'"]),
        (["steps=1,2"], ["'steps' must be an int", "'1,2'"]),
        (["steps=)"], ["'steps' must be an int"]),
        (["noise=[a]"], ["'noise' must be a list of float"]),
        (["noise=0.5"], ["'noise' must be a list of float"]),
        (["weights.lift=much"], ["'weights.lift' must be a float"]),
        (["resume=perhaps"], ["'resume' must be a bool"]),
        (["optimiser=fast"], ["no optimiser=fast", "Known: slow"]),
        (["optimiser.learning_rate=x"], ["'optimiser.learning_rate' must be a float", "'x'"]),
        (["--steps=3"], ["'--steps=3' is not an option", "'steps=3'"]),
        (["--learning-rate", "3"], ["is not an option", "optimiser.learning_rate"]),
        (["steps"], ["sets nothing"]),
        (["+steps=3"], ["'+steps'", "'steps'"]),
        (["~steps=3"], ["'~steps'", "'steps'"]),
        (["data="], ["'data' must be a path, got ''"]),
        ([], ["'data' must be given", "Folder of the data set"]),
        (["data=d", "steps=-1"], ["must not be negative"]),
    ],
)
def test_mistakes_are_named(arguments: list[str], parts: list[str], configs: Path) -> None:
    with pytest.raises(UsageError) as caught:
        compose(Settings, arguments, config_dir=configs)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("stepz: 3\n", ["'stepz'", "experiment/bad.yaml", "'steps'"]),
        ("optimiser:\n  learning_rat: 3\n", ["optimiser.learning_rat", "experiment/bad.yaml"]),
        ("steps: many\n", ["'steps' must be an int", "'many'", "experiment/bad.yaml"]),
        ("steps: [3\n", ["not valid YAML"]),
        ("name: ${nowhere}\n", ["'name'", "nowhere"]),
        ("- steps\n", ["experiment/bad.yaml", "expected keys"]),
    ],
)
def test_mistakes_in_files_are_named(text: str, parts: list[str], configs: Path) -> None:
    (configs / "experiment" / "bad.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        compose(Settings, ["experiment=bad", "data=d"], config_dir=configs)
    for part in parts:
        assert part in str(caught.value)


def test_run_returns_exit_codes(capsys: pytest.CaptureFixture[str], configs: Path) -> None:
    seen: list[Settings] = []

    def program(config: Settings) -> int | None:
        seen.append(config)
        if config.name == "user":
            raise FileNotFoundError("no such folder: d")
        if config.name == "interrupt":
            raise KeyboardInterrupt
        return 4 if config.name == "four" else None

    def call(*arguments: str) -> int:
        errors = (FileNotFoundError,)
        return run(Settings, program, arguments, prog="t", description="D.", config_dir=configs, user_errors=errors)

    assert call("data=d") == 0
    assert seen[-1].data == Path("d")
    assert call("data=d", "name=four") == 4
    assert call("data=d", "name=user") == 1
    assert call("data=d", "name=interrupt") == 130
    count = len(seen)
    assert call("data=d", "stepz=1") == 2
    assert len(seen) == count
    error = capsys.readouterr().err
    assert "no such folder: d" in error
    assert "'steps'" in error
    assert "Traceback" not in error


def test_a_bug_is_not_dressed_up_as_a_user_error() -> None:
    def program(config: Settings) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Settings, program, ["data=d"], prog="t", description="D.")


def test_help_lists_every_key(capsys: pytest.CaptureFixture[str], configs: Path) -> None:
    def program(config: Settings) -> None:
        raise AssertionError("--help must not run the program")

    arguments = ["experiment=lift", "--help"]
    assert run(Settings, program, arguments, prog="t", description="Does things.", config_dir=configs) == 0
    page = capsys.readouterr().out
    for key in keys_of(Settings).values():
        line = next(line for line in page.splitlines() if line.split()[:1] == [key.name])
        assert key.type_name in line
    assert "experiment=lift" in page
    assert next(line for line in page.splitlines() if line.split()[:1] == ["steps"]).split()[2] == "7"
    assert "(required)" in page
    assert "moments." in page


def test_show_prints_what_would_run(capsys: pytest.CaptureFixture[str], configs: Path) -> None:
    def program(config: Settings) -> None:
        raise AssertionError("--show must not run the program")

    assert run(Settings, program, ["steps=5", "--show"], prog="t", description="D.", config_dir=configs) == 0
    assert "steps: 5" in capsys.readouterr().out


def test_no_folder_of_results_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(Settings, lambda config: None, ["data=d"], prog="t", description="D.") == 0
    assert list(tmp_path.iterdir()) == []


def test_every_field_needs_a_line() -> None:
    @dataclass
    class Silent:
        """No attributes."""

        speed: int = 1

    with pytest.raises(SchemaError, match=r"Silent\.speed"):
        keys_of(Silent)
    with pytest.raises(SchemaError, match="not a dataclass"):
        keys_of(int)


def test_help_page_wraps_to_the_width() -> None:
    page = help_page("t", "word " * 60, [], keys_of(Settings), {}, {}, width=80)
    assert max(len(line) for line in page.splitlines()) <= 80


def test_nearest() -> None:
    assert nearest("episods", ["seed", "episodes"]) == "episodes"
    assert nearest("xqz", ["seed", "episodes"]) is None


def test_a_file_that_cannot_be_written_is_one_line_and_other_system_errors_are_bugs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(config: Settings) -> None:
        if config.name == "bug":
            raise OSError("no file is to blame")
        (config.data / "below").mkdir()

    plain = tmp_path / "file"
    plain.touch()
    assert run(Settings, write, [f"data={plain}"], prog="t", description="D.") == 1
    assert f"t: {plain}/below: Not a directory" in capsys.readouterr().err
    with pytest.raises(OSError, match="to blame"):
        run(Settings, write, ["data=d", "name=bug"], prog="t", description="D.")


def test_a_mapping_that_the_shell_took_apart_says_how_to_write_it() -> None:
    with pytest.raises(UsageError, match=r"weights\.<name>=value"):
        compose(Settings, ["data=d", "weights=lift:1", "weights=stack:2"])


def test_a_choice_of_words_is_checked() -> None:
    @dataclass
    class Chosen:
        """A choice.

        Attributes:
            way: one of two.
        """

        way: Literal["left", "right"] = "left"

    assert compose(Chosen, ["way=right"]).way == "right"
    with pytest.raises(UsageError, match="'way' must be a choice of left, right, got 'up'"):
        compose(Chosen, ["way=up"])


def test_initials_of_a_key_are_understood() -> None:
    assert nearest("lr", ["augment.blur", "optimiser.learning_rate"]) == "optimiser.learning_rate"
