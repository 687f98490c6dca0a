"""What is known already. For now the memory of one request; nothing is kept from one request to the next."""
