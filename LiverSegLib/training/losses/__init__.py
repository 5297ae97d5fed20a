"""What the networks are trained to make small."""
