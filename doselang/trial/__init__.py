"""A trial's record as those who run the trial use it: what its entries mean, and which steps the rules permit."""
