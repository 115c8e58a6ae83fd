"""Parts of networks: sequence models, likelihoods, kernels."""
