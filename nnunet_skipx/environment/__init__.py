"""What `skipx enable`, `disable` and `doctor` do to and ask of the Python environment."""
