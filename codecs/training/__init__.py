"""Training of the models that are written here: losses and discriminators."""
