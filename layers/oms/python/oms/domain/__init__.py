"""The rules of the business as pure functions of data. Standard library only: no clock, no AWS, no randomness."""
