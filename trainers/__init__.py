"""One thin file per trainer: the class has the name of its file, and nnU-Net finds it by that name."""
