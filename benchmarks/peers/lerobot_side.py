"""LeRobot's side: trains one of its policies or acts with one. Runs in the Python that has LeRobot, without embodio.

    python lerobot_side.py train         the request is a line of JSON; reports with a line of JSON now and then
    python lerobot_side.py act FOLDER    answers each request with a line of JSON

A request to act is a line of JSON, {"verb": "reset", "act" or "memory", "arrays": {name: [dtype, shape]}}, followed by
the bytes of the arrays in that order.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

ABOUT = "peer.json"
_IMAGES, _STATE = "observation.images.", "observation.state"
_REPORTS = 20.0  # seconds of processor time between two

Say = Callable[[dict[str, Any]], None]


def train(request: dict[str, Any], say: Say) -> None:
    """Trains a policy for some minutes and writes it to a folder.

    Args:
        request: "policy" (act, diffusion), "options" of its config, "data" (a LeRobot data set), "episodes" (how
            many, from the first on), "action" (the field to imitate), "cameras", "minutes" (of processor time on one
            thread, which is wall-clock time on a free core), "batch_size", "schedule" ("own" for that of the policy,
            "time" for a warm-up and a cosine over the minutes), "out" (a folder), "seed".
        say: tells about progress.
    """
    import torch
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    torch.manual_seed(request["seed"])
    dataset, config, statistics = _prepared(request)
    policy = get_policy_class(request["policy"])(config)
    before, after = make_pre_post_processors(config, dataset_stats=statistics)
    optimiser = config.get_optimizer_preset().build(policy.get_optim_params())
    schedule = config.get_scheduler_preset() if request["schedule"] == "own" else None
    own = schedule.build(optimiser, 100_000) if schedule else None
    rates = [group["lr"] for group in optimiser.param_groups]
    policy.train()
    minutes, said, losses, step = 0.0, 0.0, [], 0
    begin = time.process_time()
    for batch in _batches(dataset, config, request):
        if request["schedule"] == "time":
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * _share(minutes / request["minutes"])
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = policy.forward(before(batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), config.get_optimizer_preset().grad_clip_norm)
        optimiser.step()
        optimiser.zero_grad()
        if own is not None:
            own.step()
        step += 1
        losses.append(loss.item())
        minutes = (time.process_time() - begin) / 60
        last = minutes >= request["minutes"]
        if last or (minutes - said) * 60 > _REPORTS:
            said = minutes
            say({"step": step, "minutes": round(minutes, 2), "loss": sum(losses) / len(losses)})
            losses.clear()
        if last:
            break
    _write(Path(request["out"]), policy, (before, after), request | {"steps": step, "minutes": round(minutes, 2)})
    say({"step": step, "minutes": round(minutes, 2), "written": True})


def _share(done: float) -> float:
    """The share of the learning rate once a share of the time is over: a warm-up, then a cosine to zero."""
    return min(done / 0.05, 0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))) if done else 0.01


def _prepared(request: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The data set with the windows that the policy reads, its config, and the statistics under LeRobot's names."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
    from lerobot.policies.factory import make_policy_config

    meta = LeRobotDatasetMetadata("local/peer", root=request["data"])
    images = [_IMAGES + camera for camera in request["cameras"]]
    inputs = {_STATE: PolicyFeature(FeatureType.STATE, tuple(meta.features[_STATE]["shape"]))}
    for name in images:
        height, width, channels = meta.features[name]["shape"]
        inputs[name] = PolicyFeature(FeatureType.VISUAL, (channels, height, width))
    action = PolicyFeature(FeatureType.ACTION, tuple(meta.features[request["action"]]["shape"]))
    config = make_policy_config(request["policy"], device="cpu", push_to_hub=False, **request["options"])
    config.input_features, config.output_features = inputs, {"action": action}
    config.validate_features()
    windows = {request["action"]: [step / meta.fps for step in config.action_delta_indices]}
    if config.observation_delta_indices is not None:
        windows |= {name: [step / meta.fps for step in config.observation_delta_indices] for name in inputs}
    episodes = list(range(request["episodes"]))
    dataset = LeRobotDataset("local/peer", root=request["data"], episodes=episodes, delta_timestamps=windows)
    statistics = {name: meta.stats[name] for name in inputs} | {"action": meta.stats[request["action"]]}
    return dataset, config, statistics


def _batches(dataset: Any, config: Any, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Batches without end, in which the field to imitate is called the action."""
    import torch
    from lerobot.datasets.sampler import EpisodeAwareSampler

    rows = dataset.meta.episodes[: request["episodes"]]
    sampler = EpisodeAwareSampler(
        rows["dataset_from_index"],
        rows["dataset_to_index"],
        drop_n_last_frames=getattr(config, "drop_n_last_frames", 0),
        shuffle=True,
    )
    loader = torch.utils.data.DataLoader(
        dataset, request["batch_size"], sampler=sampler, drop_last=True, num_workers=1, persistent_workers=True
    )
    names = [*config.input_features]
    while True:
        for batch in loader:
            chosen = {name: batch[name] for name in names}
            key = request["action"]
            yield chosen | {"action": batch[key], "action_is_pad": batch[f"{key}_is_pad"]}


def _write(folder: Path, policy: Any, processors: tuple[Any, Any], about: dict[str, Any]) -> None:
    """Writes LeRobot's own checkpoint, and last what we must know of it."""
    from importlib.metadata import version

    policy.save_pretrained(folder)
    for processor in processors:
        processor.save_pretrained(folder)
    size = sum(parameter.numel() for parameter in policy.parameters())
    about = {"library": f"lerobot {version('lerobot')}", "parameters": size} | about
    with (folder / ABOUT).open("w") as file:
        json.dump(about, file, indent=2)


def act(folder: Path, requests: BinaryIO, say: Say) -> None:
    """Acts with a policy that `train` wrote until the requests end; the random numbers of each episode are alike."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    config = PreTrainedConfig.from_pretrained(folder)
    policy = get_policy_class(config.type).from_pretrained(folder, config=config).eval()
    before, after = make_pre_post_processors(config, pretrained_path=str(folder))
    say({"ready": True})
    for line in requests:
        request = json.loads(line)
        arrays = read_arrays(request["arrays"], requests)
        if request["verb"] == "reset":
            torch.manual_seed(0)
            policy.reset()
            say({})
        elif request["verb"] == "memory":
            say({"megabytes": _peak_memory()})
        else:
            batch = {_STATE: torch.from_numpy(arrays.pop("state"))}
            for name, frame in arrays.items():
                batch[_IMAGES + name] = torch.from_numpy(frame).permute(2, 0, 1).float() / 255
            with torch.inference_mode():
                action = after(policy.select_action(before(batch)))
            say({"action": action.squeeze(0).tolist()})


def read_arrays(described: dict[str, tuple[str, list[int]]], requests: BinaryIO) -> dict[str, Any]:
    """The arrays of a request, name -> array, from the bytes that follow its line."""
    import numpy as np

    arrays = {}
    for name, (dtype, shape) in described.items():
        kind = np.dtype(dtype)
        data = requests.read(math.prod(shape) * kind.itemsize)
        arrays[name] = np.frombuffer(data, kind).reshape(shape).copy()
    return arrays


def _peak_memory() -> float:
    """The largest resident size of this process so far in MB (10^6 bytes), as `embodio.model.process_memory` counts."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def main(arguments: list[str]) -> None:
    """Trains, or acts with a folder; whatever libraries print goes to the standard error."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    import torch

    torch.set_num_threads(1)
    if arguments[0] == "train":
        train(json.loads(sys.stdin.buffer.readline()), say)
    else:
        act(Path(arguments[1]), sys.stdin.buffer, say)


if __name__ == "__main__":
    main(sys.argv[1:])
