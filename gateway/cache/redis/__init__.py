"""What several processes share, in Redis 7 or Valkey. Whatever becomes of Redis, each process goes on by itself."""
