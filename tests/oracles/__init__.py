"""Independent calculations that the tests compare doselang with; none of them uses the product's machine."""
