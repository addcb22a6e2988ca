"""What a course runs on: worksheets, grades, and the formats of its system."""
