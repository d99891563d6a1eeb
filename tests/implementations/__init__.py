"""Hand-written implementations for the tests of the suite: right ones and wrong ones."""
