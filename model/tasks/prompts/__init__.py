"""Prompts: the wordings of every family, one YAML file each, and the filling of their slots."""

from embodio.model.tasks.prompts.filling import Filling, Template, fill
from embodio.model.tasks.prompts.wording import Prompts, Wording, Wordings

__all__ = ["Filling", "Prompts", "Template", "Wording", "Wordings", "fill"]
