"""The test suites of Flask's extensions, unchanged, on Flask and on the core.

The command is ``python -m tests.conformance.extension_suites``. `suites` reads the list of source distributions, `run`
downloads and unpacks a source distribution and runs its tests on one side, and `report` compares the two sides. Each
group of suites has its own virtual environment, with the package versions of ``locks/``.
"""
