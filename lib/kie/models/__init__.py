"""Fields read by a served model: how it is asked, what it may answer, where that is printed."""
