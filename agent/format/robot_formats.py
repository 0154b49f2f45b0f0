"""RobotFormats: the robots that one network acts for, each with its own way of reading and writing, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from embodio.agent.errors import AgentError, CheckpointError
from embodio.agent.format.policy_format import PolicyFormat
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EmbodimentMismatch
from embodio.model.file_names import fault_of_name
from embodio.model.tokens.vocabulary import Vocabulary

MOST_ROBOTS = 1000
"""Robots of one network at most."""
OTHER_ROBOT = "make the environment as the checkpoint expects it, or train a policy on this robot"
_MOST_SHOWN, _LONGEST_SHOWN = 12, 100


class RobotFormats(Mapping[str, PolicyFormat]):
    """Name of a robot -> how the network reads and writes it.

    Args:
        formats: of several robots by name, or of the only one, which is then named after its embodiment.
        default: name of the robot that acts where none is asked for; "" asks, unless there is one only.

    Attributes:
        default: as given.
        named: whether the robots were given names; each then has a folder of its own in a checkpoint.

    Raises:
        CheckpointError: there is no robot or too many, a name cannot be that of a folder, the robots are of different
            vocabularies, or `default` is not among them.
    """

    def __init__(self, formats: PolicyFormat | Mapping[str, PolicyFormat], default: str = "") -> None:
        self.named = not isinstance(formats, PolicyFormat)
        robots = {formats.embodiment.name: formats} if isinstance(formats, PolicyFormat) else dict(formats)
        if self.named:
            require_robot_names(list(robots))
        if default and default not in robots:
            raise CheckpointError(f"default: {default!r} is not among the robots {_listed(list(robots))}")
        self._robots, self.default = robots, default
        first = self.vocabulary
        others = [name for name, one in robots.items() if one.vocabulary is not first and one.vocabulary != first]
        if others:
            raise CheckpointError(
                f"robots: {_listed(others)} have another vocabulary than {next(iter(robots))}; one network has one"
            )

    def __getitem__(self, name: str) -> PolicyFormat:
        return self._robots[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._robots)

    def __len__(self) -> int:
        return len(self._robots)

    def __str__(self) -> str:
        """The names of the robots, each with that of its embodiment."""
        return _listed([f"{name} ({one.embodiment.name})" if self.named else name for name, one in self.items()])

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the network, and so of all its robots."""
        return next(iter(self._robots.values())).vocabulary

    def pick(self, wanted: Embodiment | str | None = None) -> str:
        """The name of the robot that is asked for.

        Args:
            wanted: the embodiment to act with, or the name of a robot here or of its embodiment; None for the default
                or the only one.

        Raises:
            EmbodimentMismatch: no robot is like that; names the robots that are there and, for an embodiment, each
                field in which the nearest of them differs.
            CheckpointError: several robots are, and none of them is the default; names them.
        """
        if wanted is None:
            return self._one_of(list(self), "embodiment: this network acts for several robots")
        if isinstance(wanted, str):
            if wanted in self:
                return wanted
            alike = [name for name, one in self.items() if one.embodiment.name == wanted]
            if not alike:
                raise EmbodimentMismatch(f"embodiment: there is no robot {wanted!r}, only {self}{self._hint(wanted)}")
            return self._one_of(alike, f"embodiment: several robots are called {wanted!r}")
        if not isinstance(wanted, Embodiment):
            expected = "expected an Embodiment or the name of a robot"
            raise AgentError(f"embodiment: got a {type(wanted).__name__}, {expected}")
        alike = [name for name, one in self.items() if one.embodiment == wanted]
        if not alike:
            self._refuse(wanted)
        return self._one_of(alike, f"embodiment: several robots have the embodiment {wanted.name!r}")

    def nearest(self, embodiment: Embodiment) -> str:
        """The name of the robot that differs from an embodiment in the fewest fields."""
        return min(self, key=lambda name: len(self[name].embodiment.differences(embodiment)))

    def _one_of(self, names: Sequence[str], problem: str) -> str:
        """The only name, or the default."""
        if len(names) == 1:
            return names[0]
        if self.default in names:
            return self.default
        shown = _listed([f"{name} ({self[name].embodiment.name})" for name in names])
        raise CheckpointError(f"{problem}: {shown}; say which of them by its name, such as {names[0]!r}")

    def _hint(self, wanted: str) -> str:
        names = [*self, *(one.embodiment.name for one in self.values())]
        close = difflib.get_close_matches(wanted, names, 1)
        return f". Did you mean {close[0]!r}?" if close else ""

    def _refuse(self, wanted: Embodiment) -> None:
        """Raises EmbodimentMismatch with the fields in which the nearest robot differs."""
        nearest = self.nearest(wanted)
        about = f"The nearest of the robots {self} is {nearest}; " if len(self) > 1 else ""
        self[nearest].embodiment.require_same(wanted, remedy=f"{about}{OTHER_ROBOT}")


def require_robot_names(names: Sequence[str]) -> None:
    """Refuses names that cannot be those of folders in a checkpoint.

    Raises:
        CheckpointError: there is none, there are too many, or one is not a plain name; names it.
    """
    if not 1 <= len(names) <= MOST_ROBOTS:
        raise CheckpointError(f"robots: got {len(names)}, expected 1 to {MOST_ROBOTS} robots of one network")
    for name in names:
        fault = fault_of_name(name) or ("has a slash" if "/" in name else "")
        if fault or name.startswith("."):
            raise CheckpointError(
                f"robots: the name {name[:_LONGEST_SHOWN]!r} {fault or 'begins with a dot'}; a robot has a plain name, "
                "such as 'left_arm'"
            )


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + rest
