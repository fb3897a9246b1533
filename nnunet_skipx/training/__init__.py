"""What the trainers share: base trainer, variants and twins by name, losses beside nnU-Net's."""
