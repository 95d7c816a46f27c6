"""The families of tasks behind the small model's instruction data."""
