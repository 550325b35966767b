"""What a Lambda function needs around a use case: clients, settings, secrets, signatures, logs, errors."""
