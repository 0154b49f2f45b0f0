from .input_config import InputConfig as InputConfig
from .kept_steps import KeptSteps as KeptSteps
from .next_action import NextAction as NextAction
from .registry import TASKS as TASKS
from .registry import NamedTask as NamedTask
from .registry import UnknownTaskError as UnknownTaskError
from .registry import named_task as named_task
