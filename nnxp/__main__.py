"""`python -m nnxp`, the same as the command `nnxp`."""

import sys

from nnxp.cli import main

if __name__ == "__main__":
    sys.exit(main())
