"""What every medium shares, and no medium by name: latent space, objective, data, files, errors."""
