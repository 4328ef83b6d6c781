"""``python -m innkeeper.permissions``: the engine alone, with no panel and no database."""

import sys

from innkeeper.permissions.cli import main

sys.exit(main(sys.argv[1:]))
