"""The server as a Windows service.

`command` defines the command line, and `manager` calls the service manager of Windows. The service manager starts the
process in `host`, which runs the server through `worker`.
"""
