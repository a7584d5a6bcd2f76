"""What a score is worth: calibrated false-match rates, similarity, expected false matches."""
