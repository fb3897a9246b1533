"""What the trainers share: base trainer, auxiliary loss, variants by name."""
