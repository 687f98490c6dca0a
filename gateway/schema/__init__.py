"""What clients may ask: one file per GraphQL type, all declared with Strawberry and nowhere else."""
