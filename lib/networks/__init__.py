"""Networks in ONNX files: loaded and run in one place, whoever asks them."""
