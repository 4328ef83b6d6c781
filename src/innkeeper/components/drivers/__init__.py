"""One package for each product. Nothing here imports Django."""
