"""The protocol: what a file means, independent of how it was written."""
