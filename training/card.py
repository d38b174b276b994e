"""The card beside a model."""


def write_card(*a, **k):
    pass
