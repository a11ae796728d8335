"""What produces: data, models, training, and the commands that run them."""
