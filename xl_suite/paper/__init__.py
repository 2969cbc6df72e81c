"""The paper's numbers and models as data."""
