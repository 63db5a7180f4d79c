"""`python -m doselang` is the command `doselang`."""

from doselang.cli import main

main()
