"""The levels of BabyAI and the tasks of MiniGrid, by their ids there without family and version."""

from __future__ import annotations

_BABYAI = """
ActionObjDoor BlockedUnlockPickup BossLevel BossLevelNoUnlock FindObjS5 FindObjS6 FindObjS7 GoTo GoToDoor
GoToImpUnlock GoToLocal GoToLocalS5N2 GoToLocalS6N2 GoToLocalS6N3 GoToLocalS6N4 GoToLocalS7N4 GoToLocalS7N5
GoToLocalS8N2 GoToLocalS8N3 GoToLocalS8N4 GoToLocalS8N5 GoToLocalS8N6 GoToLocalS8N7 GoToObj GoToObjDoor
GoToObjMaze GoToObjMazeOpen GoToObjMazeS4 GoToObjMazeS4R2 GoToObjMazeS5 GoToObjMazeS6 GoToObjMazeS7
GoToObjS4 GoToObjS6 GoToOpen GoToRedBall GoToRedBallGrey GoToRedBallNoDists GoToRedBlueBall GoToSeq GoToSeqS5R2
KeyCorridor KeyCorridorS3R1 KeyCorridorS3R2 KeyCorridorS3R3 KeyCorridorS4R3 KeyCorridorS5R3 KeyCorridorS6R3
KeyInBox MiniBossLevel MoveTwoAcrossS5N2 MoveTwoAcrossS8N9 OneRoomS12 OneRoomS16 OneRoomS20 OneRoomS8 Open
OpenDoor OpenDoorColor OpenDoorDebug OpenDoorLoc OpenDoorsOrderN2 OpenDoorsOrderN2Debug OpenDoorsOrderN4
OpenDoorsOrderN4Debug OpenRedBlueDoors OpenRedBlueDoorsDebug OpenRedDoor OpenTwoDoors Pickup PickupAbove
PickupDist PickupDistDebug PickupLoc PutNextLocal PutNextLocalS5N3 PutNextLocalS6N4 PutNextS4N1 PutNextS5N1
PutNextS5N2 PutNextS5N2Carrying PutNextS6N3 PutNextS6N3Carrying PutNextS7N4 PutNextS7N4Carrying Synth SynthLoc
SynthS5R2 SynthSeq UnblockPickup Unlock UnlockLocal UnlockLocalDist UnlockPickup UnlockPickupDist UnlockToUnlock
"""
_MINIGRID = """
BlockedUnlockPickup DistShift1 DistShift2 DoorKey-16x16 DoorKey-5x5 DoorKey-6x6 DoorKey-8x8
Dynamic-Obstacles-16x16 Dynamic-Obstacles-5x5 Dynamic-Obstacles-6x6 Dynamic-Obstacles-8x8
Dynamic-Obstacles-Random-5x5 Dynamic-Obstacles-Random-6x6 Empty-16x16 Empty-5x5 Empty-6x6 Empty-8x8
Empty-Random-5x5 Empty-Random-6x6 Fetch-5x5-N2 Fetch-6x6-N2 Fetch-8x8-N3 FourRooms GoToDoor-5x5 GoToDoor-6x6
GoToDoor-8x8 GoToObject-6x6-N2 GoToObject-8x8-N2 KeyCorridorS3R1 KeyCorridorS3R2 KeyCorridorS3R3
KeyCorridorS4R3 KeyCorridorS5R3 KeyCorridorS6R3 LavaCrossingS11N5 LavaCrossingS9N1 LavaCrossingS9N2
LavaCrossingS9N3 LavaGapS5 LavaGapS6 LavaGapS7 LockedRoom MemoryS11 MemoryS13 MemoryS13Random MemoryS17Random
MemoryS7 MemoryS9 MultiRoom-N2-S4 MultiRoom-N4-S5 MultiRoom-N6 ObstructedMaze-1Dl ObstructedMaze-1Dlh
ObstructedMaze-1Dlhb ObstructedMaze-1Q ObstructedMaze-2Dl ObstructedMaze-2Dlh ObstructedMaze-2Dlhb
ObstructedMaze-2Q ObstructedMaze-Full PutNear-6x6-N2 PutNear-8x8-N3 RedBlueDoors-6x6 RedBlueDoors-8x8
SimpleCrossingS11N5 SimpleCrossingS9N1 SimpleCrossingS9N2 SimpleCrossingS9N3 Unlock UnlockPickup
"""
_NEWER = {
    "babyai/GoToObjS6", "minigrid/MultiRoom-N4-S5", "minigrid/ObstructedMaze-1Q", "minigrid/ObstructedMaze-2Dlhb",
    "minigrid/ObstructedMaze-2Q", "minigrid/ObstructedMaze-Full",
}  # fmt: skip
"""Tasks of which MiniGrid has a version 1."""
TASKS = (*(f"babyai/{name}" for name in _BABYAI.split()), *(f"minigrid/{name}" for name in _MINIGRID.split()))
"""Names in this package: babyai/LEVEL has missions in many words and an expert, minigrid/TASK has no expert."""
BOT_FAILS = {
    "babyai/KeyInBox", "babyai/PutNextS5N2Carrying", "babyai/PutNextS6N3Carrying", "babyai/PutNextS7N4Carrying",
}  # fmt: skip
"""Levels that BabyAI's bot cannot solve, as it says itself."""


def minigrid_id(task: str) -> str:
    """MiniGrid's id of a task, for `gymnasium.make`."""
    family, name = task.split("/")
    prefix = {"babyai": "BabyAI", "minigrid": "MiniGrid"}[family]
    return f"{prefix}-{name}-v{int(task in _NEWER)}"
