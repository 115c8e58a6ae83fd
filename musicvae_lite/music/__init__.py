"""Music: scores to arrays and back, the model, its data, measures and uses."""
