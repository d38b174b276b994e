"""The same model, served in other ways, for `benchmarks.compare` to measure beside the service.

Each takes a WAV file as the field ``file`` of a form at ``POST /predict``, and answers with ``label`` and
``probabilities`` as the service does. All are written as their documentation has it, with as many workers as
there are processors. The environment comes from ``requirements/rivals.txt``.
"""
