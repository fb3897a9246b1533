"""What our networks and our augmentation cost on a GPU, within a given time."""
