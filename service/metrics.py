"""What Prometheus is told. No emotion is counted: what people felt is nobody's time series."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The instruments of one app; each app has its own, so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "undertone_requests",
            "Requests answered.",
            ["route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "undertone_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "undertone_requests_in_flight", "Requests under way.", registry=self.registry
        )
        self.batch_rows = Histogram(
            "undertone_batch_rows",
            "Windows of audio in a batch.",
            ["model"],
            buckets=(1, 2, 4, 8),
            registry=self.registry,
        )
        self.queue_length = Gauge(
            "undertone_queue_length",
            "Questions that wait for the model; a request or a stream has one at a time.",
            ["model"],
            registry=self.registry,
        )
        self.queue_wait = Histogram(
            "undertone_queue_wait_seconds",
            "From a question to the batch that holds the first of it.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.helpers = Gauge(
            "undertone_helpers", "Processes that can prepare sound.", registry=self.registry
        )
        self.streams = Gauge("undertone_streams_open", "Open streams.", registry=self.registry)
        self.streams_closed = Counter(
            "undertone_streams_closed",
            "Streams that ended: the close code, gone (the client closed it) or cut (the service ended).",
            ["end"],
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)
