"""RobotFormats: the robots of one network by name, each with its own format of inputs and outputs."""

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
"""Largest number of robots of one network."""
OTHER_ROBOT = "make the environment as the checkpoint expects it, or train a policy on this robot"
_MOST_SHOWN, _LONGEST_SHOWN = 12, 100


class RobotFormats(Mapping[str, PolicyFormat]):
    """Name of a robot -> the format of its inputs and outputs.

    Args:
        formats: formats of several robots by name, or the format of the only one, named after its embodiment.
        default: name of the robot that acts if none is requested; "" requires a request if there are several.

    Attributes:
        default: as given.
        named: whether the robots were given names; each then has its own folder in a checkpoint.

    Raises:
        CheckpointError: there is no robot or too many, a name cannot be a folder name, the vocabularies differ, or
            `default` is not among the robots.
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
        """The vocabulary of the network, shared by all its robots."""
        return next(iter(self._robots.values())).vocabulary

    def pick(self, wanted: Embodiment | str | None = None) -> str:
        """The name of the requested robot.

        Args:
            wanted: the embodiment to act with, or the name of a robot here or of its embodiment; None for the default
                or the only one.

        Raises:
            EmbodimentMismatch: no robot matches; names the available robots and, for an embodiment, each field in
                which the nearest of them differs.
            CheckpointError: several robots match, and none of them is the default; names them.
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
        """Raises EmbodimentMismatch with the fields in which the nearest robot differs from `wanted`."""
        nearest = self.nearest(wanted)
        about = f"The nearest of the robots {self} is {nearest}; " if len(self) > 1 else ""
        self[nearest].embodiment.require_same(wanted, remedy=f"{about}{OTHER_ROBOT}")


def require_robot_names(names: Sequence[str]) -> None:
    """Checks that names can be folder names in a checkpoint.

    Raises:
        CheckpointError: there are no names, too many, or one is not a plain name; names it.
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
