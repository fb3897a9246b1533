"""What has to do with the machine only: files, text, processes, memory, environment variables."""
