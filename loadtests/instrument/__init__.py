"""The measuring instrument: processes that time blocks of requests, the result file, and figures with intervals."""
