"""What a step of a trainer costs, in seconds and memory, and whether its data keep up."""
