"""Who carries parcels: one module per tracking provider, each with `verify` and `parse`."""
