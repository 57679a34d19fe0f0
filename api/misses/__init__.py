"""Photos that matched nothing, where an operator wants to see them: kept for a stated time, grouped by what they "
"show."""
