"""Images: codec, model, data, measures, figures."""
