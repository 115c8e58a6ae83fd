"""Runs the command: ``musae ...`` or ``python -m musae ...``."""

from __future__ import annotations

import sys

from musae.app import main

if __name__ == "__main__":
    sys.exit(main())
