"""`python -m codeczoo.benchmarks.cli`: the command line without the installed script."""

import sys

from codeczoo.benchmarks.cli import main

if __name__ == "__main__":
    sys.exit(main())
