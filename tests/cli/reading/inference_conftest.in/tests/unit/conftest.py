import unit.helper
