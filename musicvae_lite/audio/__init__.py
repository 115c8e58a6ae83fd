"""Sound: recordings, the denoiser, timbre."""
