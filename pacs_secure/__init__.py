"""A picture archive whose first duty is to the people in the pictures."""

__version__ = "0.1.0"
