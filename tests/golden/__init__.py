"""What the command writes, recorded and compared."""
