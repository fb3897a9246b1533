"""Pictures of the report, one idea per file."""
