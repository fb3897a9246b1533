"""Tests of the augmentation on the device, run on the CPU."""
