"""What takes too long for the tests: fuzzing, floods, thousands of bad uploads. See ``__main__``."""
