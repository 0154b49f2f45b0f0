"""A path entry that makes a clone of VIMA's benchmark importable in the virtual environment that runs this script.

    .venv/bin/python scripts/vimabench.py FOLDER

It writes the folder's path into a .pth file, so that PYTHONPATH need not be set.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

HELP = (
    "get it with `git clone https://github.com/vimalabs/VIMABench`, then run `make vima VIMABENCH=VIMABench`, "
    "or give the path of a clone that you have"
)


def main(arguments: list[str]) -> int:
    """Writes the .pth file; returns the exit code."""
    folder = Path(arguments[0]).expanduser().resolve() if arguments and arguments[0] else None
    if folder is None or not (folder / "vima_bench" / "__init__.py").is_file():
        print(f"error: {folder or 'VIMABENCH'} is not a clone of VIMA's benchmark; {HELP}", file=sys.stderr)
        return 2
    if sys.prefix == sys.base_prefix:
        print("error: this writes into a virtual environment only; run: make vima", file=sys.stderr)
        return 1
    (Path(sysconfig.get_path("purelib")) / "vimabench.pth").write_text(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
