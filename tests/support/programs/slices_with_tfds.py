"""What tfds takes of the shards of a data set for a split; run as a program, since it needs TensorFlow.

Reads a list of [lengths of the shards of each split, text] as JSON from the standard input, and prints for each a list
of [shard, first record, one past the last record], or "error".
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core import naming
from tensorflow_datasets.core.splits import AbstractSplit


def taken(lengths: dict[str, list[int]], text: str) -> Any:
    """The parts of shards."""
    template = naming.ShardedFileTemplate(data_dir=epath.Path("/none"), dataset_name="toy", filetype_suffix="tfrecord")
    splits = tfds.core.SplitDict(
        [
            tfds.core.SplitInfo(
                name=name, shard_lengths=counts, num_bytes=0, filename_template=template.replace(split=name)
            )
            for name, counts in lengths.items()
        ]
    )
    try:
        if text == "all":
            found = [part for name in splits for part in splits[name].file_instructions]
        else:
            found = splits[text].file_instructions
            bounds = AbstractSplit.from_spec(text).to_absolute(splits)
            if any(
                (bound.from_ or 0) > (sum(lengths[bound.splitname]) if bound.to is None else bound.to)
                for bound in bounds
            ):
                return "error"  # from a later record to an earlier one, which tfds reads in odd ways
    except (KeyError, ValueError, NotImplementedError, AssertionError):
        return "error"
    parts = [(epath.Path(part.filename).name, part.skip, part.skip + part.take) for part in found]
    return parts or "error"


def main() -> None:
    """Answers all questions."""
    print(json.dumps([taken(lengths, text) for lengths, text in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
