"""From a batch of wants to the calls that answer it: windows over lists, the choice of a path, and running it."""
