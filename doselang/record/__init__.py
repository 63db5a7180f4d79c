"""The record of a trial: entries that are only added, each with the hash of the one before, in a file that is kept."""
