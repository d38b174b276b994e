"""The training face of Undertone: corpora to splits to recipes to networks to bundles."""
