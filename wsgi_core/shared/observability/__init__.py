"""What an operator sees of the service from outside: metrics, a log that programs can read, where the time went.

It knows no framework: the service's hooks hand over an environ at the start of a request and the status at its end.
"""

from .observation import Observation as Observation
from .observation import begin_request as begin_request
from .observation import observed_request as observed_request
