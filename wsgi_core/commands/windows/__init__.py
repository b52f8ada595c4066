"""The server as a Windows service.

`command` is the command line, and `manager` calls the service manager of Windows. `host` is the process that the
service manager starts, and `worker` runs the server in that process.
"""
