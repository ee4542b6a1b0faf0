"""The tests, one file a family: classes that `AdapterConformance` inherits from."""
