"""One revision a file, oldest first by its number."""
