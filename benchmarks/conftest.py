"""One thread for matrix products, as the command line has it: several wait for each other on a busy machine."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
