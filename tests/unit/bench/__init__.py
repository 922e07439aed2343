"""The bench's own logic: how figures are paired, how a pace is kept, and what a page is made of."""
