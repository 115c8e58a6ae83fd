"""The denoiser of recordings."""
