"""The policy: what each instrument may reach and how fields are treated (contract §5). Pure."""
