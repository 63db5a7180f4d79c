"""The local page of a trial: what `doselang serve` shows in a browser, and how things are entered there."""
