"""The service beside other servers of models, in one run: the same model, the same rows, the same client.

``python -m loadtests.servers``. Each ``with_*.py`` is the model on one of the others, in the form that its own
documentation shows; they run in environments of their own, for nothing here depends on them.
"""
