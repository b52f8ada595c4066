"""A locustfile whose users request one page."""

import locust


class Reader(locust.HttpUser):
    """A user that requests one page, and waits 0.1 seconds before the next request."""

    wait_time = locust.constant(0.1)

    @locust.task
    def read(self) -> None:
        self.client.get("/read")
