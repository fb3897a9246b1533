"""What a trained mechanism does: its records on validation cases, and what goes missing without it."""
