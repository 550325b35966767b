"""Where messages come from and go to besides channels and carriers: warehouses, ERP, CRM, subscribers."""
