"""The services against their own description, by schemathesis: `python -m tests.conformance.schema_fuzz`."""
