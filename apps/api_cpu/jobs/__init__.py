"""Jobs: accepted work, its queue, who does it and how it ended."""
