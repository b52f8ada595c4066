"""The test suites of Flask's extensions, unchanged, on Flask and on the core.

The command is ``python -m tests.conformance.extension_suites``. `suites` reads which source distributions are meant,
`run` fetches one, unpacks it and runs its tests on one side, and `report` compares the two sides. Each group of suites
has an environment of its own, with the versions of ``locks/``.
"""
