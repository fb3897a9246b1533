"""What has to do with the machine only: files and text."""
