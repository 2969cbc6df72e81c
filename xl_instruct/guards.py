"""The guards of `xl_suite.translation.guards`, under the name by which this package uses them."""

from xl_suite.translation.guards import REASONS, check_translation, check_translations

__all__ = ["REASONS", "check_translation", "check_translations"]
