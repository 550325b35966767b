"""Where orders come from: one module per channel, each with `verify` and `parse`."""
