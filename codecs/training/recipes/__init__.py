"""Recipes of trainings, one TOML file each; `codeczoo.codecs.training.recipe` says what their keys mean."""
