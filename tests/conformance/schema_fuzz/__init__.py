"""Test both services against their OpenAPI description with schemathesis: `python -m tests.conformance.schema_fuzz`."""
