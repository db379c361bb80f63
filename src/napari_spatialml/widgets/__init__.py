"""The docks: one workbench with all steps, or each step alone. The only part of the program that knows Qt."""
