"""Child processes that work for this one: started clean, killed whole, never left behind."""
