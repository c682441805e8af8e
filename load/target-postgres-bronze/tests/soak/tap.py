"""A tap for the trials: prints a file of Singer messages, in pieces and with pauses, so that a run lasts long enough to die."""

from __future__ import annotations

import os
import random
import sys
import time


def main() -> None:
    """Print the file, in pieces that end anywhere."""
    path, seed, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
    chance = random.Random(seed)
    with open(path, "rb") as file:  # noqa: PTH123 - starts faster without pathlib
        while piece := file.read(chance.randrange(1, 20_000)):
            os.write(1, piece)
            time.sleep(chance.random() * pause)


main()
