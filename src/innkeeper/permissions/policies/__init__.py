"""The shipped metadata files: the disk policy and the templates of hosting accounts."""

from pathlib import Path

FOLDER = Path(__file__).parent
