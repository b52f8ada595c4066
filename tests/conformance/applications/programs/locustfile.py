"""What Locust's users do: they read one page of the server that answers them."""

import locust


class Reader(locust.HttpUser):
    """A user that reads one page, ten times a second."""

    wait_time = locust.constant(0.1)

    @locust.task
    def read(self) -> None:
        self.client.get("/read")
