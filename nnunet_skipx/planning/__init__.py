"""Plans that fit a GPU, and the memory that training on them takes."""
