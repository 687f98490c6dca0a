// Stands in for an optional package that nothing here uses.
