"""The 50 tasks of Meta-World: their instructions in several wordings, their difficulty, and the suites of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Difficulty = Literal["easy", "medium", "hard", "very_hard"]
"""Groups of tasks by which LeRobot and others report success (Seo et al. 2022, Masked World Models)."""


@dataclass(frozen=True)
class MetaworldTask:
    """A task of Meta-World.

    Attributes:
        difficulty: group that success is reported by.
        standard: the instruction in LeRobot's data sets and evaluation.
        others: more wordings to train with.
        held_out: wordings that only evaluation uses.
    """

    difficulty: Difficulty
    standard: str
    others: tuple[str, ...]
    held_out: tuple[str, ...]


def _task(difficulty: Difficulty, standard: str, one: str, other: str, held_out: str) -> MetaworldTask:
    return MetaworldTask(difficulty, standard, (one, other), (held_out,))


TASKS = {
    "assembly": _task(
        "hard", "Pick up a nut and place it onto a peg",
        "put the nut on the peg", "lift the nut and slide it over the peg", "fit the ring onto the upright post",
    ),
    "basketball": _task(
        "medium", "Dunk the basketball into the basket",
        "put the ball through the hoop", "drop the basketball into the net", "score a basket",
    ),
    "bin-picking": _task(
        "medium", "Grasp the puck from one bin and place it into another bin",
        "move the puck to the other bin", "pick the puck out of its bin and drop it in the next one",
        "transfer the object between the two containers",
    ),
    "box-close": _task(
        "medium", "Grasp the cover and close the box with it",
        "put the lid on the box", "close the box with its cover", "cap the open box",
    ),
    "button-press-topdown": _task(
        "easy", "Press a button from the top",
        "push the button down from above", "press down on the button", "hit the switch from overhead",
    ),
    "button-press-topdown-wall": _task(
        "easy", "Bypass a wall and press a button from the top",
        "reach over the wall and push the button down", "go around the wall and press the button from above",
        "get past the barrier and hit the switch from overhead",
    ),
    "button-press": _task(
        "easy", "Press a button", "push the button in", "press the button on the box", "hit the switch on the front",
    ),
    "button-press-wall": _task(
        "easy", "Bypass a wall and press a button",
        "reach over the wall and push the button in", "go around the wall and press the button",
        "get past the barrier and hit the switch on the front",
    ),
    "coffee-button": _task(
        "easy", "Push a button on the coffee machine",
        "press the button of the coffee machine", "start the coffee machine", "make the machine brew a coffee",
    ),
    "coffee-pull": _task(
        "medium", "Pull a mug from a coffee machine",
        "take the mug away from the coffee machine", "drag the mug out from under the coffee machine",
        "fetch the cup from the coffee maker",
    ),
    "coffee-push": _task(
        "medium", "Push a mug under a coffee machine",
        "move the mug to the coffee machine", "slide the mug under the spout of the coffee machine",
        "set the cup below the coffee maker",
    ),
    "dial-turn": _task(
        "easy", "Rotate a dial 180 degrees",
        "turn the dial by half a turn", "spin the dial halfway round", "twist the knob through half a circle",
    ),
    "disassemble": _task(
        "very_hard", "Pick a nut out of a peg",
        "take the nut off the peg", "lift the nut from the peg", "pull the ring off the upright post",
    ),
    "door-close": _task(
        "easy", "Close a door with a revolving joint",
        "close the door", "push the door shut", "swing the door to until it is closed",
    ),
    "door-lock": _task(
        "easy", "Lock the door by rotating the lock clockwise",
        "lock the door", "turn the lock clockwise", "bolt the door",
    ),
    "door-open": _task(
        "easy", "Open a door with a revolving joint",
        "open the door", "pull the door open by its handle", "swing the door wide",
    ),
    "door-unlock": _task(
        "easy", "Unlock the door by rotating the lock counter-clockwise",
        "unlock the door", "turn the lock counter-clockwise", "unbolt the door",
    ),
    "drawer-close": _task(
        "easy", "Push and close a drawer", "close the drawer", "push the drawer in", "shut the open drawer",
    ),
    "drawer-open": _task(
        "easy", "Open a drawer", "pull the drawer open", "pull the drawer out by its handle", "slide the drawer out",
    ),
    "faucet-close": _task(
        "easy", "Rotate the faucet clockwise",
        "close the faucet", "turn the handle of the faucet clockwise", "shut off the tap",
    ),
    "faucet-open": _task(
        "easy", "Rotate the faucet counter-clockwise",
        "open the faucet", "turn the handle of the faucet counter-clockwise", "turn on the tap",
    ),
    "hammer": _task(
        "medium", "Hammer a screw on the wall",
        "drive the nail into the wall with the hammer", "pick up the hammer and hit the screw",
        "use the tool to knock the nail in",
    ),
    "hand-insert": _task(
        "hard", "Insert the gripper into a hole",
        "put the gripper into the hole", "lower the hand into the hole in the table", "reach down into the opening",
    ),
    "handle-press-side": _task(
        "easy", "Press a handle down sideways",
        "push the handle at the side down", "press the lever down from the side", "force the side handle downwards",
    ),
    "handle-press": _task(
        "easy", "Press a handle down", "push the handle down", "press down on the handle", "lower the lever in front",
    ),
    "handle-pull-side": _task(
        "easy", "Pull a handle up sideways",
        "pull the handle at the side up", "raise the lever from the side", "force the side handle upwards",
    ),
    "handle-pull": _task(
        "easy", "Pull a handle up", "pull the handle up", "raise the handle", "lift the lever in front",
    ),
    "lever-pull": _task(
        "easy", "Pull a lever down 90 degrees",
        "pull the lever", "turn the lever by a quarter turn", "throw the lever over by ninety degrees",
    ),
    "peg-insert-side": _task(
        "medium", "Insert a peg sideways",
        "put the peg into the hole at the side", "pick up the peg and push it into the hole",
        "slot the stick into the box from the side",
    ),
    "peg-unplug-side": _task(
        "easy", "Unplug a peg sideways",
        "pull the peg out of its hole", "unplug the peg", "draw the stick out of the box",
    ),
    "pick-out-of-hole": _task(
        "hard", "Pick up a puck from a hole",
        "take the puck out of the hole", "lift the puck from the hole to the goal", "fish the object out of the pit",
    ),
    "pick-place": _task(
        "hard", "Pick and place a puck to a goal",
        "pick up the puck and hold it at the goal", "lift the puck to the marked point",
        "grab the object and carry it to the target",
    ),
    "pick-place-wall": _task(
        "very_hard", "Pick a puck, bypass a wall and place the puck",
        "carry the puck over the wall to the goal", "pick up the puck and bring it past the wall to the marked point",
        "lift the object across the barrier to the target",
    ),
    "plate-slide-back-side": _task(
        "easy", "Get a plate from the cabinet sideways",
        "slide the plate sideways out of the cabinet", "pull the plate out of the cabinet to the side",
        "move the disc out of the goal sideways",
    ),
    "plate-slide-back": _task(
        "easy", "Get a plate from the cabinet",
        "slide the plate out of the cabinet", "pull the plate back out of the cabinet",
        "move the disc out of the goal towards the robot",
    ),
    "plate-slide-side": _task(
        "easy", "Slide a plate into a cabinet sideways",
        "push the plate sideways into the cabinet", "slide the plate to the side, into the cabinet",
        "move the disc into the goal sideways",
    ),
    "plate-slide": _task(
        "easy", "Slide a plate into a cabinet",
        "push the plate into the cabinet", "slide the plate forward into the cabinet", "move the disc into the goal",
    ),
    "push-back": _task(
        "hard", "Push the puck to a goal",
        "pull the puck back to the goal", "push the puck towards the robot to the goal",
        "bring the object back to the target",
    ),
    "push": _task(
        "hard", "Push the puck to a goal",
        "slide the puck to the goal", "push the puck over the table to the marked point",
        "move the object across the table to the target",
    ),
    "push-wall": _task(
        "medium", "Bypass a wall and push a puck to a goal",
        "push the puck around the wall to the goal", "slide the puck past the wall to the marked point",
        "move the object past the barrier to the target",
    ),
    "reach": _task(
        "easy", "Reach a goal position",
        "move the gripper to the goal", "reach the marked point", "bring the hand to the target",
    ),
    "reach-wall": _task(
        "easy", "Bypass a wall and reach a goal",
        "move the gripper around the wall to the goal", "reach the marked point behind the wall",
        "bring the hand past the barrier to the target",
    ),
    "shelf-place": _task(
        "very_hard", "Pick and place a puck onto a shelf",
        "put the puck on the shelf", "pick up the puck and set it on the shelf", "store the object on the rack",
    ),
    "soccer": _task(
        "medium", "Kick a soccer into the goal",
        "push the ball into the goal", "shoot the soccer ball into the net", "score a goal",
    ),
    "stick-pull": _task(
        "very_hard", "Grasp a stick and pull a box with the stick",
        "pull the box with the stick", "pick up the stick and drag the box by its handle",
        "use the rod to draw the container closer",
    ),
    "stick-push": _task(
        "very_hard", "Grasp a stick and push a box using the stick",
        "push the box with the stick", "pick up the stick and shove the box to the goal",
        "use the rod to move the container away",
    ),
    "sweep-into": _task(
        "medium", "Sweep a puck into a hole",
        "push the puck into the hole", "sweep the puck over the table into the hole", "knock the object into the pit",
    ),
    "sweep": _task(
        "medium", "Sweep a puck off the table",
        "push the puck off the table", "sweep the puck over the edge of the table", "clear the object from the table",
    ),
    "window-close": _task(
        "easy", "Push and close a window", "close the window", "slide the window shut", "move the pane to its frame",
    ),
    "window-open": _task(
        "easy", "Push and open a window", "open the window", "slide the window open", "move the pane to let air in",
    ),
}  # fmt: skip
"""Meta-World's names without version."""

SUITES = {
    "mt10": (
        "reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close", "button-press-topdown",
        "peg-insert-side", "window-open", "window-close",
    ),
    "mt50": tuple(sorted(TASKS)),
}  # fmt: skip
"""Meta-World's multi-task suites, mt10 in Meta-World's order, mt50 in alphabetical order."""

WORDINGS = ("standard", "varied", "held_out")


def instruction_of(task: str, wording: str, generator: np.random.Generator) -> str:
    """An instruction for a task.

    Args:
        task: a key of `TASKS`.
        wording: "standard" for that of LeRobot; "varied" for one of all that training may use, the standard one
            included; "held_out" for one of those that only evaluation uses.
        generator: draws it.
    """
    about = TASKS[task]
    choices = {"standard": (about.standard,), "varied": (about.standard, *about.others), "held_out": about.held_out}
    return str(generator.choice(np.array(choices[wording])))
