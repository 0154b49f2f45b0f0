"""An agent behind a socket: websockets with msgpack for robots, a page for people, metrics for Prometheus."""
