"""Building blocks of the models that are written here: each file is one block of the papers' figures."""
