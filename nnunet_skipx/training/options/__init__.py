"""What the parts of a trainer's name do, one option per file."""
