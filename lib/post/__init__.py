"""Raw candidates to values: typed, checked, grounded, with confidence and doubts."""
