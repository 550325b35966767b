"""The order management system's shared package: rules, use cases, stores and the edges to the outside world."""
