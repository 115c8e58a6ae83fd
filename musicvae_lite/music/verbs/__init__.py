"""What is done with whole pieces."""
