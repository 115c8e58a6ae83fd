"""musae: autoencoders for music, images and sound."""
