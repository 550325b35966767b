"""What the system does, one module a subject. Use cases take stores as arguments and call the domain."""
