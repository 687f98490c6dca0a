"""HTTP: the GraphQL endpoint, who asks, the operators' routes, and GraphiQL."""
