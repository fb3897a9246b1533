"""Tests of `skipx data check`."""
