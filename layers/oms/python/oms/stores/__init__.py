"""The only DynamoDB code: one module per table, and the transactions that span them."""
